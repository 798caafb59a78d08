namespace ManagedTransformers.Extensions.AI;

/// <summary>Where an app's models are.</summary>
internal static class ModelDirectories
{
    /// <summary>A relative path begins at the app's content root (the current directory where there is no host); what is not there is looked for beside the
    /// app's own files, where published models lie.</summary>
    public static IReadOnlyList<string> PlacesOf(string path, string? contentRoot) =>
        [.. new[] { Path.Combine(contentRoot ?? Environment.CurrentDirectory, path), Path.Combine(AppContext.BaseDirectory, path) }
            .Select(Path.GetFullPath).Distinct()];

    /// <summary>The first place that is a directory.</summary>
    /// <param name="places">Absolute paths.</param>
    /// <param name="name">What the model is called.</param>
    /// <exception cref="DirectoryNotFoundException">None is.</exception>
    public static string Require(IReadOnlyList<string> places, string name)
    {
        if (places.FirstOrDefault(Directory.Exists) is string found)
            return found;
        if (places.FirstOrDefault(File.Exists) is string file)
            throw new DirectoryNotFoundException($"The model {name}: {MissingDirectory.Describe(file)}");
        throw new DirectoryNotFoundException(places.Count == 1 ? $"The model {name}: {MissingDirectory.Describe(places[0])}"
            : $"The model {name} is neither {string.Join(" nor ", places)}. " +
                "Give the directory of a checkpoint: absolute, or relative to the app's content root.");
    }
}
