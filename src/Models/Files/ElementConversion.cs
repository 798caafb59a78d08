using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Models;

/// <summary>Stored elements as numbers, for tests, tools and small tensors. (Models widen F16 and BF16 rows with the vectorised kernels.)</summary>
internal static class ElementConversion
{
    private const int BlockElements = 1 << 16;

    public static int ArrayLength(Weight weight) => weight.ElementCount <= Array.MaxLength
        ? (int)weight.ElementCount
        : throw new InvalidOperationException(
            $"{weight.Name} has {weight.ElementCount} elements, an array holds at most {Array.MaxLength}. Read it in parts with Slice.");

    public static void ToSingle(Weight weight, Span<float> destination)
    {
        if (destination.Length != weight.ElementCount)
            throw new ArgumentException($"{weight.Name} has {weight.ElementCount} elements; the destination holds {destination.Length}.", nameof(destination));

        int size = weight.Type.Size();
        for (int start = 0; start < destination.Length; start += BlockElements)
        {
            Span<float> block = destination.Slice(start, Math.Min(BlockElements, destination.Length - start));
            Widen(weight, weight.Slice((long)start * size, block.Length * size), block);
        }
    }

    public static long[] ToInt64(Weight weight)
    {
        long[] values = new long[ArrayLength(weight)];
        int size = weight.Type.Size();
        for (int start = 0; start < values.Length; start += BlockElements)
        {
            Span<long> block = values.AsSpan(start, Math.Min(BlockElements, values.Length - start));
            Widen(weight, weight.Slice((long)start * size, block.Length * size), block);
        }
        return values;
    }

    /// <summary>Some of a weight's elements to float32.</summary>
    public static void Widen(Weight weight, ReadOnlySpan<byte> source, Span<float> values)
    {
        switch (weight.Type)
        {
            case ElementType.F32: source.CopyTo(MemoryMarshal.AsBytes(values)); break;
            case ElementType.F64: Each<double, float>(source, values); break;
            case ElementType.F16: Each<Half, float>(source, values); break;
            case ElementType.BF16: BFloat16(source, values); break;
            case ElementType.F8E4M3 or ElementType.F8E5M2: throw Unsupported(weight, "as a number; only its bytes can");
            default: Integers(weight, source, values); break;
        }
    }

    private static void Widen(Weight weight, ReadOnlySpan<byte> source, Span<long> values)
    {
        if (weight.Type is ElementType.F64 or ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F8E4M3 or ElementType.F8E5M2)
            throw Unsupported(weight, "as integers; use ToSingle");
        Integers(weight, source, values);
    }

    private static void Integers<T>(Weight weight, ReadOnlySpan<byte> source, Span<T> values)
        where T : unmanaged, INumberBase<T>
    {
        switch (weight.Type)
        {
            case ElementType.I64: Each<long, T>(source, values); break;
            case ElementType.I32: Each<int, T>(source, values); break;
            case ElementType.I16: Each<short, T>(source, values); break;
            case ElementType.I8: Each<sbyte, T>(source, values); break;
            case ElementType.U64: Each<ulong, T>(source, values); break;
            case ElementType.U32: Each<uint, T>(source, values); break;
            case ElementType.U16: Each<ushort, T>(source, values); break;
            case ElementType.U8: Each<byte, T>(source, values); break;
            case ElementType.Bool:
                for (int i = 0; i < values.Length; i++) values[i] = source[i] == 0 ? T.Zero : T.One;
                break;
            default: throw Unsupported(weight, "as a number");
        }
    }

    private static void Each<TSource, T>(ReadOnlySpan<byte> source, Span<T> values)
        where TSource : unmanaged, INumberBase<TSource>
        where T : unmanaged, INumberBase<T>
    {
        int size = Unsafe.SizeOf<TSource>();
        for (int i = 0; i < values.Length; i++)
            values[i] = T.CreateChecked(MemoryMarshal.Read<TSource>(source[(i * size)..]));
    }

    private static void BFloat16(ReadOnlySpan<byte> source, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Read<ushort>(source[(2 * i)..]) << 16);
    }

    private static NotSupportedException Unsupported(Weight weight, string what) =>
        new($"{weight.Name} in {weight.File} is {weight.Type.SafetensorsName()}, which cannot be read {what}.");
}
