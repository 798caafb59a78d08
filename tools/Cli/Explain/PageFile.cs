using System.Text;

namespace ManagedTransformers.Cli;

/// <summary>A page on the disk: written under a temporary name, and renamed when it is complete.</summary>
internal static class PageFile
{
    /// <exception cref="IOException">There is a directory of that name, or a file that may not be replaced; or there is no directory to write it
    /// into.</exception>
    public static void RequireFree(string path, bool force)
    {
        if (Directory.Exists(path))
            throw new IOException($"{path} is a directory; --out needs the name of a file.");
        if (File.Exists(path) && !force)
            throw new IOException($"{path} exists. Choose another name, or pass --force to replace it.");
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is string directory && !Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory {directory} to write {Path.GetFileName(path)} into.");
    }

    /// <summary>Writes it, in UTF-8.</summary>
    /// <exception cref="IOException">It cannot be written, or came into being since and may not be replaced.</exception>
    public static void Write(string path, string html, bool force)
    {
        string temporary = $"{path}.{Path.GetRandomFileName()}.tmp";
        try
        {
            File.WriteAllText(temporary, html, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
            RequireFree(path, force);
            File.Move(temporary, path, overwrite: force);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
