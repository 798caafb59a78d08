using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Kernels;

/// <summary>Values in one of the stored types, anywhere in memory (also unaligned); floats are such values too, and convert to it.</summary>
/// <remarks>A reference and a number of elements, not bytes: more floats than 2 GB hold are a legal span, their bytes are not.</remarks>
internal readonly unsafe ref struct StoredSpan
{
    private readonly ref readonly byte _start;

    /// <summary>A view of stored values, little-endian; nothing is copied.</summary>
    /// <exception cref="ArgumentException"><paramref name="data"/> is not a whole number of elements, or the type is unknown.</exception>
    public StoredSpan(ReadOnlySpan<byte> data, WeightType type)
    {
        int size = WeightMatrix.ElementSize(type);
        if (data.Length % size != 0)
            throw new ArgumentException($"data.Length is {data.Length}; elements of {type} have {size} bytes each.", nameof(data));
        _start = ref MemoryMarshal.GetReference(data);
        Length = data.Length / size;
        Type = type;
    }

    private StoredSpan(ReadOnlySpan<float> values)
    {
        _start = ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(values));
        Length = values.Length;
        Type = WeightType.F32;
    }

    /// <summary>Elements.</summary>
    public int Length { get; }

    /// <summary>How each is stored.</summary>
    public WeightType Type { get; }

    /// <summary>Element <paramref name="index"/> as a float; exact.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such element.</exception>
    public float this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Length);
            ref readonly byte element = ref Unsafe.Add(ref Unsafe.AsRef(in _start), (nint)index * WeightMatrix.ElementSize(Type));
            fixed (byte* stored = &element)
            {
                var one = new Element { Stored = stored };
                WeightFormats.VisitFloats(Type, ref one);
                return one.Value;
            }
        }
    }

    /// <summary>The floats themselves.</summary>
    public static implicit operator StoredSpan(ReadOnlySpan<float> values) => new(values);

    /// <summary>The floats themselves.</summary>
    public static implicit operator StoredSpan(Span<float> values) => new(values);

    /// <summary>The floats themselves.</summary>
    public static implicit operator StoredSpan(float[] values) => new(values);

    private struct Element : IFloatFormatVisitor
    {
        public byte* Stored;
        public float Value;

        public void Visit<TFormat>() where TFormat : struct, IWeightFormat => Value = TFormat.WidenOne(Stored, 0);
    }

    /// <summary>For <c>fixed</c>: the first element; null where there is none.</summary>
    public ref readonly byte GetPinnableReference() => ref Length == 0 ? ref Unsafe.NullRef<byte>() : ref _start;
}
