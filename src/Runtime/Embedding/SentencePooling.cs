namespace ManagedTransformers;

/// <summary>One vector from many; the arithmetic of sentence-transformers' Pooling and Normalize.</summary>
internal static class SentencePooling
{
    /// <summary>[tokens, width] → [modes · width].</summary>
    /// <param name="hidden">The tokens' vectors, [tokens, width].</param>
    /// <param name="width">Numbers of each.</param>
    /// <param name="modes">What is joined.</param>
    /// <param name="first">Where pooling begins: tokens before it are a prompt's. The first token stays what "cls" means.</param>
    public static float[] Pool(ReadOnlySpan<float> hidden, int width, IReadOnlyList<Pooling> modes, int first = 0)
    {
        var pooled = new float[modes.Count * width];
        for (int m = 0; m < modes.Count; m++)
            Pool(hidden, modes[m], first, pooled.AsSpan(m * width, width));
        return pooled;
    }

    /// <summary>Divides by the L2 norm, or by 1e-12 where that is less, as torch.nn.functional.normalize does.</summary>
    public static void Normalize(Span<float> vector)
    {
        double squares = 0;
        foreach (float x in vector)
            squares += (double)x * x;
        Divide(vector, Math.Max((float)Math.Sqrt(squares), 1e-12f));
    }

    private static void Pool(ReadOnlySpan<float> hidden, Pooling mode, int first, Span<float> pooled)
    {
        int width = pooled.Length, tokens = hidden.Length / width;
        switch (mode)
        {
            case Pooling.Cls:
                hidden[..width].CopyTo(pooled);
                break;
            case Pooling.LastToken:
                hidden[^width..].CopyTo(pooled);
                break;
            case Pooling.Max:
                hidden.Slice(first * width, width).CopyTo(pooled);
                for (int t = first + 1; t < tokens; t++)
                    Max(hidden.Slice(t * width, width), pooled);
                break;
            case Pooling.Mean:
                Divide(pooled, Sum(hidden, first, _ => 1, pooled));
                break;
            case Pooling.MeanSqrtLenTokens:
                Divide(pooled, MathF.Sqrt(Sum(hidden, first, _ => 1, pooled)));
                break;
            case Pooling.WeightedMean:
                Divide(pooled, Sum(hidden, first, token => token + 1, pooled));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(mode), $"{mode} is no pooling mode; there are {string.Join(", ", Enum.GetNames<Pooling>())}.");
        }
    }

    /// <summary>pooled = Σ weight(t) · x(t), from token <paramref name="first"/> on.</summary>
    /// <returns>Σ weight(t).</returns>
    private static float Sum(ReadOnlySpan<float> hidden, int first, Func<int, float> weight, Span<float> pooled)
    {
        float weights = 0;
        for (int t = first; t < hidden.Length / pooled.Length; t++)
        {
            float w = weight(t);
            weights += w;
            ReadOnlySpan<float> row = hidden.Slice(t * pooled.Length, pooled.Length);
            for (int i = 0; i < pooled.Length; i++)
                pooled[i] += w * row[i];
        }
        return weights;
    }

    private static void Max(ReadOnlySpan<float> row, Span<float> most)
    {
        for (int i = 0; i < most.Length; i++)
            most[i] = Math.Max(most[i], row[i]);
    }

    private static void Divide(Span<float> vector, float by)
    {
        foreach (ref float x in vector)
            x /= by;
    }
}
