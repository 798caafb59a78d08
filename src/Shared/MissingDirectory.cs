namespace ManagedTransformers;

/// <summary>What is said where the directory of a checkpoint is not there.</summary>
internal static class MissingDirectory
{
    private const string Needed = "A checkpoint directory holds config.json, tokenizer files and model.safetensors.";

    /// <summary>Refuses a path that is no directory.</summary>
    /// <returns>The absolute path.</returns>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    public static string Require(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        return Directory.Exists(directory) ? Path.GetFullPath(directory) : throw new DirectoryNotFoundException(Describe(directory));
    }

    /// <summary>The message: the absolute path, and for what looks like a model of the hub where that is.</summary>
    public static string Describe(string directory)
    {
        string full = Path.GetFullPath(directory);
        if (File.Exists(directory))
            return $"{full} is a file; the directory that it is in is needed. {Needed}";
        return IsNameOfHub(directory)
            ? $"There is no directory {full}. If {directory} is a model of the hub, download it (mtx pull {directory}, or HubClient of the package " +
                $"ManagedTransformers.Hub), and open the directory that HubCache.Default.Find(\"{directory}\") gives."
            : $"There is no directory {full}. {Needed}";
    }

    /// <summary>org/name, of the characters that the hub allows.</summary>
    private static bool IsNameOfHub(string text) =>
        text.Split('/') is [{ Length: > 0 } organisation, { Length: > 0 } name] && IsPart(organisation) && IsPart(name);

    private static bool IsPart(string part) => char.IsAsciiLetterOrDigit(part[0]) && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
