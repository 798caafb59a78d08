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
