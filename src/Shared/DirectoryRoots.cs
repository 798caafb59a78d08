namespace ManagedTransformers;

/// <summary>Where the files of a directory may really lie, links followed: in the directory itself and, for a snapshot in the hub's cache, among the blobs of
/// that repository. Compiled into each project that reads directories, so that all hold the same rule.</summary>
internal sealed class DirectoryRoots
{
    private const string Models = "models--";

    private readonly List<string> _roots;

    public DirectoryRoots(string directory)
    {
        string real = RealPath.Of(directory);
        _roots = [real];
        if (HubBlobs(real) is string blobs) _roots.Add(blobs);
    }

    /// <summary>Whether a path with every link followed (<see cref="RealPath.Of"/>) lies in one of them.</summary>
    public bool Contain(string realPath) => _roots.Exists(root => RealPath.IsInside(realPath, root));

    /// <summary><c>org/name</c> of a directory in a snapshot of the hub's cache; null: it is no such directory.</summary>
    public static string? HubName(string directory) => HubRepository(directory)?.Name[Models.Length..].Replace("--", "/", StringComparison.Ordinal);

    /// <summary>The hub's cache links <c>models--org--name/snapshots/REVISION/file</c> to <c>models--org--name/blobs/HASH</c>.</summary>
    private static string? HubBlobs(string directory) => HubRepository(directory) is { } repository ? Path.Combine(repository.FullName, "blobs") : null;

    private static DirectoryInfo? HubRepository(string directory)
    {
        for (DirectoryInfo? at = new(directory); at.Parent is { } parent; at = parent)
            if (parent.Name == "snapshots" && parent.Parent is { } repository && repository.Name.StartsWith(Models, StringComparison.Ordinal))
                return repository;
        return null;
    }
}
