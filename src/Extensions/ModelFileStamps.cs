namespace ManagedTransformers.Extensions.AI;

/// <summary>Length and time of the files that a model is made of, to notice that they are no longer the same.</summary>
internal sealed class ModelFileStamps
{
    private static readonly string[] Extensions = [".json", ".txt", ".safetensors", ".bin", ".model", ".jinja"];

    private readonly (string Path, Stamp Stamp)[] _files;

    private ModelFileStamps((string Path, Stamp Stamp)[] files)
    {
        _files = files;
    }

    /// <summary>The files as they are now; none where there is no such directory, which loading says better.</summary>
    public static ModelFileStamps Of(string directory) => new(!Directory.Exists(directory) ? [] :
        [.. Directory.EnumerateFiles(directory, "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 })
            .Where(path => Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            .Order(StringComparer.Ordinal)
            .Select(path => (path, Stamp.Of(path)))]);

    /// <summary>The weight files that are read, largest formats' choice as the loader's: safetensors before PyTorch's.</summary>
    public IReadOnlyList<string> WeightFiles
    {
        get
        {
            string[] safetensors = [.. Having(".safetensors")];
            return safetensors.Length > 0 ? safetensors : [.. Having(".bin")];
        }
    }

    /// <summary>What is no longer as it was, in words; null: nothing.</summary>
    public string? Difference()
    {
        foreach ((string path, Stamp then) in _files)
        {
            Stamp now = Stamp.Of(path);
            if (now != then)
                return $"{path} was {then} when it was loaded and is {now} now";
        }
        return null;
    }

    private IEnumerable<string> Having(string extension) =>
        _files.Select(file => file.Path).Where(path => Path.GetExtension(path).Equals(extension, StringComparison.OrdinalIgnoreCase));

    /// <summary>Length and time of what a path leads to now, links followed: the hub's cache has links.</summary>
    private readonly record struct Stamp(bool Exists, string Target, long Length, DateTime Written)
    {
        public static Stamp Of(string path)
        {
            var file = new FileInfo(path);
            if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
                file = target;
            return file.Exists ? new Stamp(true, file.FullName, file.Length, file.LastWriteTimeUtc) : default;
        }

        public override string ToString() =>
            Exists ? string.Create(CultureInfo.InvariantCulture, $"{Length} bytes of {Written:yyyy-MM-dd HH:mm:ss.fff}") : "missing";
    }
}
