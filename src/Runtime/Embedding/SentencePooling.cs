namespace ManagedTransformers;

/// <summary>One vector from many; the arithmetic of sentence-transformers' Pooling and Normalize.</summary>
internal static class SentencePooling
{
    /// <summary>[tokens, width] → [width].</summary>
    public static float[] Pool(ReadOnlySpan<float> hidden, int width, Pooling pooling)
    {
        float[] pooled = hidden[..width].ToArray();
        if (pooling == Pooling.Cls)
            return pooled;
        int tokens = hidden.Length / width;
        for (int t = 1; t < tokens; t++)
        {
            ReadOnlySpan<float> row = hidden.Slice(t * width, width);
            for (int i = 0; i < width; i++)
                pooled[i] = pooling == Pooling.Mean ? pooled[i] + row[i] : Math.Max(pooled[i], row[i]);
        }
        if (pooling == Pooling.Mean)
            Divide(pooled, tokens);
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

    private static void Divide(Span<float> vector, float by)
    {
        foreach (ref float x in vector)
            x /= by;
    }
}
