using Microsoft.Win32.SafeHandles;

namespace ManagedTransformers.Models;

/// <summary>
/// The files of a checkpoint, which are read together: written into a hidden directory inside their own, and given their names together, in one last step.
/// The old directory and the new one, which has all that is not replaced as well, are exchanged by one call of the operating system, so that who opens the
/// directory gets what was there or the new checkpoint, also after a kill or a power cut.
/// </summary>
/// <remarks>
/// Where there is no such call (Windows), or the file system, rights or a mount stand against it, or the directory is the current one: the old checkpoint is
/// made unreadable first (without config.json and weights), config.json comes last, and a kill in between leaves a directory that does not open.
/// </remarks>
internal sealed class PendingDirectory : IDisposable
{
    private const string Staged = "checkpoint";
    private const int Tries = 4;
    private const int MostTakenAlong = 1000;               // a checkpoint's directory has a few; a disk of files is not linked anew for one

    private readonly string _directory;
    private readonly List<string> _created = [];
    private readonly List<string> _names = [];
    private string _staging;
    private SafeFileHandle? _lock;
    private int _takenAlong;
    private bool _published;

    /// <summary>Makes the directory and what it lies in, removes what a killed process left in it, and starts.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public PendingDirectory(string directory)
    {
        _directory = RealOf(directory);
        _staging = "";
        try
        {
            if (Path.GetDirectoryName(_directory) is string parent) Create(parent);
            using SafeFileHandle? turn = TakeTurn(_directory);
            Create(_directory);
            Left = RemoveAll(_directory);
            Begin();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What killed processes left, and may not be removed.</summary>
    public IReadOnlyList<string> Left { get; }

    /// <summary>Removes what killed processes left in a directory, and next to it. Where there is no such directory, nothing is done.</summary>
    /// <exception cref="IOException">Another process has the directory for very long.</exception>
    public static void RemoveLeft(string directory)
    {
        directory = RealOf(directory);
        using SafeFileHandle? turn = TakeTurn(directory);
        RemoveAll(directory);
    }

    /// <summary>Writes a file to the end, and to the disk.</summary>
    /// <param name="name">Its name in the directory, with '/' where it lies in a folder of it.</param>
    /// <param name="write">Writes the content.</param>
    /// <returns>Where it lies until it is published.</returns>
    /// <exception cref="IOException">A directory, a device or a pipe has the name; the disk is full, …</exception>
    public string Add(string name, Action<Stream> write)
    {
        PendingFile.RequireReplaceable(Path.Combine(_directory, name));
        for (string? folder = Path.GetDirectoryName(name); !string.IsNullOrEmpty(folder); folder = Path.GetDirectoryName(folder))
        {
            string there = Path.Combine(_directory, folder);
            if (File.Exists(there))
                throw new IOException($"{there} is a file; a directory is needed there, for {name}. Move it, or write to another directory.");
        }
        string path = Path.Combine(_staging, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var stream = new NewFileStream(path, Path.Combine(_directory, name));
        write(stream);
        stream.FlushToDisk();
        _names.Add(name);
        return path;
    }

    /// <summary>Gives all files their names.</summary>
    /// <param name="replaces">Whether a checkpoint is there that has nothing to do with this one.</param>
    /// <param name="isWeights">Whether a file belongs to the weights of a checkpoint, and goes with those that are replaced.</param>
    /// <param name="require">Refuses what came there meanwhile, when nobody else publishes any more.</param>
    /// <exception cref="IOException">The file system refuses.</exception>
    public void Publish(bool replaces, Predicate<string> isWeights, Action? require = null)
    {
        FlushFolders();
        using SafeFileHandle? turn = TakeTurn(_directory);
        require?.Invoke();
        if (_names.Count == 1 || !TryExchange(isWeights)) PublishInOrder(replaces, isWeights);
        _published = true;
    }

    /// <summary>Removes what was not published, and the folders that were made for nothing.</summary>
    public void Dispose()
    {
        _lock?.Dispose();
        RemoveStaging();
        if (_published) return;
        try
        {
            foreach (string folder in Enumerable.Reverse(_created))
                if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process writes there now.
        }
    }

    private static string RealOf(string directory) => Path.TrimEndingDirectorySeparator(RealPath.Of(directory));

    /// <summary>Who removes what was left, begins or publishes does so alone. The lock is on what it lies in: the directory itself is exchanged.</summary>
    private static SafeFileHandle? TakeTurn(string directory) => SystemCalls.TakeTurn(Path.GetDirectoryName(directory) ?? directory);

    private static string[] RemoveAll(string directory) =>
    [
        .. Unfinished.Remove(directory, Staged),
        .. Path.GetDirectoryName(directory) is string parent ? Unfinished.Remove(parent, Path.GetFileName(directory)) : [],
    ];

    /// <summary>Where turns cannot be taken, another process may think it left, and remove it, before it has its lock: once more, then.</summary>
    private void Begin()
    {
        for (int i = 1; _lock is null; i++)
        {
            _staging = Unfinished.NewPath(_directory, Staged);
            Directory.CreateDirectory(_staging);
            try
            {
                _lock = File.OpenHandle(Path.Combine(_staging, Unfinished.LockName), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (i < Tries && (e is DirectoryNotFoundException || Unfinished.IsHeld(e)))
            {
            }
        }
    }

    private void FlushFolders()
    {
        foreach (string folder in _names.Select(name => Path.GetDirectoryName(Path.Combine(_staging, name))!).Append(_staging).Distinct(StringComparer.Ordinal))
            SystemCalls.FlushDirectory(folder);
    }

    /// <summary>The new directory, with all that the old one has besides, and the old one get each other's names.</summary>
    private bool TryExchange(Predicate<string> isWeights)
    {
        if (OperatingSystem.IsWindows() || Path.GetDirectoryName(_directory) is not string parent) return false;
        string beside = Unfinished.NewPath(parent, Path.GetFileName(_directory));
        try
        {
            // A shell would find itself in the directory that goes.
            string current = RealPath.Of(Directory.GetCurrentDirectory());
            if (current == _directory || RealPath.IsInside(current, _directory)) return false;
            if (SystemCalls.HasMountInside(_directory)) return false;
            if (!TryTakeAlong(_directory, _staging, isWeights)) return false;
            File.SetUnixFileMode(_staging, File.GetUnixFileMode(_directory));
            Directory.Move(_staging, beside);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;                                  // no right to write next to it, or it is a mount: no exchange, but the files can be moved
        }
        _staging = beside;
        if (!SystemCalls.TryExchange(beside, _directory)) return false;
        SystemCalls.FlushDirectory(parent);
        File.Delete(Path.Combine(_directory, Unfinished.LockName));
        // What others wrote into the old directory between the links and the exchange. Where it cannot be linked, the old directory stays until
        // the next conversion.
        _takenAlong = 0;
        if (!TryTakeAlong(beside, _directory, isWeights)) _staging = "";
        return true;
    }

    /// <summary>Links what is not written anew. False: the file system has no links, a file is another user's, or there are too many; or another process
    /// writes a checkpoint here, whose files would go with the old directory.</summary>
    private bool TryTakeAlong(string from, string to, Predicate<string> isWeights)
    {
        foreach (FileSystemInfo entry in new DirectoryInfo(from).EnumerateFileSystemInfos())
        {
            string path = Path.Combine(to, entry.Name);
            if (entry.FullName == _staging || isWeights(entry.Name) || File.Exists(path)) continue;
            if (Unfinished.IsOf(entry.Name, Staged) || ++_takenAlong > MostTakenAlong) return false;
            if (entry.LinkTarget is string target)
            {
                if (!Path.Exists(path)) File.CreateSymbolicLink(path, target);
            }
            else if (entry is DirectoryInfo)
            {
                Directory.CreateDirectory(path);
                if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, entry.UnixFileMode);
                if (!TryTakeAlong(entry.FullName, path, static _ => false)) return false;
            }
            else if (!SystemCalls.TryLink(entry.FullName, path))
            {
                return false;
            }
        }
        SystemCalls.FlushDirectory(to);
        return true;
    }

    /// <summary>One after the other, config.json last: without it no model opens.</summary>
    private void PublishInOrder(bool replaces, Predicate<string> isWeights)
    {
        foreach (string name in _names) Create(Path.GetDirectoryName(Path.Combine(_directory, name))!);      // what cannot be made fails while the old is there
        if (replaces && _names.Count > 1) RemoveOld(name => isWeights(name) || (name == ConfigJson.FileName && _names.Contains(name)));
        var added = new List<string>();
        try
        {
            foreach (string name in _names.OrderBy(name => name == ConfigJson.FileName))
            {
                string path = Path.Combine(_directory, name);
                if (!Path.Exists(path)) added.Add(path);
                File.Move(Path.Combine(_staging, name), path, overwrite: true);
            }
        }
        catch
        {
            added.ForEach(File.Delete);
            throw;
        }
        SystemCalls.FlushDirectory(_directory);
        if (replaces && _names.Count == 1) RemoveOld(name => isWeights(name) && !_names.Contains(name));
    }

    /// <summary>config.json and the weights that are read first go first.</summary>
    private void RemoveOld(Predicate<string> isOld)
    {
        foreach (string name in Directory.EnumerateFiles(_directory).Select(path => Path.GetFileName(path)).Where(name => isOld(name))
            .OrderBy(name => name switch { ConfigJson.FileName => 0, Checkpoint.SingleFileName or Checkpoint.IndexFileName => 1, _ => 2 }).ToArray())
            File.Delete(Path.Combine(_directory, name));
        SystemCalls.FlushDirectory(_directory);
    }

    private void RemoveStaging()
    {
        try
        {
            if (Directory.Exists(_staging)) Directory.Delete(_staging, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next one that writes this checkpoint removes it.
        }
    }

    private void Create(string folder)
    {
        if (Directory.Exists(folder)) return;
        if (Path.GetDirectoryName(folder) is string parent) Create(parent);
        Directory.CreateDirectory(folder);
        _created.Add(folder);
    }
}
