namespace ManagedTransformers.Extensions.AI;

/// <summary>Where an app's models are.</summary>
internal static class ModelDirectories
{
    /// <summary>A relative path begins at the app's content root (the current directory where there is no host); what is not there is looked for beside the
    /// app's own files, where published models lie.</summary>
    /// <exception cref="DirectoryNotFoundException">It is in neither place.</exception>
    public static string Find(string path, string? contentRoot)
    {
        string[] places = [.. new[] { Path.Combine(contentRoot ?? Environment.CurrentDirectory, path), Path.Combine(AppContext.BaseDirectory, path) }
            .Select(Path.GetFullPath).Distinct()];
        return Array.Find(places, Directory.Exists) ?? throw new DirectoryNotFoundException(
            $"The model \"{path}\" is {(places.Length > 1 ? "neither " : "not ")}{string.Join(" nor ", places)}. " +
            "Give the directory of a checkpoint: absolute, or relative to the app's content root.");
    }
}
