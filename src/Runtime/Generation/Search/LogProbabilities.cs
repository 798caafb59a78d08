using ManagedTransformers.Kernels;

namespace ManagedTransformers;

/// <summary>log softmax of one row of scores: ln p_i = s_i − ln Σ exp(s_j).</summary>
/// <param name="LogSum">ln Σ exp(s_j).</param>
/// <param name="Top">The most probable tokens, best first.</param>
internal readonly record struct LogProbabilities(double LogSum, IReadOnlyList<(int TokenId, double LogProbability)> Top)
{
    /// <summary>ln p of a token with this score.</summary>
    public double At(float score) => score - LogSum;

    /// <summary>Of the model's scores, with the <paramref name="top"/> best tokens.</summary>
    public static LogProbabilities Of(ReadOnlySpan<float> scores, int top)
    {
        double logSum = Softmax.LogSumExp(scores, KernelOptions.Default);
        if (top == 0)
            return new LogProbabilities(logSum, []);
        var best = new (int TokenId, double LogProbability)[Math.Min(top, scores.Length)];
        int[] ids = Ranking.Best(scores, best.Length);
        for (int i = 0; i < best.Length; i++)
            best[i] = (ids[i], scores[ids[i]] - logSum);
        return new LogProbabilities(logSum, best);
    }
}
