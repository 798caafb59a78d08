using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ManagedTransformers;

/// <summary>Calls of the operating system's own C library that .NET has no method for; where one is missing, what it gives is not promised.</summary>
/// <remarks>docs/adr/0008-files-are-published-whole.md says why.</remarks>
internal static partial class SystemCalls
{
    private const int AtWorkingDirectory = -100, Exchange = 2;          // AT_FDCWD of Linux; RENAME_EXCHANGE there, RENAME_SWAP on macOS
    private const int DontNeed = 4;                                     // MADV_DONTNEED of both
    private const int TerminateSignal = 15;
    private const int InvalidArgument = 22, ReadOnlyFileSystem = 30, NotSupportedOnMac = 45, NotSupportedOnLinux = 95;

    private static readonly TimeSpan LongestTurn = TimeSpan.FromMinutes(1), Poll = TimeSpan.FromMilliseconds(10);

    private static bool AreThere => OperatingSystem.IsLinux() || OperatingSystem.IsMacOS();

    private static int CloseOnExec => OperatingSystem.IsLinux() ? 0x80000 : 0x1000000;

    /// <summary>Brings the names in a directory to the disk: after a rename a power cut may otherwise bring the old one back.</summary>
    /// <remarks>Windows has no such call. A file system that has none, and a directory that may not be read, are passed over, as .NET does for files.</remarks>
    /// <exception cref="IOException">The disk failed.</exception>
    public static void FlushDirectory(string directory)
    {
        if (!AreThere) return;
        try
        {
            int handle = Open(directory, CloseOnExec);
            if (handle < 0) return;
            int error = FSync(handle) == 0 ? 0 : Marshal.GetLastPInvokeError();
            _ = Close(handle);
            if (error is not (0 or InvalidArgument or ReadOnlyFileSystem or NotSupportedOnLinux or NotSupportedOnMac))
                throw new IOException($"The names in {directory} could not be brought to the disk: {Marshal.GetPInvokeErrorMessage(error)}. " +
                    "What was written there may be gone after a power cut: write it again.", error);
        }
        catch (Exception e) when (IsMissing(e))
        {
        }
    }

    /// <summary>Waits until no other process has locked a directory, and locks it until the handle is disposed or the process ends, so that only one writes at
    /// a time. Null: the directory may not be read, or its file system has no such lock.</summary>
    /// <exception cref="IOException">Somebody else has it for very long.</exception>
    public static SafeFileHandle? TakeTurn(string directory)
    {
        const int ExclusiveAtOnce = 2 | 4, Interrupted = 4, HeldOnLinux = 11, HeldOnMac = 35;          // LOCK_EX | LOCK_NB; EINTR, EWOULDBLOCK
        if (!AreThere) return null;
        try
        {
            int handle = Open(directory, CloseOnExec);
            if (handle < 0) return null;
            var held = new SafeFileHandle(handle, ownsHandle: true);
            for (long start = Environment.TickCount64; FLock(handle, ExclusiveAtOnce) != 0; Thread.Sleep(Poll))
            {
                int error = Marshal.GetLastPInvokeError();
                bool isLong = Environment.TickCount64 - start > LongestTurn.TotalMilliseconds;
                if (error is Interrupted or HeldOnLinux or HeldOnMac && !isLong) continue;
                held.Dispose();
                return isLong ? throw new IOException($"Another process has {directory} locked for more than {LongestTurn.TotalSeconds:0} seconds. " +
                    "It may write there too and hang: end it, or write to another directory.") : null;
            }
            return held;
        }
        catch (Exception e) when (IsMissing(e))
        {
            return null;
        }
    }

    /// <summary>Two directories of one file system get each other's names in one step. False: nothing was done.</summary>
    public static bool TryExchange(string one, string other)
    {
        try
        {
            if (OperatingSystem.IsLinux()) return RenameAt2(AtWorkingDirectory, one, AtWorkingDirectory, other, Exchange) == 0;
            return OperatingSystem.IsMacOS() && RenameX(one, other, Exchange) == 0;
        }
        catch (Exception e) when (IsMissing(e))
        {
            return false;
        }
    }

