using System.Security.Cryptography;

namespace ManagedTransformers.Serving;

/// <summary>The input as it was when a job began, so that whoever reads it later notices that it is another one.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Written">When it was last written to, UTC.</param>
internal sealed record CorpusFile(string Path, long Length, DateTime Written)
{
    private const int HeadBytes = 1 << 20;

    /// <summary>The file as it is now.</summary>
    /// <exception cref="CorpusException">It is a pipe or a device, which cannot be read again.</exception>
    /// <exception cref="IOException">It is not there.</exception>
    public static CorpusFile At(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        if (File.Exists(path) && SystemCalls.IsOrdinaryFile(path) == false)
            throw new CorpusException($"{path} is a pipe or a device, which cannot be read again when the job goes on after a kill. Save it as a file first.");
        var file = new FileInfo(RealPath.Of(path));
        if (!file.Exists) throw new FileNotFoundException($"There is no file {path}.", path);
        return new CorpusFile(path, file.Length, file.LastWriteTimeUtc);
    }

    /// <summary>Opens it; others may write to it and replace it, which <see cref="RequireUnchanged"/> notices.</summary>
    public FileStream Open() => new(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    /// <summary>Hexadecimal digits of its first megabyte: with length and time, what tells two machines that they see one file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public string HashHead()
    {
        using FileStream stream = Open();
        var head = new byte[Math.Min(Length, HeadBytes)];
        int count = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return Convert.ToHexStringLower(SHA256.HashData(head.AsSpan(0, count)).AsSpan(0, 8));
    }

    /// <summary>Notices that the file is no longer the one that was read.</summary>
    /// <exception cref="CorpusException">Its length or time is another.</exception>
    public void RequireUnchanged()
    {
        var now = new FileInfo(RealPath.Of(Path));
        if (!now.Exists || now.Length != Length || now.LastWriteTimeUtc != Written)
            throw new CorpusException($"{Path} had {Length} bytes of {Written:yyyy-MM-dd HH:mm:ss.fff} and now " +
                $"{(now.Exists ? $"has {now.Length} of {now.LastWriteTimeUtc:yyyy-MM-dd HH:mm:ss.fff}" : "is gone")}: it changed while the job ran. " +
                "Put the file back and go on, or start another job with the new one.");
    }
}
