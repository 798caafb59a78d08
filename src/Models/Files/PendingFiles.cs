namespace ManagedTransformers.Models;

/// <summary>Files of one directory that are written under temporary names and get their names together, when all of them are complete.</summary>
internal sealed class PendingFiles(string directory) : IDisposable
{
    private readonly List<(string Name, PendingFile File)> _files = [];

    /// <summary>The names, in the order in which they will be given.</summary>
    public IEnumerable<string> Names => _files.Select(file => file.Name);

    /// <summary>Writes a file to the end.</summary>
    /// <param name="name">Its name in the directory.</param>
    /// <param name="write">Writes its content.</param>
    /// <returns>Where it lies until it is published.</returns>
    public string Add(string name, Action<Stream> write)
    {
        var file = new PendingFile(Path.Combine(directory, name));
        _files.Add((name, file));
        write(file.Stream);
        file.Complete();
        return file.TemporaryPath;
    }

    /// <summary>Gives all files their names, in the order in which they were added.</summary>
    public void Publish()
    {
        foreach ((string _, PendingFile file) in _files) file.Publish();
    }

    /// <summary>Removes what was not published.</summary>
    public void Dispose()
    {
        foreach ((string _, PendingFile file) in _files) file.Dispose();
    }
}
