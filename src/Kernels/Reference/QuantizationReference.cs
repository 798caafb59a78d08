using System.Buffers.Binary;

namespace ManagedTransformers.Kernels;

/// <summary>
/// Blocks of integers as they are defined: every level makes the same bits of the same weights, as fingerprints of stored files depend on them.
/// </summary>
internal static class QuantizationReference
{
    /// <summary>Scales that Int4 tries: those that map the largest weight to this integer. Beyond 8 it is cut off, which pays where it stands alone.</summary>
    public static ReadOnlySpan<float> Int4Targets => [-8, -7.25f, -7.5f, -7.75f, -8.25f, -8.5f, -8.75f, -9, -9.5f, -10, 7, 7.25f, 7.5f, 6.5f, 6.75f];

    /// <summary>A row of finite weights, whole pairs of blocks, to integers and scales.</summary>
    public static unsafe void Row<TFormat>(ReadOnlySpan<float> row, byte* destination) where TFormat : struct, IBlockFormat
    {
        Span<int> integers = stackalloc int[Blocks.Pair];
        Span<byte> scales = new(Blocks.ScalesOf<TFormat>(destination, row.Length), (int)Blocks.ScaleBytes(row.Length));
        for (int at = 0; at < row.Length; at += Blocks.Size)
        {
            ReadOnlySpan<float> weights = row.Slice(at, Blocks.Size);
            Half scale = TFormat.ScaleOf(weights);
            float inverse = Inverse((float)scale);
            for (int i = 0; i < Blocks.Size; i++)
                integers[(at % Blocks.Pair) + i] = Math.Clamp((int)MathF.Round(weights[i] * inverse), TFormat.Least, TFormat.Most) + TFormat.Zero;
            if (at % Blocks.Pair != 0) TFormat.Write(integers, destination + (at / Blocks.Pair * TFormat.PairBytes));
            BinaryPrimitives.WriteHalfLittleEndian(scales[(at / Blocks.Size * sizeof(ushort))..], scale);
        }
    }

    /// <summary>What weights are multiplied by to become integers.</summary>
    public static float Inverse(float scale) => scale == 0 ? 0 : 1 / scale;

    /// <summary>Int8: the largest weight becomes 127.</summary>
    public static Half ScaleInt8(ReadOnlySpan<float> weights)
    {
        float largest = 0;
        foreach (float weight in weights) largest = Math.Max(largest, Math.Abs(weight));
        return (Half)(largest / Int8Format.Most);
    }

    /// <summary>Int4: the first scale with the smallest squared error.</summary>
    public static Half ScaleInt4(ReadOnlySpan<float> weights)
    {
        float largest = 0;
        foreach (float weight in weights) largest = Math.Abs(weight) > Math.Abs(largest) ? weight : largest;
        (Half best, float least) = (Half.Zero, float.PositiveInfinity);
        foreach (float target in Int4Targets)
        {
            var scale = (Half)(largest / target);
            float error = ErrorInt4(weights, (float)scale);
            if (error < least) (best, least) = (scale, error);
        }
        return best;
    }

    // Eight sums, of every eighth weight, and then the sum of those in pairs: the order decides on the last bits, and these on the scale.
    private static float ErrorInt4(ReadOnlySpan<float> weights, float scale)
    {
        float inverse = Inverse(scale);
        Span<float> sums = stackalloc float[8];
        sums.Clear();
        for (int i = 0; i < weights.Length; i++)
        {
            float difference = weights[i] - (Math.Clamp(MathF.Round(weights[i] * inverse), Int4Format.Least, Int4Format.Most) * scale);
            sums[i % 8] += difference * difference;
        }
        return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    }
}
