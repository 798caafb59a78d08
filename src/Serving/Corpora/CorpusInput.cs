using System.Security.Cryptography;

namespace ManagedTransformers.Serving;

/// <summary>A file with a line for each text: what tells it from another one, and where it is cut into shards. It is read once for both, front to
/// back.</summary>
/// <param name="File">The file, as it was read.</param>
/// <param name="Sha256">Hexadecimal digits of all its bytes.</param>
/// <param name="Shards">Its parts, in order; none where it is empty.</param>
internal sealed record CorpusInput(CorpusFile File, string Sha256, IReadOnlyList<CorpusShard> Shards)
{
    private const byte LineEnd = (byte)'\n';
    private const int BufferBytes = 1 << 20, ReportBytes = 16 << 20;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="shardBytes">A shard ends at the first line end at or behind this many bytes.</param>
    /// <param name="progress">Told how much is read.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="CorpusException">It is a pipe or a device, which cannot be read again, or changes while it is read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static CorpusInput Read(
        string path, long shardBytes, IProgress<CorpusProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        CorpusFile file = CorpusFile.At(path);
        using FileStream stream = file.Open();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var cuts = new Cuts(shardBytes);
        var buffer = new byte[BufferBytes];
        long toReport = ReportBytes;
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, count);
            cuts.Add(buffer.AsSpan(0, count));
            if ((toReport -= count) > 0) continue;
            toReport = ReportBytes;
            progress?.Report(new CorpusProgress(0, 0, cuts.Length, file.Length, 0, null) { IsReading = true });
        }
        CorpusShard[] shards = cuts.End();
        file = file with { Length = cuts.Length };
        file.RequireUnchanged();
        return new CorpusInput(file, Convert.ToHexStringLower(hash.GetHashAndReset()), shards);
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
