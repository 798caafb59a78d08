namespace ManagedTransformers;

/// <summary>How a pipeline is loaded.</summary>
public sealed record PipelineOptions
{
    /// <summary>The defaults.</summary>
    public static PipelineOptions Default => field ??= new PipelineOptions();          // lazy: a wrong MTX_KERNELS throws its own message

    /// <summary>Kernel level, threads and strictness of the model.</summary>
    public LoadOptions Load { get; init; } = LoadOptions.Default;

    /// <summary>What the tokenizer's files do not say themselves; null: nothing is missing.</summary>
    public TokenizerLoadOptions? Tokenizer { get; init; }
}
