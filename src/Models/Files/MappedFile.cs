using System.Globalization;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ManagedTransformers.Models;


/// <summary>
/// A file mapped read-only into memory: opened at once whatever its size, read with 64-bit offsets, its pages shared with the operating
/// system's cache. The mapping ends when it is disposed and no <see cref="FileLease"/> is left.
/// </summary>
/// <remarks>
/// A span into the file is good only while the file is not disposed or a lease is held. A file that is never disposed stays mapped until the
/// process ends: a finalizer could unmap it under a span that is still in use. Shrinking the file while it is mapped is undefined behaviour on
/// every operating system; replacing it by a rename is safe.
/// </remarks>
internal sealed unsafe class MappedFile : IDisposable
{
    private const int ReadSize = 1 << 24, Alignment = 64;

    // From here on glibc's malloc maps memory for a block, and unmaps it when it is freed. Smaller blocks come from its heaps once one of them was freed
    // (M_MMAP_THRESHOLD grows), where aligned ones leave gaps: models that come and go took 700 MB instead of 100.
    private static readonly nuint s_leastBlock = OperatingSystem.IsLinux() ? (32 << 20) + (1 << 16) : 0u;

    private readonly Lifetime _lifetime;
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly SafeFileHandle? _handle;             // the mapping's, which closes it
    private readonly DateTime _written;                   // when it was mapped
    private byte* _start;
    private byte* _memory;                                // of the process's own; null: mapped

    private MappedFile(string path, long length, SafeFileHandle? handle, MemoryMappedFile? file, MemoryMappedViewAccessor? view)
    {
        (Path, Length, _handle, _file, _view) = (path, length, handle, file, view);
        if (handle is not null) _written = File.GetLastWriteTimeUtc(handle);
        view?.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _lifetime = new Lifetime(Name, Unmap);
    }

    public string Path { get; }
    public string Name => System.IO.Path.GetFileName(Path);
    public long Length { get; }

