namespace ManagedTransformers.Serving;

/// <summary>A part of the input that is computed and written as a whole: whole lines, one after the other.</summary>
/// <param name="Number">From 0.</param>
/// <param name="Offset">Where it begins in the input, in bytes.</param>
/// <param name="Length">Bytes, the last line end included.</param>
/// <param name="FirstLine">The number of its first line, from 1.</param>
internal readonly record struct CorpusShard(int Number, long Offset, long Length, long FirstLine)
{
    /// <summary>Every file of a shard, and of no other job's directory.</summary>
    public static IEnumerable<string> FilesIn(string directory) =>
        Directory.EnumerateFiles(directory, "shard-*.jsonl").Concat(Directory.EnumerateFiles(directory, "poison-*.jsonl"));

    /// <summary>The file with its results. Where it is there, the shard is done.</summary>
    public string FileName => string.Create(CultureInfo.InvariantCulture, $"shard-{Number:00000}.jsonl");

    /// <summary>The file with the lines that could not be processed; there is none where there are no such lines.</summary>
    public string PoisonFileName => string.Create(CultureInfo.InvariantCulture, $"poison-{Number:00000}.jsonl");
}

/// <summary>What a shard that is done has, or a part of it.</summary>
/// <param name="Texts">Lines of its file.</param>
/// <param name="SetAside">Lines of its poison file.</param>
/// <param name="Bytes">The length of its file; while it is counted how far a job is, bytes of the input.</param>
internal readonly record struct ShardCounts(long Texts, long SetAside, long Bytes)
{
    public static ShardCounts operator +(ShardCounts one, ShardCounts other) =>
        new(one.Texts + other.Texts, one.SetAside + other.SetAside, one.Bytes + other.Bytes);
}
