namespace ManagedTransformers.Extensions.AI;

/// <summary>How an app holds a model: how it is loaded, when, and how many calls run on it at once.</summary>
/// <remarks>In a configuration the members have these names, those of <see cref="Pipeline"/> too: <c>Load:Kernels:MaxThreads</c>.</remarks>
public sealed record HostedModelOptions
{
    /// <summary>Kernel level, threads, weight format, tokenizer; null: the defaults.</summary>
    public PipelineOptions? Pipeline { get; init; }

    /// <summary>Prompt, pooling and the like of an embedding generator's calls that do not say theirs by RawRepresentationFactory; null: what the checkpoint
    /// says.</summary>
    public EmbeddingOptions? Embedding { get; init; }

    /// <summary>When the model is loaded.</summary>
    public WarmUp WarmUp { get; init; } = WarmUp.Background;

    /// <summary>How many calls, or merged batches of an embedding generator, run at once; others wait. Null: 1 for an embedding generator, whose batch uses
    /// all threads, else one per processor. More batches at once pay where KernelOptions.MaxThreads gives each a part of the processors.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? MaxConcurrency { get; init => field = OptionRange.Least(1, value); }

    /// <summary>The most texts that an embedding generator joins into one batch; fewer where they have more than
    /// <see cref="ManagedTransformers.Serving.EncoderEngineOptions.MaxBatchTokens"/> tokens.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int MaxBatchSize { get; init => field = OptionRange.Least(1, value); } = 32;

    /// <summary>Told how loading goes on, from the thread that loads; null: nobody is.</summary>
    public IProgress<ModelLoadProgress>? Progress { get; init; }
}

/// <summary>When a model is loaded. Whoever asks for it earlier waits until it is there.</summary>
public enum WarmUp
{
    /// <summary>From the start of the host on, while the app already runs; an error is logged, and shown by the health check.</summary>
    Background,

    /// <summary>Before the host has started: the app takes no request without it, and a model that cannot be loaded ends the app.</summary>
    BeforeStart,

    /// <summary>By the first call that needs it.</summary>
    None,
}

/// <summary>What a model is doing.</summary>
public enum HostedModelState
{
    /// <summary>Nobody has asked for it yet.</summary>
    NotLoaded,

    /// <summary>It is being loaded.</summary>
    Loading,

    /// <summary>It answers.</summary>
    Ready,

    /// <summary>It could not be loaded; the next call tries again.</summary>
    Failed,

    /// <summary>Its files are no longer those that were loaded; calls throw <see cref="ModelChangedException"/>.</summary>
    Changed,
}

/// <summary>How far loading is.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Stage">What is being done.</param>
/// <param name="BytesRead">Bytes of weight files that are in memory.</param>
/// <param name="TotalBytes">Bytes of weight files.</param>
public sealed record ModelLoadProgress(string Model, ModelLoadStage Stage, long BytesRead, long TotalBytes);

/// <summary>The steps of loading, in order.</summary>
public enum ModelLoadStage
{
    /// <summary>Weight files are read from disk into the system's cache, from which they are mapped.</summary>
    Reading,

    /// <summary>Configuration, tokenizer and weights are checked; weights are quantized where that was asked for.</summary>
    Opening,

    /// <summary>A first short text runs through the model, so that its code is compiled.</summary>
    WarmingUp,

    /// <summary>All is done.</summary>
    Ready,
}

/// <summary>The files of a model were changed, replaced or deleted while it is in use.</summary>
/// <remarks>Weights are mapped, not copied: a file that is overwritten in place changes the answers of a running model. Put a new version into a directory of
/// its own, and start the app again with it.</remarks>
public sealed class ModelChangedException : ManagedTransformersException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public ModelChangedException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public ModelChangedException(string message, Exception inner) : base(message, inner)
    {
    }
}
