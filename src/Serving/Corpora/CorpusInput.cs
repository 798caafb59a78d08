using System.Security.Cryptography;

namespace ManagedTransformers.Serving;

/// <summary>A file with a line for each text: what tells it from another one, and where it is cut into shards. It is read once for both, front to
/// back.</summary>
internal sealed class CorpusInput
{
    private const byte LineEnd = (byte)'\n';
    private const int BufferBytes = 1 << 20;

    private readonly DateTime _written;

    private CorpusInput(string path, long length, DateTime written, string sha256, CorpusShard[] shards) =>
        (Path, Length, _written, Sha256, Shards) = (path, length, written, sha256, shards);

    /// <summary>Its absolute path.</summary>
    public string Path { get; }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>Hexadecimal digits of all its bytes.</summary>
    public string Sha256 { get; }

    /// <summary>Its parts, in order; none where it is empty.</summary>
    public IReadOnlyList<CorpusShard> Shards { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="shardBytes">A shard ends at the first line end at or behind this many bytes.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="CorpusException">It is a pipe or a device, which cannot be read again, or changes while it is read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static CorpusInput Read(string path, long shardBytes, CancellationToken cancellationToken = default)
    {
        path = System.IO.Path.GetFullPath(path);
        if (File.Exists(path) && SystemCalls.IsOrdinaryFile(path) == false)
            throw new CorpusException($"{path} is a pipe or a device, which cannot be read again when the job goes on after a kill. Save it as a file first.");
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        DateTime written = File.GetLastWriteTimeUtc(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var cuts = new Cuts(shardBytes);
        var buffer = new byte[BufferBytes];
        for (int count; (count = file.Read(buffer)) > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, count);
            cuts.Add(buffer.AsSpan(0, count));
        }
        CorpusShard[] shards = cuts.End();
        var input = new CorpusInput(path, cuts.Length, written, Convert.ToHexStringLower(hash.GetHashAndReset()), shards);
        input.RequireUnchanged();
        return input;
    }

    /// <summary>Notices that the file is no longer the one that was read.</summary>
    /// <exception cref="CorpusException">Its length or time is another.</exception>
    public void RequireUnchanged()
    {
        var now = new FileInfo(RealPath.Of(Path));
        if (!now.Exists || now.Length != Length || now.LastWriteTimeUtc != _written)
            throw new CorpusException($"{Path} had {Length} bytes of {_written:yyyy-MM-dd HH:mm:ss.fff} and now " +
                $"{(now.Exists ? $"has {now.Length} of {now.LastWriteTimeUtc:yyyy-MM-dd HH:mm:ss.fff}" : "is gone")}: it changed while the job ran. " +
                "Put the file back and go on, or start another job with the new one.");
    }

    /// <summary>Finds the ends of shards in bytes that come piece by piece.</summary>
    private sealed class Cuts(long shardBytes)
    {
        private readonly List<CorpusShard> _shards = [];
        private long _begin, _firstLine = 1, _lines;          // of the shard that is being read; lines that ended before

        public long Length { get; private set; }

        public void Add(ReadOnlySpan<byte> bytes)
        {
            while (!bytes.IsEmpty)
            {
                // What is before the least length of a shard has lines to be counted, and no cut.
                int sure = (int)Math.Clamp(_begin + shardBytes - 1 - Length, 0, bytes.Length);
                _lines += bytes[..sure].Count(LineEnd);
                int end = bytes[sure..].IndexOf(LineEnd);
                int taken = end < 0 ? bytes.Length : sure + end + 1;
                Length += taken;
                bytes = bytes[taken..];
                if (end < 0) continue;
                _lines++;
                Cut();
            }
        }

        public CorpusShard[] End()
        {
            if (Length > _begin) Cut();
            return [.. _shards];
        }

        private void Cut()
        {
            _shards.Add(new CorpusShard(_shards.Count, _begin, Length - _begin, _firstLine));
            (_begin, _firstLine) = (Length, _lines + 1);
        }
    }
}
