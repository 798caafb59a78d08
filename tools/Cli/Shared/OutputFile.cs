namespace ManagedTransformers.Cli;

/// <summary>A file that an option names. It is checked before a model computes anything, and written as <see cref="PendingFile"/> says.</summary>
internal sealed class OutputFile
{
    private readonly string _option;
    private readonly bool _force;

    /// <summary>Refuses a name that cannot be written to.</summary>
    /// <param name="option">The option, for messages.</param>
    /// <param name="path">The name, as the user gave it.</param>
    /// <param name="force">Whether a file that is there may be replaced.</param>
    /// <exception cref="IOException">There is a directory, a device or a pipe of that name, or a file that may not be replaced; or there is no directory to
    /// write it into.</exception>
    public OutputFile(string option, string path, bool force)
    {
        (_option, Path, _force) = (option, path, force);
        if (Directory.Exists(path) || System.IO.Path.EndsInDirectorySeparator(path))
            throw new IOException($"{option} {path} names a directory; the name of a file is needed. Add one.");
        string real = RealPath.Of(path);
        if (!force && System.IO.Path.Exists(real))
            throw Existing("exists");
        if (System.IO.Path.GetDirectoryName(real) is string directory && !Directory.Exists(directory))
            throw new DirectoryNotFoundException($"{option} {path}: there is no directory {directory}. Create it first.");
        try
        {
            PendingFile.RequireReplaceable(path);
        }
        catch (IOException e)
        {
            throw new IOException($"{option} {e.Message}", e);
        }
    }

    /// <summary>The name, as the user gave it.</summary>
    public string Path { get; }

    /// <summary>Writes it.</summary>
    /// <param name="write">Writes the file of a name, and replaces none without --force.</param>
    /// <exception cref="IOException">It cannot be written, or came into being since and may not be replaced.</exception>
    public void Write(Action<string> write)
    {
        const string Meanwhile = "came into being while this command ran";
        if (!_force && System.IO.Path.Exists(RealPath.Of(Path)))
            throw Existing(Meanwhile);
        try
        {
            write(Path);
        }
        catch (IOException e) when (!_force && (e.HResult & 0xFFFF) is (17 or 80 or 183))     // EEXIST; ERROR_FILE_EXISTS, ERROR_ALREADY_EXISTS of Windows
        {
            throw Existing(Meanwhile);
        }
    }

    private IOException Existing(string how) => new($"{_option} {Path} {how}. Choose another name, or pass --force to replace it.");
}
