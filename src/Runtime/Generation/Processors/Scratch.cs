using System.Buffers;

namespace ManagedTransformers;

/// <summary>Memory for one call, from the shared pool: processors keep none, because rows and generations share them.</summary>
/// <param name="length">Elements; what is in them at first is anything.</param>
internal readonly ref struct Scratch<T>(int length) : IDisposable
{
    private readonly T[] _array = ArrayPool<T>.Shared.Rent(length);

    public Span<T> Span => _array.AsSpan(0, length);

    public void Dispose() => ArrayPool<T>.Shared.Return(_array);
}
