using ManagedTransformers.Hub;

namespace ManagedTransformers.Serving;

/// <summary>Which models a <see cref="ModelHost"/> has, and how it loads them.</summary>
public sealed record ModelHostOptions
{
    /// <summary>Checkpoint directories, which are called by their last name, and <c>org/name</c> of models in the hub's cache. Nothing is downloaded.</summary>
    public required IReadOnlyList<string> Models { get; init; }

    /// <summary>Where models of the hub are; null: where its tools keep them here.</summary>
    public HubCache? Cache { get; init; }

    /// <summary>The most bytes of weights and caches of all loaded models; null: no limit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public long? MemoryBytes { get; init => field = OptionRange.Least(1, value); }

    /// <summary>How models are loaded; ModelId is each model's own.</summary>
    public PipelineOptions Pipeline { get; init; } = PipelineOptions.Default;

    /// <summary>How decoders are shared. Where it sets no CacheBytes, and the host has a limit, a quarter of the limit is each one's.</summary>
    public GenerationEngineOptions Generation { get; init; } = new();

    /// <summary>How encoders are shared.</summary>
    public EncoderEngineOptions Encoder { get; init; } = new();
}

/// <summary>Where a model of a host stands.</summary>
public enum ModelStage
{
    /// <summary>It is not in memory.</summary>
    Unloaded,

    /// <summary>It waits for other loads, or for others to be unloaded.</summary>
    MakingRoom,

    /// <summary>Its files are read.</summary>
    Loading,

    /// <summary>It is in memory.</summary>
    Loaded,

    /// <summary>It is unloaded when its last user has gone.</summary>
    Unloading,
}

/// <summary>A model of a host.</summary>
/// <param name="Id">What it is called.</param>
/// <param name="Stage">Where it stands.</param>
/// <param name="Tasks">What it can do; none where its files cannot be read.</param>
/// <param name="Bytes">Bytes that it takes: its weights and the caches; 0 where it is not in memory.</param>
/// <param name="Users">Leases that are out.</param>
/// <param name="Problem">Why its last load failed, or its files cannot be read; null: nothing is known.</param>
public sealed record ModelStatus(string Id, ModelStage Stage, ModelTasks Tasks, long Bytes, int Users, string? Problem);

/// <summary>A model could not be loaded. The next caller tries again.</summary>
public sealed class ModelLoadException : ManagedTransformersException
{
    /// <summary>An exception that says which model and why.</summary>
    public ModelLoadException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public ModelLoadException(string message, Exception inner) : base(message, inner)
    {
    }
}

/// <summary>A host has no model of that name.</summary>
public sealed class UnknownModelException : ManagedTransformersException
{
    /// <summary>An exception that names the nearest.</summary>
    public UnknownModelException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public UnknownModelException(string message, Exception inner) : base(message, inner)
    {
    }
}
