using System.Runtime.InteropServices;

namespace ManagedTransformers.Kernels.Tests;

/// <summary>Memory between two canaries, starting at a chosen distance from an aligned address.</summary>
internal sealed unsafe class Guarded : IDisposable
{
    private const int Fence = 128;
    private const byte Canary = 0xA5;
    private readonly byte* _memory;
    private readonly int _start;
    private readonly int _bytes;

    public Guarded(int bytes, int misalignment)
    {
        _start = Fence + misalignment;
        _bytes = bytes;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(_start + bytes + Fence), 64);
        new Span<byte>(_memory, _start + bytes + Fence).Fill(Canary);
    }

    public static Guarded Of(ReadOnlySpan<float> values, int misalignment = 0)
    {
        var guarded = new Guarded(values.Length * sizeof(float), misalignment * sizeof(float));
        values.CopyTo(guarded.Floats);
        return guarded;
    }

    public Span<byte> Bytes => new(_memory + _start, _bytes);

    public Span<float> Floats => new(_memory + _start, _bytes / sizeof(float));

    public void AssertIntact()
    {
        Assert.That(new ReadOnlySpan<byte>(_memory, _start).IndexOfAnyExcept(Canary), Is.EqualTo(-1), "written before the start");
        Assert.That(new ReadOnlySpan<byte>(_memory + _start + _bytes, Fence).IndexOfAnyExcept(Canary), Is.EqualTo(-1), "written beyond the end");
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
