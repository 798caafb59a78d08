namespace ManagedTransformers.Kernels;


/// <summary>Queries, keys and values of one token at a time.</summary>
internal static class SplitHeadsReference
{
    public static void Run(in SplitHeadsArguments a)
    {
        (HeadLayout queries, HeadLayout keys, HeadLayout values) = (a.Query.Layout, a.Key.Layout, a.Value.Layout);
        RotaryPairs pairs = a.Rotary is null ? default : a.Rotary.Pairs;
        for (int i = 0; i < a.Tokens; i++)
        {
            int position = a.Rotary is null ? 0 : a.Positions[i];
            ReadOnlySpan<float> cos = a.Rotary is null ? [] : a.Rotary.Cos(position);
            ReadOnlySpan<float> sin = a.Rotary is null ? [] : a.Rotary.Sin(position);
            Span<float> row = a.Query.Row(i);
            for (int head = 0; head < queries.Heads; head++)
            {
                Span<float> q = queries.Of(row, head);
                RotaryReference.Run(q, cos, sin, pairs);
                q.CopyTo(a.Q[(((i * queries.Heads) + head) * queries.HeadDim)..]);
            }
            for (int head = 0; head < keys.Heads; head++)
            {
                Span<float> k = keys.Of(a.Key.Row(i), head);
                Span<float> v = values.Of(a.Value.Row(i), head);
                RotaryReference.Run(k, cos, sin, pairs);
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
    public static void Run(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, RotaryPairs pairs)
    {
        for (int i = 0; i < cos.Length; i++)
        {
            (int first, int second) = pairs == RotaryPairs.Halves ? (i, i + cos.Length) : (2 * i, (2 * i) + 1);
            double a = x[first], b = x[second];
            x[first] = (float)((a * cos[i]) - (b * sin[i]));
            x[second] = (float)((b * cos[i]) + (a * sin[i]));
        }
    }
}
