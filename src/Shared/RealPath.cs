namespace ManagedTransformers;

/// <summary>Paths with every symbolic link followed, to tell whether a file really lies inside a directory.</summary>
internal static class RealPath
{
    private const int MaxLinks = 40;                       // as Linux: more is taken for a cycle

    /// <summary>The absolute path with no link in it. Parts that do not exist are kept as they are.</summary>
    /// <exception cref="IOException">The links form a cycle.</exception>
    public static string Of(string path)
    {
        string full = Path.GetFullPath(path);
        string root = Path.GetPathRoot(full)!;
        string resolved = root;
        var pending = new Stack<string>(Parts(full[root.Length..]));
        int links = 0;
        while (pending.TryPop(out string? part))
        {
            if (part == ".") continue;
            if (part == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? resolved;
                continue;
            }
            string step = Path.Combine(resolved, part);
            string? target = new FileInfo(step).LinkTarget;
            if (target is null)
            {
                resolved = step;
                continue;
            }
            if (++links > MaxLinks) throw new IOException($"{path} goes through more than {MaxLinks} symbolic links.");
            if (Path.IsPathRooted(target))
            {
                target = Path.GetFullPath(target);
                resolved = Path.GetPathRoot(target)!;
                target = target[resolved.Length..];
            }
            foreach (string targetPart in Parts(target)) pending.Push(targetPart);
        }
        return resolved;
    }

    /// <summary>Whether a file, all links followed, lies in the directory or below it.</summary>
    public static bool IsInside(string realFile, string realDirectory) =>
        realFile.StartsWith(
            Path.EndsInDirectorySeparator(realDirectory) ? realDirectory : realDirectory + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>The parts of a relative path, last first: the order in which a stack takes them.</summary>
    private static IEnumerable<string> Parts(string path) =>
        path.Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries).Reverse();
}
