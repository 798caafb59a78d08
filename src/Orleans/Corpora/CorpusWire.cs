namespace ManagedTransformers.Orleans;

/// <summary>A silo that takes part in a job: what it would compute, and which input it sees.</summary>
[GenerateSerializer, Immutable]
internal sealed record CorpusSilo
{
    [Id(0)]
    public required SiloAddress Silo { get; init; }

    [Id(1)]
    public required string Name { get; init; }

    /// <summary>The job that it works for.</summary>
    [Id(2)]
    public required CorpusJobRequest Request { get; init; }

    [Id(3)]
    public required string ModelId { get; init; }

    /// <summary>What changes a bit of the output (<see cref="CorpusTask.Settings"/>).</summary>
    [Id(4)]
    public required (string Name, string? Value)[] Settings { get; init; }

    [Id(5)]
    public required CorpusInputView Input { get; init; }
}

/// <summary>The input as a machine sees it.</summary>
[GenerateSerializer, Immutable]
internal sealed record CorpusInputView([property: Id(0)] long Length, [property: Id(1)] DateTime Written, [property: Id(2)] string Head)
{
    /// <exception cref="IOException">It cannot be read.</exception>
    public static CorpusInputView Of(CorpusFile file) => new(file.Length, file.Written, file.HashHead());

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Length} bytes of {Written:yyyy-MM-dd HH:mm:ss.fff} that begin with {Head}");
}

/// <summary>A shard that a worker has.</summary>
/// <param name="Worker">The worker.</param>
/// <param name="Number">The shard's number.</param>
/// <param name="Offset">Where it begins in the input.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="FirstLine">The number of its first line.</param>
/// <param name="Fingerprint">Of the job.</param>
[GenerateSerializer, Immutable]
internal sealed record CorpusClaim(
    [property: Id(0)] Guid Worker, [property: Id(1)] int Number, [property: Id(2)] long Offset, [property: Id(3)] long Length,
    [property: Id(4)] long FirstLine, [property: Id(5)] string Fingerprint)
{
    public CorpusShard Shard => new(Number, Offset, Length, FirstLine);
}

/// <summary>What of a shard is done, or all of it.</summary>
[GenerateSerializer, Immutable]
internal sealed record CorpusCounts([property: Id(0)] long Texts, [property: Id(1)] long SetAside, [property: Id(2)] long Bytes)
{
    public static CorpusCounts Of(ShardCounts counts) => new(counts.Texts, counts.SetAside, counts.Bytes);

    public ShardCounts Read() => new(Texts, SetAside, Bytes);
}

/// <summary>What a worker hears.</summary>
internal enum CorpusOrder
{
    /// <summary>Go on: with the shard that comes with it, or with the one that it has.</summary>
    Compute,

    /// <summary>Ask again in a moment.</summary>
    Wait,

    /// <summary>The job is not known here yet: the silo that knew it was lost. Ask again in a moment, for some time.</summary>
    Unknown,

    /// <summary>Let go of the shard; to who asked for one: of the job.</summary>
    End,
}

/// <summary>The answer to who asks for a shard.</summary>
[GenerateSerializer, Immutable]
internal sealed record CorpusAnswer([property: Id(0)] CorpusOrder Order, [property: Id(1)] CorpusClaim? Claim = null);

/// <summary>Where a job is, as its caller hears it.</summary>
[GenerateSerializer, Immutable]
internal sealed record CorpusJobStatus
{
    /// <summary>Of the job; null while the input is read.</summary>
    [Id(0)]
    public string? Fingerprint { get; init; }

    /// <summary>Texts, set aside, bytes, bytes in all.</summary>
    [Id(1)]
    public long[] Counts { get; init; } = [0, 0, 0, 0];

    [Id(2)]
    public double TextsPerSecond { get; init; }

    [Id(3)]
    public TimeSpan? Remaining { get; init; }

    [Id(4)]
    public bool IsReading { get; init; }

    /// <summary>Of a complete job: shards, texts, set aside.</summary>
    [Id(5)]
    public long[]? Totals { get; init; }

    /// <summary>Shards that were not done when this run began.</summary>
    [Id(6)]
    public int ToCompute { get; init; }

    /// <summary>Silos that take no part, with their reasons.</summary>
    [Id(7)]
    public string[] Refused { get; init; } = [];

    public CorpusProgress Progress => new(Counts[0], Counts[1], Counts[2], Counts[3], TextsPerSecond, Remaining) { IsReading = IsReading };
}
