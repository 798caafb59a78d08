using System.Text.Json;

namespace ManagedTransformers.Serving;

/// <summary>Computes shards and writes their files. What is in them depends on the input, the task and the options alone: texts go through the model with the
/// same others in any run. Thread-safe.</summary>
/// <param name="input">Where the texts are.</param>
/// <param name="task">What is done with them.</param>
/// <param name="options">How lines are read.</param>
/// <param name="directory">Where the files go.</param>
internal sealed class ShardWriter(CorpusFile input, CorpusTask task, CorpusOptions options, string directory)
{
    private const long ChunkBytes = 4 << 20;               // of texts that are in memory at a time

    /// <summary>Computes a shard and writes its files, which have their names when they are published.</summary>
    /// <param name="shard">Which one.</param>
    /// <param name="report">Told after each chunk what it had: texts, lines set aside, bytes of the input.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model; nothing is left of the shard then.</param>
    /// <exception cref="CorpusException">The input changed.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public WrittenShard Write(CorpusShard shard, Action<ShardCounts> report, CancellationToken cancellationToken)
    {
        input.RequireUnchanged();
        using var lines = new CorpusLines(input, shard);
        var results = new JsonLinesFile(Path.Combine(directory, shard.FileName));
        var poison = new JsonLinesFile(Path.Combine(directory, shard.PoisonFileName));
        var written = new WrittenShard(shard, results, poison);
        try
        {
            foreach (Chunk chunk in Chunks(lines))
            {
                cancellationToken.ThrowIfCancellationRequested();
                WriteResults(chunk, results, cancellationToken);
                foreach (PoisonLine line in chunk.Poison.OrderBy(line => line.Line))
                    poison.Add(json => WritePoison(json, line));
                report(new ShardCounts(chunk.Texts.Count, chunk.Poison.Count, chunk.Bytes));
            }
            input.RequireUnchanged();
            cancellationToken.ThrowIfCancellationRequested();
            results.Complete(evenEmpty: true);
            poison.Complete(evenEmpty: false);
            return written;
        }
        catch
        {
            written.Dispose();
            throw;
        }
    }

    private IEnumerable<Chunk> Chunks(CorpusLines lines)
    {
        var chunk = new Chunk();
        while (lines.Read())
        {
            try
            {
                if (CorpusText.Of(lines, options) is CorpusText text) chunk.Texts.Add(text);
            }
            catch (PoisonException e)
            {
                chunk.Poison.Add(new PoisonLine(lines.Number, e.Id, e.Message));
            }
            chunk.Bytes += lines.LineBytes;
            if (chunk.Texts.Count + chunk.Poison.Count < task.ChunkTexts && chunk.Bytes < ChunkBytes) continue;
            yield return chunk;
            chunk = new Chunk();
        }
        if (chunk.Bytes > 0) yield return chunk;
    }

    private void WriteResults(Chunk chunk, JsonLinesFile results, CancellationToken cancellationToken)
    {
        Action<Utf8JsonWriter, int> write;
        try
        {
            write = Compute();
        }
        catch (Exception e) when (IsOfText(e))
        {
            // The rows of a batch fail together. Which texts it was is found without a pass of the model.
            if (chunk.Texts.RemoveAll(text => IsPoison(text, chunk.Poison, cancellationToken)) == 0) throw;
            write = Compute();
        }
        foreach ((int i, CorpusText text) in chunk.Texts.Index())
        {
            results.Add(json =>
            {
                json.WritePropertyName("id"u8);
                json.WriteRawValue(text.Id);
                write(json, i);
            });
        }

        Action<Utf8JsonWriter, int> Compute() =>
            chunk.Texts.Count == 0 ? (_, _) => { } : task.Run([.. chunk.Texts.Select(text => text.Text)], cancellationToken);
    }

    private bool IsPoison(CorpusText text, List<PoisonLine> poison, CancellationToken cancellationToken)
    {
        try
        {
            task.Require(text.Text, cancellationToken);
            return false;
        }
        catch (Exception e) when (IsOfText(e))
        {
            poison.Add(new PoisonLine(text.Line, text.Id, e.Message));
            return true;
        }
    }

    private static bool IsOfText(Exception e) => e is ModelInputException or TokenizerException;

    private static void WritePoison(Utf8JsonWriter json, PoisonLine line)
    {
        json.WriteNumber("line"u8, line.Line);
        json.WritePropertyName("id"u8);
        json.WriteRawValue(line.Id ?? "null");
        json.WriteString("reason"u8, line.Reason);
    }

    /// <summary>Lines that are computed together.</summary>
    private sealed class Chunk
    {
        public List<CorpusText> Texts { get; } = [];
        public List<PoisonLine> Poison { get; } = [];
        public long Bytes { get; set; }
    }
}

/// <summary>A shard whose files are complete and on the disk, and wait for their names. What has none when this is disposed is removed.</summary>
internal sealed class WrittenShard(CorpusShard shard, JsonLinesFile results, JsonLinesFile poison) : IDisposable
{
    public CorpusShard Shard => shard;

    /// <summary>What the files have.</summary>
    public ShardCounts Counts => new(results.Count, poison.Count, results.Bytes);

    /// <summary>Where the results lie.</summary>
    public string ResultsPath => results.TemporaryPath!;

    /// <summary>Where the lines that were set aside lie; null: there are none.</summary>
    public string? PoisonPath => poison.TemporaryPath;

    public void Dispose()
    {
        results.Dispose();
        poison.Dispose();
    }
}
