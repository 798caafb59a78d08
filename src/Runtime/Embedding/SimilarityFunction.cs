namespace ManagedTransformers;

/// <summary>How alike two vectors are; more is more alike.</summary>
/// <remarks>sentence-transformers' similarity_fn_name.</remarks>
public enum SimilarityFunction
{
    /// <summary>a · b / (|a| |b|), −1 … 1; "cosine".</summary>
    Cosine,

    /// <summary>a · b; "dot".</summary>
    Dot,

    /// <summary>−|a − b|; "euclidean".</summary>
    Euclidean,

    /// <summary>−Σ |aᵢ − bᵢ|; "manhattan".</summary>
    Manhattan,
}

/// <summary>The arithmetic of <see cref="SimilarityFunction"/>, in doubles.</summary>
internal static class VectorSimilarity
{
    /// <summary>How alike two vectors of one length are; a vector of zeros has a cosine of 0 with any.</summary>
    public static double Of(ReadOnlySpan<float> a, ReadOnlySpan<float> b, SimilarityFunction function) => function switch
    {
        SimilarityFunction.Cosine => Dot(a, b) / Math.Max(Math.Sqrt(Dot(a, a) * Dot(b, b)), 1e-24),
        SimilarityFunction.Dot => Dot(a, b),
        SimilarityFunction.Euclidean => -Distance(a, b, difference => difference * difference, Math.Sqrt),
        SimilarityFunction.Manhattan => -Distance(a, b, Math.Abs, sum => sum),
        _ => throw new ArgumentOutOfRangeException(
            nameof(function), $"{function} is no similarity; there are {string.Join(", ", Enum.GetNames<SimilarityFunction>())}."),
    };

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }

    private static double Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Func<double, double> term, Func<double, double> whole)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += term((double)a[i] - b[i]);
        return whole(sum);
    }
}
