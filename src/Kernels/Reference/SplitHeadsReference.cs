namespace ManagedTransformers.Kernels;


/// <summary>Queries, keys and values of one token at a time.</summary>
internal static class SplitHeadsReference
{
    public static void Run(in SplitHeadsArguments a)
    {
        int d = a.QueryLayout.HeadDim;
        for (int i = 0; i < a.Tokens; i++)
        {
            Span<float> row = a.X.Slice(i * a.Width, a.Width);
            int position = a.Rotary is null ? 0 : a.Positions[i];
            ReadOnlySpan<float> cos = a.Rotary is null ? [] : a.Rotary.Cos(position);
            ReadOnlySpan<float> sin = a.Rotary is null ? [] : a.Rotary.Sin(position);
            for (int head = 0; head < a.QueryLayout.Heads; head++)
            {
                Span<float> q = a.QueryLayout.Of(row, head);
                RotaryReference.Run(q, cos, sin);
                q.CopyTo(a.Q[(((i * a.QueryLayout.Heads) + head) * d)..]);
            }
            for (int head = 0; head < a.KeyLayout.Heads; head++)
            {
                Span<float> k = a.KeyLayout.Of(row, head);
                Span<float> v = a.ValueLayout.Of(row, head);
                RotaryReference.Run(k, cos, sin);
                Store(a, k, a.K, head, a.Past + i);
                Store(a, v, a.V, head, a.Past + i);
            }
        }
    }

    // cache[head, token] = vector
    private static void Store(in SplitHeadsArguments a, ReadOnlySpan<float> vector, Span<byte> cache, int head, int token)
    {
        int bytes = vector.Length * WeightMatrix.ElementSize(a.Type);
        ConversionReference.Narrow(vector, a.Type, cache.Slice(((head * a.MaxLength) + token) * bytes, bytes));
    }
}

/// <summary>Rotation of the pairs of one head.</summary>
internal static class RotaryReference
{
    public static void Run(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin)
    {
        for (int i = 0; i < cos.Length; i++)
        {
            double a = x[2 * i], b = x[(2 * i) + 1];
            x[2 * i] = (float)((a * cos[i]) - (b * sin[i]));
            x[(2 * i) + 1] = (float)((b * cos[i]) + (a * sin[i]));
        }
    }
}