    /// <summary>Maps a file, or reads it into memory of the process's own.</summary>
    /// <param name="path">An ordinary file; may be empty.</param>
    /// <param name="map">False: it is read whole, and what happens to the file afterwards changes nothing.</param>
    /// <exception cref="CheckpointException">The file is missing, a directory, not readable, or too large for the address space or the memory.</exception>
    public static MappedFile Open(string path, bool map = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.GetFullPath(path);
        if (Directory.Exists(path))
            throw Unusable(path, "is a directory; needed is a file. Pass the file itself, or open the directory with Checkpoint.Open.");

        try
        {
            // A pipe or device has no length either, and opening a pipe would wait for a writer.
            var info = new FileInfo(RealPath.Of(path));
            if (info.Exists && info.Length == 0) return new MappedFile(path, 0, null, null, null);
            return map ? Map(path) : ReadWhole(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Unusable(path, "does not exist. Check the path, or download the file again.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw Unusable(path, "may not be read by this process. Grant read permission.", e);
        }
        catch (Exception e) when (e is IOException or ArgumentException or OutOfMemoryException or NotSupportedException)
        {
            throw Unusable(path, $"cannot be {(map ? "mapped" : "read")}: {e.Message}", e);
        }
    }

    /// <summary>Bytes <paramref name="offset"/> … <paramref name="offset"/> + <paramref name="length"/> of the file.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the file.</exception>
    /// <exception cref="ObjectDisposedException">The file is unmapped.</exception>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        _lifetime.ThrowIfEnded();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length);
        return new ReadOnlySpan<byte>(_start + offset, length);
    }

    /// <summary>Copies bytes without touching the mapping: what is read once does not stay in memory as a part of this process, and the fault of a page that
    /// nothing else reads takes eight times as long as reading a few bytes of it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the file.</exception>
    /// <exception cref="CheckpointException">The file was cut meanwhile, or cannot be read.</exception>
    internal void Read(long offset, Span<byte> destination)
    {
        _lifetime.ThrowIfEnded();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - destination.Length);
        try
        {
            if (_handle is null)
            {
                Slice(offset, destination.Length).CopyTo(destination);
                return;
            }
            while (!destination.IsEmpty)
            {
                int read = RandomAccess.Read(_handle, destination, offset);
                if (read == 0) throw Unusable(Path, $"was cut at {offset} while it was read. Download it again.");
                offset += read;
                destination = destination[read..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(Path, $"cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Gives back the pages of a range that was read and is not needed again; whoever reads it all the same has them read again.</summary>
    /// <exception cref="ObjectDisposedException">The file is unmapped.</exception>
    public void GiveBack(long offset, long length)
    {
        _lifetime.ThrowIfEnded();
        if (_view is not null) SystemCalls.GiveBackPages(_start + offset, length);
    }

    /// <summary>Two calls of the operating system find out whether the file has the length and the time that it was mapped with. A file that was replaced by
    /// a rename, or deleted, is still the one that is mapped.</summary>
    /// <remarks>Windows lets nobody write to a file that is mapped. Elsewhere nothing prevents it: a page that is gone ends the process (SIGBUS) when it is
    /// read, which .NET cannot catch, so this is only as good as it is early.</remarks>
    /// <exception cref="CheckpointException">It was written to in place.</exception>
    public void RequireUnchanged()
    {
        if (_handle is null || OperatingSystem.IsWindows()) return;
        (long length, DateTime written) = (RandomAccess.GetLength(_handle), File.GetLastWriteTimeUtc(_handle));
        if (length != Length || written != _written)
            throw Unusable(Path, string.Create(CultureInfo.InvariantCulture,
                $"was written to while it is used: it had {Length} bytes of {_written:yyyy-MM-dd HH:mm:ss.fff} when it was opened, and has {length} bytes of " +
                $"{written:yyyy-MM-dd HH:mm:ss.fff} now. Load the model again. Replace files by a rename, which a loaded model does not feel, or load with " +
                $"{nameof(LoadOptions)}.{nameof(LoadOptions.MapWeights)} = false (mtx: --no-map)."));
    }

    /// <summary>Keeps the file mapped until the lease is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public FileLease Acquire() => _lifetime.Acquire();

    /// <summary>Unmaps the file, now or when the last lease is given back. May be called twice.</summary>
    public void Dispose() => _lifetime.Dispose();

    private static MappedFile Map(string path)
    {
        SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.RandomAccess);
        MemoryMappedFile? file = null;
        try
        {
            long length = RandomAccess.GetLength(handle);
            file = MemoryMappedFile.CreateFromFile(handle, null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new MappedFile(path, length, handle, file, file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read));
        }
        catch
        {
            file?.Dispose();
            handle.Dispose();
            throw;
        }
    }

    private static MappedFile ReadWhole(string path)
    {
        using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.SequentialScan);
        long length = RandomAccess.GetLength(handle);
        byte* memory = (byte*)NativeMemory.AlignedAlloc(nuint.Max(checked((nuint)length), s_leastBlock), Alignment);
        try
        {
            for (long offset = 0, read; offset < length; offset += read)
            {
                read = RandomAccess.Read(handle, new Span<byte>(memory + offset, (int)Math.Min(ReadSize, length - offset)), offset);
                if (read == 0) throw Unusable(path, $"was cut at {offset} while it was read. Download it again.");
            }
            return new MappedFile(path, length, null, null, null) { _start = memory, _memory = memory };
        }
        catch
        {
            NativeMemory.AlignedFree(memory);
            throw;
        }
    }

    private void Unmap()
    {
        if (_memory is not null) NativeMemory.AlignedFree(_memory);
        _memory = null;
        if (_view is null) return;
        _start = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file!.Dispose();
    }

    private static CheckpointException Unusable(string path, string what, Exception? cause = null) =>
        new($"{path} {what}", cause) { FileName = System.IO.Path.GetFileName(path) };
}
