namespace ManagedTransformers.Orleans;

/// <summary>A job over a corpus as its caller asks for it. Paths are those that silos see.</summary>
[GenerateSerializer, Immutable]
internal sealed record CorpusJobRequest
{
    [Id(0)]
    public required string Input { get; init; }

    [Id(1)]
    public required string Directory { get; init; }

    [Id(2)]
    public required string Model { get; init; }

    /// <summary>What is done, by the name of its <see cref="CorpusTask"/>.</summary>
    [Id(3)]
    public required string Task { get; init; }

    /// <summary>The task's options, as <see cref="CorpusTaskJson"/> writes them.</summary>
    [Id(4)]
    public required string Options { get; init; }

    /// <summary>Of likelihoods: what stands before every text.</summary>
    [Id(5)]
    public string? Context { get; init; }

    [Id(6)]
    public required string TextField { get; init; }

    [Id(7)]
    public string? IdField { get; init; }

    [Id(8)]
    public required long ShardBytes { get; init; }

    /// <summary>Shards that a silo computes at a time.</summary>
    [Id(9)]
    public required int Workers { get; init; }

    /// <summary>How lines are read.</summary>
    public CorpusOptions CorpusOptions => new() { TextField = TextField, IdField = IdField, ShardBytes = ShardBytes };
}
