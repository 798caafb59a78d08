using Microsoft.Win32.SafeHandles;

namespace ManagedTransformers;

/// <summary>
/// Names of what is being written: <c>.NAME.RANDOM.unfinished</c> next to NAME, a file or a directory. Whoever writes one holds a lock on it, which ends with
/// the process; what no process holds was left by one that was killed.
/// </summary>
internal static class Unfinished
{
    /// <summary>Ends every such name.</summary>
    public const string Suffix = ".unfinished";

    /// <summary>In a directory that is being written: the file whose lock stands for all of it.</summary>
    public const string LockName = ".checkpoint.lockfile" + Suffix;

    private const int MostCharacters = 64;                 // of NAME, so that a long one still makes a name
    private const int RandomCharacters = 8;

    /// <summary>A name that nothing has yet.</summary>
    /// <param name="directory">Where it lies.</param>
    /// <param name="name">What it is to become.</param>
    public static string NewPath(string directory, string name) =>
        Path.Combine(directory, $"{Prefix(name)}{Path.GetRandomFileName()[..RandomCharacters]}{Suffix}");

    /// <summary>Whether an entry of a directory is what is being written to become <paramref name="name"/>.</summary>
    public static bool IsOf(string entry, string name) => entry.Length == Prefix(name).Length + RandomCharacters + Suffix.Length
        && entry.StartsWith(Prefix(name), StringComparison.Ordinal) && entry.EndsWith(Suffix, StringComparison.Ordinal);

    /// <summary>Whether a file could not be opened because a process has it.</summary>
    /// <remarks>ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION on Windows, EWOULDBLOCK (11 on Linux, 35 on macOS) elsewhere.</remarks>
    public static bool IsHeld(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult is 11 or 35;

    /// <summary>Removes what killed processes left of <paramref name="name"/>.</summary>
    /// <returns>What may not be removed, and stays.</returns>
    public static IReadOnlyList<string> Remove(string directory, string name)
    {
        var stay = new List<string>();
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(directory))
                if (IsOf(Path.GetFileName(path), name) && !TryRemove(path)) stay.Add(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A directory whose names may not be read can still be written to.
        }
        return stay;
    }

    /// <returns>Whether it is gone, or a process that runs has it.</returns>
    private static bool TryRemove(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                using SafeFileHandle? held = Hold(Path.Combine(path, LockName));
                held?.Dispose();                           // Windows deletes no file that is open
                Directory.Delete(path, recursive: true);
            }
            else
            {
                using SafeFileHandle? held = Hold(path);
                held?.Dispose();
                File.Delete(path);
            }
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (e is IOException inUse && IsHeld(inUse)) || !Path.Exists(path);
        }
    }

    /// <exception cref="IOException">A process has it.</exception>
    private static SafeFileHandle? Hold(string path) => File.Exists(path) ? File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None) : null;

    private static string Prefix(string name)
    {
        int length = Math.Min(name.Length, MostCharacters);
        if (length > 0 && char.IsHighSurrogate(name[length - 1])) length--;
        return $".{name.AsSpan(0, length)}.";
    }
}
