using Microsoft.Win32.SafeHandles;

namespace ManagedTransformers;

/// <summary>
/// How every file is written: under a temporary name next to its place (<see cref="Unfinished"/>), brought to the disk, and then renamed, so that the name
/// stands for the old content or the whole new one at every moment. A link keeps its place: the file that it names is replaced. Directories, devices and
/// pipes are refused. What a killed process left of the same file is removed.
/// </summary>
internal sealed class PendingFile : IDisposable
{
    private const int Tries = 4;

    private readonly string _path;
    private SafeFileHandle? _held;                         // from when it is complete until it has its name: nobody may take it for one that was left
    private bool _published;

    /// <param name="path">What it is to be named.</param>
    /// <exception cref="IOException">A directory, a device or a pipe is there; the directory is missing, …</exception>
    public PendingFile(string path)
    {
        RequireReplaceable(path);
        _path = RealPath.Of(path);
        (string directory, string name) = (Path.GetDirectoryName(_path)!, Path.GetFileName(_path));
        Unfinished.Remove(directory, name);
        (TemporaryPath, Stream) = Create(directory, name);
    }

    /// <summary>Takes the content.</summary>
    public NewFileStream Stream { get; }

    /// <summary>Where it lies until it is published.</summary>
    public string TemporaryPath { get; }

    /// <summary>Writes a whole file.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="content">What is in it.</param>
    /// <param name="overwrite">Whether one that has the name is replaced.</param>
    /// <exception cref="IOException">It cannot be written, or is there and may not be replaced.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, bool overwrite = true)
    {
        using var file = new PendingFile(path);
        file.Stream.Write(content);
        file.Complete();
        file.Publish(overwrite);
    }

    /// <summary>Everything is written: brings it to the disk.</summary>
    public void Complete()
    {
        _held = File.OpenHandle(TemporaryPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        Stream.FlushToDisk();
        Stream.Dispose();
    }

    /// <summary>Gives it its name.</summary>
    /// <param name="overwrite">Whether a file that has the name is replaced; the new one has its permissions.</param>
    /// <exception cref="IOException">One has the name and may not be replaced, or it cannot be renamed.</exception>
    public void Publish(bool overwrite = true)
    {
        Rename(TemporaryPath, _path, overwrite);
        _published = true;
        _held?.Dispose();
        SystemCalls.FlushDirectory(Path.GetDirectoryName(_path)!);
    }

    /// <summary>Gives a file that is complete its name, for who wrote it: that may be another process, which holds it until it hears of this.</summary>
    /// <param name="temporaryPath">Its <see cref="TemporaryPath"/>.</param>
    /// <param name="path">What it is to be named; one that has the name is replaced.</param>
    /// <exception cref="IOException">It cannot be renamed.</exception>
    public static void Publish(string temporaryPath, string path)
    {
        path = RealPath.Of(path);
        Rename(temporaryPath, path, overwrite: true);
        SystemCalls.FlushDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>A finished file takes the place of what is there; a device or a pipe would be gone.</summary>
    /// <exception cref="IOException">It is one, or a directory, or a link that leads in a circle.</exception>
    public static void RequireReplaceable(string path)
    {
        if (Directory.Exists(path)) throw new IOException($"{path} is a directory; the name of a file is needed.");
        string real = RealPath.Of(path);
        if (!File.Exists(real) || new FileInfo(real).Length > 0) return;
        if (SystemCalls.IsOrdinaryFile(real) is bool isOrdinary ? !isOrdinary : IsDevice(real))
            throw new IOException($"{path} is a device or a pipe, which a file would replace. Write to an ordinary file.");
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
        _held?.Dispose();
        try
        {
            File.Delete(TemporaryPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next one that writes this file removes it.
        }
    }

    private static void Rename(string temporaryPath, string path, bool overwrite)
    {
        if (!OperatingSystem.IsWindows() && File.Exists(path))
            File.SetUnixFileMode(temporaryPath, File.GetUnixFileMode(path));
        File.Move(temporaryPath, path, overwrite);
    }

    /// <summary>Between creating and locking, another process may take the file for one that was left, and remove it: once more, then.</summary>
    private static (string Path, NewFileStream Stream) Create(string directory, string name)
    {
        for (int i = 1; ; i++)
        {
            string path = Unfinished.NewPath(directory, name);
            try
            {
                return (path, new NewFileStream(path, Path.Combine(directory, name)));
            }
            catch (IOException e) when (i < Tries && Unfinished.IsHeld(e))
            {
            }
        }
    }

    /// <summary>Where the system does not say it, of what has no length: devices lie in /dev; a pipe, opened for both ends so that nothing waits, cannot be
    /// sought in.</summary>
    private static bool IsDevice(string path)
    {
        if (OperatingSystem.IsWindows()) return false;
        if (RealPath.IsInside(path, "/dev")) return !RealPath.IsInside(path, "/dev/shm");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        return !stream.CanSeek;
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
/// Writes a new file. What prevents that is an <see cref="IOException"/> that names the file which it is to become, also where it outgrows its file system
/// (4 GB on FAT) or a limit of the process (ulimit -f).
/// </summary>
/// <param name="path">The new file.</param>
/// <param name="name">What it is to become, for messages.</param>
/// <remarks>.NET makes an ArgumentOutOfRangeException of the system's EFBIG, which names neither the file nor the cause.</remarks>
internal sealed class NewFileStream(string path, string name) : WriteOnlyStream
{
    // Readers share its lock: what was written is read again before it has its name.
    private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, bufferSize: 1 << 16);

    public override long Length => _file.Length;

    /// <summary>May be set: what was written first can be written again, as a header whose numbers are known at the end.</summary>
    public override long Position { get => _file.Position; set => Do(() => _file.Position = value); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _file.Write(buffer);
        }
        catch (Exception e) when (e is IOException or ArgumentOutOfRangeException)
        {
            throw Unwritten(e);
        }
    }

    /// <summary>Brings everything that was written to the disk.</summary>
    public void FlushToDisk() => Do(() => _file.Flush(flushToDisk: true));

    protected override void Dispose(bool disposing)
    {
        if (disposing) Do(_file.Dispose);
        base.Dispose(disposing);
    }

    private void Do(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or ArgumentOutOfRangeException)
        {
            throw Unwritten(e);
        }
    }

    private IOException Unwritten(Exception e) => e is IOException
        ? new($"{name} cannot be written: {e.Message}", e)
        : new($"{name} becomes larger than its file system or a limit of this process (ulimit -f) allows.", e);
}