    /// <summary>Gives a file a second name on its file system. False: nothing was done.</summary>
    public static bool TryLink(string existing, string path)
    {
        try
        {
            return AreThere && Link(existing, path) == 0;
        }
        catch (Exception e) when (IsMissing(e))
        {
            return false;
        }
    }

    /// <summary>Says that pages of a mapped file are not needed for now: they stop counting as this process's, and are read again where they are touched.
    /// Nothing happens where the system has no such call.</summary>
    /// <param name="start">A byte of the mapping; only whole pages from there on are given back.</param>
    /// <param name="length">Bytes.</param>
    public static unsafe void GiveBackPages(byte* start, long length)
    {
        if (!AreThere) return;
        nint page = Environment.SystemPageSize, first = ((nint)start + page - 1) & -page, end = ((nint)start + (nint)length) & -page;
        if (end <= first) return;
        try
        {
            _ = MAdvise(first, end - first, DontNeed);
        }
        catch (Exception e) when (IsMissing(e))
        {
        }
    }

    /// <summary>Whether a file system is mounted somewhere inside a directory: it would move with it. False where that is not known.</summary>
    public static bool HasMountInside(string directory)
    {
        const string Mounts = "/proc/self/mountinfo";                     // of Linux; the fifth word of a line is the place
        if (!File.Exists(Mounts)) return false;
        string inside = (directory.TrimEnd('/') + "/").Replace("\\", "\\134", StringComparison.Ordinal).Replace(" ", "\\040", StringComparison.Ordinal)
            .Replace("\t", "\\011", StringComparison.Ordinal).Replace("\n", "\\012", StringComparison.Ordinal);
        return File.ReadLines(Mounts).Any(line => line.Split(' ') is { Length: > 4 } words && words[4].StartsWith(inside, StringComparison.Ordinal));
    }

    /// <summary>Whether what has a name, or what a link there names, is an ordinary file. Null where the system does not say.</summary>
    public static bool? IsOrdinaryFile(string path) => KindOf(path, flags: 0) is int kind ? kind == 0x8000 : null;          // S_IFREG

    /// <summary>Whether what has a name is a Unix socket, and no link to one. Null where the system does not say.</summary>
    public static bool? IsSocket(string path)
    {
        const int NotThroughLinks = 0x100;                                // AT_SYMLINK_NOFOLLOW
        return KindOf(path, NotThroughLinks) is int kind ? kind == 0xC000 : null;          // S_IFSOCK
    }

    private static int? KindOf(string path, int flags)
    {
        const int Mode = 28, KindMask = 0xF000;                           // stx_mode of struct statx; S_IFMT
        const uint KindOfFile = 1;                                        // STATX_TYPE
        if (!OperatingSystem.IsLinux()) return null;
        Span<byte> status = stackalloc byte[256];
        try
        {
            return StatX(AtWorkingDirectory, path, flags, KindOfFile, status) == 0 ? BitConverter.ToUInt16(status[Mode..]) & KindMask : null;
        }
        catch (Exception e) when (IsMissing(e))
        {
            return null;
        }
    }

    /// <summary>Asks a process that was started here to end, as SIGTERM does.</summary>
    /// <returns>Whether it was asked: Windows has no such signal, and it may have ended.</returns>
    public static bool Terminate(System.Diagnostics.Process process)
    {
        try
        {
            return AreThere && Kill(process.Id, TerminateSignal) == 0;
        }
        catch (Exception e) when (IsMissing(e))
        {
            return false;
        }
    }

    private static bool IsMissing(Exception e) => e is DllNotFoundException or EntryPointNotFoundException;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int handle);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FLock(int handle, int operation);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int handle);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string path);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, Span<byte> status);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int MAdvise(nint start, nint length, int advice);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "renamex_np", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameX(string from, string to, uint flags);
}
