using System.Runtime.InteropServices;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>A tensor of the source under the name and in the type in which it is written. Another way of storing weights begins here.</summary>
internal sealed class ConvertedTensor
{
    private const int BlockElements = 1 << 18;             // all that is in memory of a tensor at a time, or one row where that is longer

    private readonly Weight _source;
    private readonly WeightType? _blocks;
    private readonly bool _transposed;

    /// <param name="source">The tensor.</param>
    /// <param name="name">Its new name.</param>
    /// <param name="floatType">The type that floats get; null: they keep theirs.</param>
    /// <param name="blocks">What it is quantized to; null: nothing.</param>
    /// <param name="transposed">Whether the blocks are made of its transpose (Conv1D), which is in memory meanwhile.</param>
    /// <exception cref="CheckpointException">The type cannot be converted.</exception>
    public ConvertedTensor(Weight source, string name, ElementType? floatType, WeightType? blocks, bool transposed = false)
    {
        (_source, _blocks, _transposed) = (source, blocks, transposed);
        if (floatType is not null && source.Type is ElementType.F8E4M3 or ElementType.F8E5M2)
            throw Bad($"is {source.Type.SafetensorsName()}, which cannot be converted to {floatType.Value.SafetensorsName()}. " +
                "Convert the checkpoint without changing its type.");
        Entry = blocks is WeightType quantized
            ? new TensorEntry(name, ElementType.U8, StoredBlocks.ShapeOf(quantized, source.Shape[transposed ? 1 : 0], Columns), WriteTo)
            : new TensorEntry(name, floatType is ElementType type && IsFloat(source.Type) ? type : source.Type, source.Shape, WriteTo);
    }

    /// <summary>What is written.</summary>
    public TensorEntry Entry { get; }

    private int Columns => checked((int)_source.Shape[_transposed ? 0 : ^1]);

    public static bool IsFloat(ElementType type) => type is ElementType.F64 or ElementType.F32 or ElementType.F16 or ElementType.BF16;

    /// <summary>Compares a tensor that was written with what was to be written.</summary>
    /// <returns>Whether every byte is the same.</returns>
    public bool Equals(Weight written, CancellationToken cancellationToken)
    {
        if (written.Type != Entry.Type || !written.Shape.SequenceEqual(Entry.Shape)) return false;
        long at = 0;
        byte[] read = [];
        foreach (ReadOnlyMemory<byte> block in Blocks(cancellationToken))
        {
            if (read.Length < block.Length) read = new byte[block.Length];
            written.CopyBytes(at, read.AsSpan(0, block.Length));
            if (!block.Span.SequenceEqual(read.AsSpan(0, block.Length))) return false;
            at += block.Length;
        }
        return at == written.ByteLength;
    }

    private void WriteTo(Stream stream, CancellationToken cancellationToken)
    {
        foreach (ReadOnlyMemory<byte> block in Blocks(cancellationToken)) stream.Write(block.Span);
    }

    /// <summary>The bytes in the type in which they are written; a block is good until the next one.</summary>
    private IEnumerable<ReadOnlyMemory<byte>> Blocks(CancellationToken cancellationToken)
    {
        Weight source = _transposed ? Transposed.Of(_source, KernelOptions.Default) : _source;
        // Rows are quantized as a whole.
        int size = _source.Type.Size(), step = _blocks is null ? BlockElements : Math.Max(1, BlockElements / Columns) * Columns;
        int most = (int)Math.Min(step, _source.ElementCount);
        byte[] stored = new byte[most * size];
        bool converts = Entry.Type != _source.Type;
        float[] values = converts ? new float[most] : [];
        byte[] converted = converts ? new byte[ConvertedLength(most)] : [];
        for (long at = 0; at < _source.ElementCount; at += most)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = (int)Math.Min(most, _source.ElementCount - at);
            source.CopyBytes(at * size, stored.AsSpan(0, count * size));
            Span<byte> to = converts ? converted.AsSpan(0, ConvertedLength(count)) : [];
            if (_blocks is not null) Quantize(at / Columns, stored.AsSpan(0, count * size), values.AsSpan(0, count), to);
            else if (converts) Convert(stored.AsSpan(0, count * size), values.AsSpan(0, count), to);
            yield return converts ? converted.AsMemory(0, to.Length) : stored.AsMemory(0, count * size);
        }
        _source.GiveBack();
    }

    private int ConvertedLength(int count) =>
        _blocks is WeightType blocks ? (int)(count / Columns * WeightMatrix.BytesOfRow(blocks, Columns)) : count * Entry.Type.Size();

    private void Quantize(long row, ReadOnlySpan<byte> stored, Span<float> values, Span<byte> to)
    {
        int rows = values.Length / Columns;
        WeightMatrix matrix;
        if (_source.Type.ToWeightType() is WeightType from)
        {
            matrix = new WeightMatrix(stored, from, rows, Columns);
        }
        else
        {
            ElementConversion.Widen(_source, stored, values);
            matrix = new WeightMatrix(MemoryMarshal.AsBytes(values), WeightType.F32, rows, Columns);
        }
        try
        {
            Quantization.Quantize(matrix, _blocks!.Value, to, KernelOptions.Default);
        }
        catch (ArgumentException e)
        {
            throw Bad($"cannot be quantized, in its rows from {row} on: {e.Message}", e);
        }
    }

    private void Convert(ReadOnlySpan<byte> stored, Span<float> values, Span<byte> converted)
    {
        if (_source.Type.ToWeightType() is WeightType from) Conversion.Widen(stored, from, values, KernelOptions.Default);
        else ElementConversion.Widen(_source, stored, values);
        RequireInRange(stored, values);
        Conversion.Narrow(values, Entry.Type.ToWeightType()!.Value, converted, KernelOptions.Default);
    }

    /// <summary>A number that is too large for its new type would become infinite, and with it whatever it is multiplied by.</summary>
    private void RequireInRange(ReadOnlySpan<byte> stored, ReadOnlySpan<float> values)
    {
        // Half way from the largest number to the next that there would be: from here on rounding gives infinity.
        double limit = Entry.Type switch
        {
            ElementType.F16 => 65520,
            ElementType.BF16 => 3.3961775292304601e38,
            ElementType.F32 => 3.4028235677973366e38,
            _ => throw new NotSupportedException($"{_source.Name}: floats cannot be stored as {Entry.Type.SafetensorsName()}; F32, F16 and BF16 can."),
        };
        for (int i = 0; i < values.Length; i++)
        {
            if (!(MathF.Abs(values[i]) >= limit)) continue;
            double value = _source.Type == ElementType.F64 ? MemoryMarshal.Read<double>(stored[(i * sizeof(double))..]) : values[i];
            if (double.IsFinite(value))
                throw Bad($"has the value {value:G6}, too large for {Entry.Type.SafetensorsName()}: it would become infinite. " +
                    $"Use {(Entry.Type == ElementType.F16 && Math.Abs(value) < 3e38 ? "BF16 or F32" : "the type in which it is stored")}.");
        }
    }

    private CheckpointException Bad(string what, Exception? cause = null) =>
        new($"{_source.Name} in {_source.File} {what}", cause) { FileName = _source.File, TensorName = _source.Name };
}
