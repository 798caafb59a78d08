using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Cli;

/// <summary>A file of samples that grows line by line, and that a later run continues.</summary>
internal sealed class SampleFile : IDisposable
{
    private const byte LineBreak = (byte)'\n';

    // How every line begins that this program writes.
    private static readonly byte[] Beginning = [.. "{\"task_id\":\""u8];

    private readonly FileStream _stream;
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    /// <summary>Opens a file, or makes it. Nothing in it changes unless it holds samples of these problems and nothing else.</summary>
    /// <param name="path">The file.</param>
    /// <param name="problems">The problems.</param>
    /// <exception cref="FormatException">It holds something else.</exception>
    public SampleFile(string path, IReadOnlyList<Problem> problems)
    {
        // Readers may look; a second run on the same file may not write.
        _stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            byte[] bytes = new byte[_stream.Length];
            _stream.ReadExactly(bytes);
            KeepWholeLines(path, bytes, [.. problems.Select(problem => problem.TaskId)]);
            SystemCalls.FlushDirectory(Path.GetDirectoryName(RealPath.Of(path))!);
        }
        catch
        {
            _stream.Dispose();
            throw;
        }
    }

    /// <summary>How many samples of a problem the file had when it was opened.</summary>
    public int Count(string taskId) => _counts.GetValueOrDefault(taskId);

    /// <summary>Adds a line; it is on the disk when this returns.</summary>
    public void Append(string line)
    {
        _stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
        _stream.Flush(flushToDisk: true);
    }

    public void Dispose() => _stream.Dispose();

    private void KeepWholeLines(string path, byte[] bytes, HashSet<string> known)
    {
        int number = 0, end = 0;
        for (int stop; (stop = Array.IndexOf(bytes, LineBreak, end)) >= 0; end = stop + 1)
        {
            number++;
            if (stop > end)
                CountSample(path, number, bytes.AsSpan(end, stop - end), known);
        }
        ReadOnlySpan<byte> rest = bytes.AsSpan(end);
        bool torn = !rest.IsEmpty && IsTorn(rest);
        if (!rest.IsEmpty && !torn)
            CountSample(path, number + 1, rest, known);
        _stream.SetLength(torn ? end : bytes.Length);
        _stream.Seek(0, SeekOrigin.End);
        if (!rest.IsEmpty && !torn)
            _stream.WriteByte(LineBreak);       // the run before this one ended between a line and its break
    }

    private void CountSample(string path, int number, ReadOnlySpan<byte> bytes, HashSet<string> known)
    {
        string where = $"{path}, line {number}";
        var line = new JsonLine(where, Utf8Input.Require(Utf8Input.Encoding.GetString(bytes), where));
        if (line.Find("task_id") is not JsonElement taskId || line.Find("completion") is null)
            throw line.Error("is no sample, which has task_id and completion. Name another file with --out, or remove this one");
        string name = line.Text("task_id", taskId);
        if (!known.Contains(name))
            throw line.Error($"is a sample of {name}, which is not among the problems. Name another file with --out, or the problems that it was made from");
        _counts[name] = Count(name) + 1;
    }

    /// <summary>Whether the last line, which has no line break, is one that was begun here and not finished; anything else is not ours to remove.</summary>
    private static bool IsTorn(ReadOnlySpan<byte> line)
    {
        int common = Math.Min(line.Length, Beginning.Length);
        if (!line[..common].SequenceEqual(Beginning.AsSpan(0, common)))
            return false;
        try
        {
            var reader = new Utf8JsonReader(line, isFinalBlock: false, state: default);
            return !JsonDocument.TryParseValue(ref reader, out _);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
