namespace ManagedTransformers.Kernels;

/// <summary>Attention as the paper writes it: one query of one head at a time.</summary>
internal static class AttentionReference
{
    public static void Run(in AttentionArguments a)
    {
        double[] row = new double[a.Keys];                           // one query's scores, then their softmax
        for (int h = 0; h < a.Heads; h++)
        {
            for (int i = 0; i < a.Queries; i++)
            {
                Scores(a, h, i, scores: row);
                Softmax(a, i, row);
                Weigh(a, h, i, p: row);
            }
        }
    }

    // scores[j] = q · k[j] · scale + bias, for query i of head h
    private static void Scores(in AttentionArguments a, int h, int i, double[] scores)
    {
        ReadOnlySpan<float> q = a.Q.Slice((i * a.QTokenStride) + (h * a.QHeadStride), a.HeadDim);
        for (int j = 0; j < a.Keys; j++)
        {
            double dot = 0;
            for (int d = 0; d < a.HeadDim; d++) dot += (double)q[d] * a.Key(h, j, d);
            scores[j] = (dot * a.Scale) + a.BiasOf(h, i, j);
        }
    }

    // row = softmax(row) over the visible keys, 0 elsewhere; all equal where none is visible
    private static void Softmax(in AttentionArguments a, int i, double[] row)
    {
        double max = double.NegativeInfinity;
        int visible = 0;
        for (int j = 0; j < a.Keys; j++)
        {
            if (!IsVisible(a, i, j)) continue;
            visible++;
            max = Math.Max(max, row[j]);
        }
        double sum = 0;
        for (int j = 0; j < a.Keys; j++)
        {
            if (visible == 0) row[j] = 1;
            else row[j] = IsVisible(a, i, j) ? Math.Exp(row[j] - max) : 0;
            sum += row[j];
        }
        for (int j = 0; j < a.Keys; j++)
        {
            // a hidden key stays at exactly 0, also in a row that NaN has spoiled
            if (visible == 0 || IsVisible(a, i, j)) row[j] /= sum;
        }
    }

    // output = Σ p[j] · v[j], for query i of head h
    private static void Weigh(in AttentionArguments a, int h, int i, double[] p)
    {
        double headMask = a.HeadMask.IsEmpty ? 1 : a.HeadMask[h];
        bool anyVisible = AnyVisible(a, i);
        Span<float> output = a.Output.Slice(((i * a.Heads) + h) * a.HeadDim, a.HeadDim);
        for (int d = 0; d < a.HeadDim; d++)
        {
            double sum = 0;
            for (int j = 0; j < a.Keys; j++)
            {
                if (anyVisible && !IsVisible(a, i, j)) continue;   // not 0 · v: v may be NaN
                sum += p[j] * headMask * a.Value(h, j, d);
            }
            output[d] = (float)sum;
        }
        if (a.Probabilities.IsEmpty) return;
        for (int j = 0; j < a.Keys; j++)
            a.Probabilities[(((h * a.Queries) + i) * a.Keys) + j] = (float)(p[j] * headMask);
    }

    private static bool IsVisible(in AttentionArguments a, int i, int j) =>
        (a.KeyMask.IsEmpty || a.KeyMask[j] != 0) && (!a.Causal || j <= a.Keys - a.Queries + i);

    private static bool AnyVisible(in AttentionArguments a, int i)
    {
        for (int j = 0; j < a.Keys; j++)
        {
            if (IsVisible(a, i, j)) return true;
        }
        return false;
    }
}
