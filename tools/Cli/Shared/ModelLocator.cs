using ManagedTransformers.Hub;

namespace ManagedTransformers.Cli;

/// <summary>
/// Finds checkpoints: a directory that the user names, a model in the hub's cache, or a demo model next to the program or in the clone
/// around it. Nothing is downloaded.
/// </summary>
internal static class ModelLocator
{
    public const string FillMask = "demo-fill-mask";
    public const string LanguageId = "demo-language-id";
    public const string Tagger = "demo-tag";
    public const string Embedder = "demo-embed";
    public const string Generator = "demo-codegen";

    /// <summary>All demo models.</summary>
    public static IReadOnlyList<string> Demos { get; } = [Generator, FillMask, LanguageId, Tagger, Embedder];

    /// <summary>The directory that --model names. A name that is also a directory means the directory.</summary>
    /// <param name="given">A directory, a demo model, or org/name[@revision] in the hub's cache.</param>
    /// <param name="revision">What --revision says.</param>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    /// <exception cref="HubException">It is a model's name on the hub, and the cache does not have it.</exception>
    public static string Resolve(string given, string? revision)
    {
        bool directory = Directory.Exists(given);
        bool demo = Demos.Contains(given);
        if (revision is not null && (directory || demo))
            throw new UsageException(
                $"--revision {revision} is for models in the hub's cache; {given} is {(directory ? "a directory" : "a demo model")}. Leave it out.");
        if (directory)
            return given;
        if (demo)
            return Demo(given);
        if (File.Exists(given))
            throw new DirectoryNotFoundException($"{given} is a file. --model needs the directory with config.json, tokenizer files and model.safetensors.");
        if (HubModelId.IsName(given))
            return FindInCache(given, revision);
        throw new DirectoryNotFoundException(
            $"There is no directory {given}. A checkpoint directory holds config.json, tokenizer files and model.safetensors. " +
            "(Nor is it a model's name on the hub, which is org/name or org/name@revision.)");
    }

    private static string FindInCache(string name, string? revision)
    {
        try
        {
            return HubCache.Default.Find(name, revision);
        }
        catch (HubException e)
        {
            throw new HubException($"There is no directory {name}. {e.Message}", e);
        }
    }

    /// <summary>The directory of a demo model: models/NAME next to the program, or in a directory above it or above the current one.</summary>
    /// <exception cref="DirectoryNotFoundException">It is in none of them.</exception>
    public static string Demo(string name)
    {
        foreach (string start in new[] { AppContext.BaseDirectory, Environment.CurrentDirectory })
        {
            for (DirectoryInfo? directory = new(start); directory is not null; directory = directory.Parent)
            {
                string candidate = Path.Combine(directory.FullName, "models", name);
                if (File.Exists(Path.Combine(candidate, "config.json")))
                    return candidate;
            }
        }
        throw new DirectoryNotFoundException(
            $"The demo model {name} is not next to mtx ({Path.Combine(AppContext.BaseDirectory, "models")}). Name a checkpoint directory with --model DIR.");
    }
}
