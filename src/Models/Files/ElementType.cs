using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>How one element of a stored tensor is encoded. All are little-endian.</summary>
/// <remarks>
/// The order is that of the safetensors library, which lays out a file from the last of these to the first, so that wide elements stay aligned.
/// </remarks>
public enum ElementType
{
    /// <summary>One byte, 0 or 1 (safetensors <c>BOOL</c>).</summary>
    Bool,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>8-bit float with 5 exponent and 2 mantissa bits (safetensors <c>F8_E5M2</c>); only its bytes can be read.</summary>
    F8E5M2,

    /// <summary>8-bit float with 4 exponent and 3 mantissa bits (safetensors <c>F8_E4M3</c>); only its bytes can be read.</summary>
    F8E4M3,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>IEEE 754 half precision.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a float32.</summary>
    BF16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>IEEE 754 single precision.</summary>
    F32,

    /// <summary>IEEE 754 double precision.</summary>
    F64,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
}

/// <summary>Names and sizes of the element types.</summary>
internal static class ElementTypes
{
    private static readonly Dictionary<string, ElementType> ByName = Enum.GetValues<ElementType>().ToDictionary(SafetensorsName, StringComparer.Ordinal);

    /// <summary>Bytes that one element takes: 1, 2, 4 or 8.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of <see cref="ElementType"/>.</exception>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.Bool or ElementType.U8 or ElementType.I8 or ElementType.F8E5M2 or ElementType.F8E4M3 => 1,
        ElementType.I16 or ElementType.U16 or ElementType.F16 or ElementType.BF16 => 2,
        ElementType.I32 or ElementType.U32 or ElementType.F32 => 4,
        ElementType.F64 or ElementType.I64 or ElementType.U64 => 8,
        _ => throw Unknown(type),
    };

    /// <summary>The name as safetensors headers spell it: <c>F32</c>, <c>BOOL</c>, <c>F8_E4M3</c> …</summary>
    public static string SafetensorsName(this ElementType type) => type switch
    {
        ElementType.Bool => "BOOL",
        ElementType.F8E5M2 => "F8_E5M2",
        ElementType.F8E4M3 => "F8_E4M3",
        _ => type.ToString(),
    };

    /// <summary>The elements as kernels read them where they lie; null where they must be converted first, or are no floats.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of <see cref="ElementType"/>.</exception>
    public static WeightType? ToWeightType(this ElementType type) => type switch
    {
        ElementType.F32 => WeightType.F32,
        ElementType.F16 => WeightType.F16,
        ElementType.BF16 => WeightType.BF16,
        _ when Enum.IsDefined(type) => null,
        _ => throw Unknown(type),
    };

    /// <summary>How a file names the elements of a kernel's type.</summary>
    /// <exception cref="ArgumentException">The type stores blocks, or is unknown.</exception>
    public static ElementType ToElementType(this WeightType type) => type switch
    {
        WeightType.F32 => ElementType.F32,
        WeightType.F16 => ElementType.F16,
        WeightType.BF16 => ElementType.BF16,
        _ => throw WeightFormats.NoElements(type),
    };

    /// <summary>Finds the type that a safetensors header names; the spelling must be exact.</summary>
    public static bool TryParseSafetensors(string name, out ElementType type) => ByName.TryGetValue(name, out type);

    private static ArgumentOutOfRangeException Unknown(ElementType type) => new(nameof(type), type, "Not an element type.");

    /// <summary>All names, widest first, for messages.</summary>
    internal static string KnownNames => string.Join(", ", ByName.Keys.Reverse());

    /// <summary>Bytes of a tensor of this shape.</summary>
    /// <exception cref="OverflowException">The elements or bytes exceed 2⁶³ − 1.</exception>
    internal static long ByteLength(this ElementType type, ReadOnlySpan<long> shape)
    {
        long elements = 1;
        foreach (long dimension in shape) elements = checked(elements * dimension);
        return checked(elements * type.Size());
    }
}

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

        byte[] bytes = BlockOf(weight);
        for (int start = 0; start < destination.Length; start += BlockElements)
        {
            Span<float> block = destination.Slice(start, Math.Min(BlockElements, destination.Length - start));
            Widen(weight, Read(weight, start, block.Length, bytes), block);
        }
    }

    public static long[] ToInt64(Weight weight)
    {
        long[] values = new long[ArrayLength(weight)];
        byte[] bytes = BlockOf(weight);
        for (int start = 0; start < values.Length; start += BlockElements)
        {
            Span<long> block = values.AsSpan(start, Math.Min(BlockElements, values.Length - start));
            Widen(weight, Read(weight, start, block.Length, bytes), block);
        }
        return values;
    }

    private static byte[] BlockOf(Weight weight) =>
        GC.AllocateUninitializedArray<byte>((int)Math.Min(BlockElements, weight.ElementCount) * weight.Type.Size());

    private static ReadOnlySpan<byte> Read(Weight weight, int start, int count, byte[] bytes)
    {
        int size = weight.Type.Size();
        Span<byte> block = bytes.AsSpan(0, count * size);
        weight.CopyBytes((long)start * size, block);
        return block;
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
