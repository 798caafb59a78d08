namespace ManagedTransformers.Server;

/// <summary>What a server serves, and within which limits.</summary>
public sealed record ServerOptions
{
    /// <summary>Checkpoint directories, and <c>org/name</c> of models in the hub's cache; at least one. Nothing is downloaded.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Whether all models are loaded at the start; else each by its first request.</summary>
    public bool Preload { get; init; }

    /// <summary>The keys, one of which a request must have as <c>Authorization: Bearer KEY</c>; none: anybody may ask.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>Where pages come from that may ask, such as <c>http://localhost:3000</c>; <c>*</c>: any; none: browsers refuse pages from elsewhere.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];

    /// <summary>The most bytes of a request's body.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public long MaxBodyBytes { get; init => field = OptionRange.Least(1, value); } = 8 << 20;

    /// <summary>The most prompts or texts of a request.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int MaxInputs { get; init => field = OptionRange.Least(1, value); } = 2048;

    /// <summary>How long a request may take; null: as long as it does.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>The most bytes of weights and caches of all loaded models; null: no limit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public long? MemoryBytes { get; init => field = OptionRange.Least(1, value); }

    /// <summary>Whether the bodies of requests are logged, with the texts in them.</summary>
    public bool LogTexts { get; init; }

    /// <summary>How models are loaded.</summary>
    public PipelineOptions Pipeline { get; init; } = PipelineOptions.Default;

    /// <summary>How decoders are shared.</summary>
    public GenerationEngineOptions Generation { get; init; } = new();

    /// <summary>How encoders are shared.</summary>
    public EncoderEngineOptions Encoder { get; init; } = new();

    internal ModelHostOptions ToHost() => new()
    {
        Models = Models, MemoryBytes = MemoryBytes, Pipeline = Pipeline, Generation = Generation, Encoder = Encoder,
    };
}
