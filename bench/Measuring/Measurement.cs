using System.Text.Json.Serialization;

namespace ManagedTransformers.Bench;

/// <summary>What a work was timed against.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PeerKind>))]
internal enum PeerKind
{
    /// <summary>The machine: the same arithmetic or reading alone.</summary>
    Limit,

    /// <summary>Ours in another form: on one thread, from other weights, without what is measured.</summary>
    Ours,

    /// <summary>Another program or library.</summary>
    Other,
}

/// <summary>One line of the results; what does not apply is null and left out of the JSON.</summary>
internal sealed record Measurement
{
    public required string Work { get; init; }

    public required string Machine { get; init; }

    public required int Threads { get; init; }

    public string? Level { get; init; }

    public double? MedianMs { get; init; }

    public double? BestMs { get; init; }

    public double? TokensPerS { get; init; }

    public double? Gflops { get; init; }

    public double? ReadGbPerS { get; init; }

    /// <summary>FMA or read: whichever of the two keeps the work from being faster.</summary>
    public string? Limit { get; init; }

    /// <summary>The least possible time over the median.</summary>
    public double? ShareOfLimit { get; init; }

    public int? Runs { get; init; }

    /// <summary>The share of all cores that other processes used meanwhile.</summary>
    public double? OtherCpu { get; init; }

    /// <summary>What part of the library it is about; null for the machine's limits.</summary>
    public string? Area { get; init; }

    public string? Peer { get; init; }

    public PeerKind? PeerKind { get; init; }

    public double? PeerMedianMs { get; init; }

    public double? PeerBestMs { get; init; }

    /// <summary>How many times as fast as the peer we are: the median over pairs of peer's time / our time.</summary>
    public double? Ratio { get; init; }

    /// <summary>The largest difference between the peer's output and ours, over the largest magnitude of ours.</summary>
    public double? OutputDifference { get; init; }

    /// <summary>FLOP per byte of weights read: the place on the roofline.</summary>
    public double? Intensity { get; init; }

    /// <summary>The most memory that the process had at once, files that were mapped included, in 2²⁰ bytes.</summary>
    public double? LargestResidentMb { get; init; }

    public string? Note { get; init; }
}
