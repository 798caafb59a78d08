using System.Buffers.Binary;

namespace ManagedTransformers.Kernels;

/// <summary>One stored element at a time.</summary>
internal static class ConversionReference
{
    // All 65,536 fp16 numbers as floats: a weight is widened for every token, and .NET converts a Half in software, which takes ten times
    // as long as looking it up.
    private static readonly float[] s_fp16 = [.. Enumerable.Range(0, 1 << 16).Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits))];

    public static void Widen(ReadOnlySpan<byte> source, WeightType type, Span<float> destination)
    {
        switch (type)
        {
            case WeightType.F16:
                for (int i = 0; i < destination.Length; i++) destination[i] = s_fp16[BinaryPrimitives.ReadUInt16LittleEndian(source[(2 * i)..])];
                break;
            case WeightType.BF16:
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(source[(2 * i)..]) << 16);
                break;
            case WeightType.F32:
                for (int i = 0; i < destination.Length; i++) destination[i] = BinaryPrimitives.ReadSingleLittleEndian(source[(4 * i)..]);
                break;
            default:
                throw WeightFormats.NoElements(type);
        }
    }

    /// <summary>A whole row, also of blocks of integers: (q − zero) · scale.</summary>
    public static unsafe void WidenRow(ReadOnlySpan<byte> source, WeightType type, Span<float> destination)
    {
        if (!WeightMatrix.IsBlocked(type))
        {
            Widen(source, type, destination);
            return;
        }
        fixed (byte* row = source)
        fixed (float* to = destination)
        {
            var blocks = new BlockRow { Row = row, Destination = to, Length = destination.Length };
            WeightFormats.VisitBlocks(type, ref blocks);
        }
    }

    private unsafe struct BlockRow : IBlockFormatVisitor
    {
        public byte* Row;
        public float* Destination;
        public int Length;

        public readonly void Visit<TFormat>() where TFormat : struct, IBlockFormat
        {
            byte* scales = Blocks.ScalesOf<TFormat>(Row, Length);
            for (int i = 0; i < Length; i++)
            {
                int q = TFormat.One(Row + ((nint)i / Blocks.Pair * TFormat.PairBytes), i % Blocks.Pair);
                Destination[i] = (q - TFormat.Zero) * F16Format.WidenOne(scales, i / Blocks.Size);
            }
        }
    }

    public static void Narrow(ReadOnlySpan<float> source, WeightType type, Span<byte> destination)
    {
        for (int i = 0; i < source.Length; i++)
        {
            switch (type)
            {
                case WeightType.F16: BinaryPrimitives.WriteHalfLittleEndian(destination[(2 * i)..], (Half)source[i]); break;
                case WeightType.BF16: BinaryPrimitives.WriteUInt16LittleEndian(destination[(2 * i)..], NarrowBF16(source[i])); break;
                case WeightType.F32: BinaryPrimitives.WriteSingleLittleEndian(destination[(4 * i)..], source[i]); break;
                default: throw WeightFormats.NoElements(type);
            }
        }
    }

    // The upper 16 bits, rounded to nearest even: adding 0x7FFF, and 1 more where the kept part is odd, carries where it must.
    public static ushort NarrowBF16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);   // quiet, so that a payload in the lower half can't vanish
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
