namespace ManagedTransformers.Orleans;

/// <summary>What a silo says of a model to the model's directory.</summary>
[GenerateSerializer, Immutable]
internal sealed record SiloReport
{
    [Id(0)]
    public required SiloAddress Silo { get; init; }

    /// <summary>Grows with every report of the silo.</summary>
    [Id(1)]
    public required long Version { get; init; }

    [Id(2)]
    public required string Name { get; init; }

    [Id(3)]
    public required string Fingerprint { get; init; }

    [Id(4)]
    public required string KernelLevel { get; init; }

    [Id(5)]
    public bool IsLoaded { get; init; }

    [Id(6)]
    public int Running { get; init; }

    [Id(7)]
    public int Waiting { get; init; }

    /// <summary>Bytes that the model takes, loaded or not.</summary>
    [Id(8)]
    public long NeededBytes { get; init; }

    /// <summary>Bytes for models, without those of models in use.</summary>
    [Id(9)]
    public long FreeBytes { get; init; }

    /// <summary>Blocks of prompts in the cache, <see cref="PrefixBlocks"/>.</summary>
    [Id(10)]
    public ulong[] Prefixes { get; init; } = [];

    /// <summary>The next report comes within this time.</summary>
    [Id(11)]
    public TimeSpan Interval { get; init; }

    /// <summary>Texts that can run at once.</summary>
    [Id(12)]
    public int Rows { get; init; }

    /// <summary>Requests that may wait.</summary>
    [Id(13)]
    public int Queue { get; init; }

    /// <summary>What the model can do: <see cref="ModelTasks"/>.</summary>
    [Id(14)]
    public int Tasks { get; init; }

    /// <summary>The state of its engine as JSON, for those who look; null: it is no decoder, or not in memory.</summary>
    [Id(15)]
    public string? Generation { get; init; }

    /// <inheritdoc cref="Generation"/>
    [Id(16)]
    public string? Encoder { get; init; }
}

/// <summary>A silo in a directory, for those who look.</summary>
[GenerateSerializer, Immutable]
internal sealed record DirectoryLine([property: Id(0)] SiloReport Report, [property: Id(1)] string? Problem);

/// <summary>A directory, for those who look.</summary>
/// <param name="Lines">The silos, by name.</param>
/// <param name="IsComplete">Whether all silos have reported to it. One whose silo is lost begins anew on another one, and knows nobody at first.</param>
[GenerateSerializer, Immutable]
internal sealed record DirectoryReports([property: Id(0)] DirectoryLine[] Lines, [property: Id(1)] bool IsComplete);

/// <summary>Where a request goes, as its caller hears it.</summary>
[GenerateSerializer, Immutable]
internal sealed record SiloChoice(
    [property: Id(0)] SiloAddress Silo, [property: Id(1)] string Fingerprint, [property: Id(2)] string KernelLevel,
    [property: Id(3)] PlacementReason Reason, [property: Id(4)] int Tokens);

/// <summary>A model on a silo of a cluster.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Address">Its address, which no other silo ever has.</param>
/// <param name="Fingerprint">Of the model's files and the runtime there.</param>
/// <param name="KernelLevel">Of its processor.</param>
[GenerateSerializer, Immutable]
public sealed record ClusterSilo(
    [property: Id(0)] string Name, [property: Id(1)] string Address, [property: Id(2)] string Fingerprint, [property: Id(3)] string KernelLevel)
{
    /// <summary>Whether the model is in memory there.</summary>
    [Id(4)]
    public bool IsLoaded { get; init; }

    /// <summary>Texts that run there.</summary>
    [Id(5)]
    public int Running { get; init; }

    /// <summary>Requests that wait there.</summary>
    [Id(6)]
    public int Waiting { get; init; }

    /// <summary>Blocks of 64 tokens that its cache can give to other prompts, as far as the directory notes them.</summary>
    [Id(7)]
    public int CachedBlocks { get; init; }

    /// <summary>Why it gets no requests; null: it does.</summary>
    [Id(8)]
    public string? Problem { get; init; }
}
