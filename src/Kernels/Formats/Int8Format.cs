namespace ManagedTransformers.Kernels;

/// <summary>Integers from −127 to 127: the largest weight of a block decides on its scale.</summary>
internal readonly unsafe struct Int8Format : IBlockFormat
{
    public static int PairBytes => 2 * Blocks.Size;

    public static int Zero => 0;

    public static float Largest => 127 * (float)Half.MaxValue;

    public static nint RowBytes(nint k) => k + Blocks.ScaleBytes(k);

    public static void Load<S, V>(byte* pair, nint index, out V first, out V second)
        where S : struct, ISimd<V>
        where V : struct
    {
        first = S.LoadInt8((sbyte*)pair + index);
        second = S.LoadInt8((sbyte*)pair + Blocks.Size + index);
    }

    public static int One(byte* pair, int i) => ((sbyte*)pair)[i];

    public static void Write(ReadOnlySpan<int> integers, byte* pair)
    {
        for (int i = 0; i < integers.Length; i++) ((sbyte*)pair)[i] = (sbyte)integers[i];
    }

    public static Half Quantize(ReadOnlySpan<float> weights, Span<int> integers)
    {
        const int Most = 127;
        float largest = 0;
        foreach (float weight in weights) largest = Math.Max(largest, Math.Abs(weight));
        var scale = (Half)(largest / Most);
        float inverse = scale == Half.Zero ? 0 : 1 / (float)scale;
        for (int i = 0; i < weights.Length; i++) integers[i] = Math.Clamp((int)MathF.Round(weights[i] * inverse), -Most, Most);
        return scale;
    }

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V>
        where V : struct => Blocks.Decode<S, V, Int8Format>(row, k, first, y, length);
}
