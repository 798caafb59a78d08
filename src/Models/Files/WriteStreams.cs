namespace ManagedTransformers.Models;

/// <summary>A file that is written under a temporary name and gets its own only when it is complete.</summary>
internal sealed class PendingFile : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private bool _published;

    public PendingFile(string path)
    {
        _path = Path.GetFullPath(path);
        RequireReplaceable(_path);
        _temporary = $"{_path}.{Path.GetRandomFileName()}.tmp";
        Stream = new NewFileStream(_temporary);
    }

    public NewFileStream Stream { get; }

    /// <summary>Where it lies until it is published.</summary>
    public string TemporaryPath => _temporary;

    /// <summary>Everything is written: brings it to the disk.</summary>
    public void Complete()
    {
        Stream.FlushToDisk();
        Stream.Dispose();
    }

    /// <summary>Gives it its name, replacing a file that has it.</summary>
    public void Publish()
    {
        File.Move(_temporary, _path, overwrite: true);
        _published = true;
    }

    /// <summary>A finished file takes the place of what is there; a device or a pipe would be gone.</summary>
    internal static void RequireReplaceable(string path)
    {
        if (Directory.Exists(path)) throw new IOException($"{path} is a directory; the name of a file is needed.");
        if (!File.Exists(path) || new FileInfo(RealPath.Of(path)).Length > 0) return;
        if (IsDevice(RealPath.Of(path))) throw new IOException($"{path} is a device or a pipe, which a file would replace. Write to an ordinary file.");
    }

    /// <summary>Of what has no length. Devices lie in /dev; a pipe, opened for both ends so that nothing waits, cannot be sought in.</summary>
    private static bool IsDevice(string path)
    {
        if (OperatingSystem.IsWindows()) return false;
        if (RealPath.IsInside(path, "/dev")) return !RealPath.IsInside(path, "/dev/shm");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        return !stream.CanSeek;
    }

    /// <summary>Removes what was not published.</summary>
    public void Dispose()
    {
        if (_published) return;
        try
        {
            Stream.Dispose();
        }
        catch (IOException)
        {
            // A full disk fails once more when the buffer is flushed; the first failure is on its way to the caller.
        }
        File.Delete(_temporary);
    }
}

/// <summary>A stream that is written front to back.</summary>
internal abstract class WriteOnlyStream : Stream
{
    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => Position;
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // The file is flushed once, when it is complete.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}

/// <summary>
/// Writes a new file. One that outgrows its file system (4 GB on FAT) or a limit of the process (ulimit -f) is an IOException, as a full disk is.
/// </summary>
/// <remarks>.NET makes an ArgumentOutOfRangeException of the system's EFBIG, which names neither the file nor the cause.</remarks>
internal sealed class NewFileStream(string path) : WriteOnlyStream
{
    private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);

    public override long Position { get => _file.Position; set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _file.Write(buffer);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw TooLarge(e);
        }
    }

    /// <summary>Brings everything that was written to the disk.</summary>
    public void FlushToDisk()
    {
        try
        {
            _file.Flush(flushToDisk: true);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw TooLarge(e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        try
        {
            if (disposing) _file.Dispose();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw TooLarge(e);
        }
        base.Dispose(disposing);
    }

    private IOException TooLarge(ArgumentOutOfRangeException e) =>
        new($"{path} becomes larger than its file system or a limit of this process (ulimit -f) allows.", e);
}

/// <summary>Passes one tensor's bytes on and holds it to the number that its shape needs.</summary>
internal sealed class ExactLengthStream(Stream inner, TensorEntry tensor) : WriteOnlyStream
{
    private long _written;

    public override long Position { get => _written; set => throw new NotSupportedException(); }

    public void RequireComplete()
    {
        if (_written != tensor.ByteLength)
            throw new InvalidOperationException($"{tensor.Name} wrote {_written} bytes; its shape needs {tensor.ByteLength}.");
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > tensor.ByteLength - _written)
            throw new InvalidOperationException($"{tensor.Name} wrote at least {_written + buffer.Length} bytes; its shape needs {tensor.ByteLength}.");
        inner.Write(buffer);
        _written += buffer.Length;
    }
}

/// <summary>Adds up what was written and tells it.</summary>
internal sealed class WriteTally(IProgress<WriteProgress>? progress, long total)
{
    private long _written;

    public void Add(TensorEntry tensor)
    {
        _written += tensor.ByteLength;
        progress?.Report(new WriteProgress(tensor.Name, _written, total));
    }
}

/// <summary>Files of one directory that are written under temporary names and get their names together, when all of them are complete.</summary>
internal sealed class PendingFiles(string directory) : IDisposable
{
    private readonly List<PendingFile> _files = [];

    /// <summary>Writes a file to the end. Returns where it lies until it is published.</summary>
    public string Add(string name, Action<Stream> write)
    {
        var file = new PendingFile(Path.Combine(directory, name));
        _files.Add(file);
        write(file.Stream);
        file.Complete();
        return file.TemporaryPath;
    }

    /// <summary>Gives all files their names, in the order in which they were added.</summary>
    public void Publish() => _files.ForEach(file => file.Publish());

    /// <summary>Removes what was not published.</summary>
    public void Dispose() => _files.ForEach(file => file.Dispose());
}
