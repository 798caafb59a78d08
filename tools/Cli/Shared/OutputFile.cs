using System.Text;

namespace ManagedTransformers.Cli;

/// <summary>A file that an option names. All are checked before a model computes anything, and written as <see cref="PendingFile"/> says.</summary>
internal static class OutputFile
{
    /// <summary>Refuses a name that cannot be written to.</summary>
    /// <param name="path">The name, as the user gave it.</param>
    /// <param name="force">Whether a file that is there may be replaced.</param>
    /// <exception cref="IOException">There is a directory, a device or a pipe of that name, or a file that may not be replaced; or there is no directory to
    /// write it into.</exception>
    public static void RequireFree(string path, bool force)
    {
        if (!force && !Directory.Exists(path) && Path.Exists(RealPath.Of(path)))
            throw new IOException($"{path} exists. Choose another name, or pass --force to replace it.");
        PendingFile.RequireReplaceable(path);
        if (Path.GetDirectoryName(RealPath.Of(path)) is string directory && !Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory {directory} to write {Path.GetFileName(path)} to. Create it first.");
    }

    /// <summary>Writes it, in UTF-8.</summary>
    /// <exception cref="IOException">It cannot be written, or came into being since and may not be replaced.</exception>
    public static void Write(string path, string text, bool force)
    {
        RequireFree(path, force);
        PendingFile.Write(path, Encoding.UTF8.GetBytes(text), overwrite: force);
    }
}
