namespace ManagedTransformers;

/// <summary>How the vectors of a text's tokens become one; several at once give their vectors one after the other.</summary>
/// <remarks>The modes of sentence-transformers' Pooling, in the order in which its older files join them.</remarks>
public enum Pooling
{
    /// <summary>The first token's; "cls".</summary>
    Cls,

    /// <summary>The greatest value of each component; "max".</summary>
    Max,

    /// <summary>Their mean, special tokens included; "mean".</summary>
    Mean,

    /// <summary>Their sum, divided by the square root of their number; "mean_sqrt_len_tokens".</summary>
    MeanSqrtLenTokens,

    /// <summary>Their mean, the n-th token counting n times; "weightedmean". Muennighoff 2022, arXiv:2202.08904.</summary>
    WeightedMean,

    /// <summary>The last token's; "lasttoken".</summary>
    LastToken,
}

/// <summary>Under which names files have them.</summary>
internal static class PoolingNames
{
    /// <summary>Each with its word in <c>pooling_mode</c> and its switch in files of sentence-transformers before 5.4.</summary>
    public static readonly (Pooling Mode, string Word, string Switch)[] All =
    [
        (Pooling.Cls, "cls", "pooling_mode_cls_token"),
        (Pooling.Max, "max", "pooling_mode_max_tokens"),
        (Pooling.Mean, "mean", "pooling_mode_mean_tokens"),
        (Pooling.MeanSqrtLenTokens, "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"),
        (Pooling.WeightedMean, "weightedmean", "pooling_mode_weightedmean_tokens"),
        (Pooling.LastToken, "lasttoken", "pooling_mode_lasttoken"),
    ];
}
