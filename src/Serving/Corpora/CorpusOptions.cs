namespace ManagedTransformers.Serving;

/// <summary>How the lines of a corpus are read, and what becomes of an output directory that is in use.</summary>
public sealed record CorpusOptions
{
    /// <summary>The defaults.</summary>
    public static CorpusOptions Default => new();

    /// <summary>The property of a line that has its text.</summary>
    public string TextField { get; init; } = "text";

    /// <summary>The property that names a line in the output, a string or a number; null: its line number, from 1.</summary>
    public string? IdField { get; init; }

    /// <summary>How long a shard is, in bytes of the input; it ends at the first line end behind that. What a kill loses is a shard for each worker.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public long ShardBytes { get; init => field = OptionRange.Least(1, value); } = 1 << 20;

    /// <summary>Removes the job that the directory holds and starts anew, instead of going on with the same job and refusing another.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>How far a job is.</summary>
/// <param name="Texts">Texts that are done, those set aside included, of earlier runs too.</param>
/// <param name="SetAside">Those of them that could not be processed.</param>
/// <param name="Bytes">Bytes of the input that are done.</param>
/// <param name="TotalBytes">Bytes of the input.</param>
/// <param name="TextsPerSecond">In this run; 0 before the first.</param>
/// <param name="Remaining">The time that is left at this run's speed; null before it has one.</param>
public readonly record struct CorpusProgress(long Texts, long SetAside, long Bytes, long TotalBytes, double TextsPerSecond, TimeSpan? Remaining)
{
    /// <summary>Whether the input is read for its fingerprint, before the first text; <see cref="Bytes"/> are then those that were read.</summary>
    public bool IsReading { get; init; }
}

/// <summary>What a complete job has.</summary>
/// <param name="Shards">Shards, each with a file.</param>
/// <param name="Computed">Those of them that this run computed; the others were there.</param>
/// <param name="Texts">Lines of the output files.</param>
/// <param name="SetAside">Lines of the input that could not be processed; they are in the poison files with their reasons.</param>
public readonly record struct CorpusTotals(int Shards, int Computed, long Texts, long SetAside);
