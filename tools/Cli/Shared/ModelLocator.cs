namespace ManagedTransformers.Cli;

/// <summary>Finds checkpoints: a directory that the user names, or a demo model beside the program or in the clone around it.</summary>
internal static class ModelLocator
{
    public const string FillMask = "demo-fill-mask";
    public const string LanguageId = "demo-language-id";
    public const string CodeGen = "demo-codegen";

    /// <summary>The directory that --model names.</summary>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    public static string Resolve(string given)
    {
        if (Directory.Exists(given))
            return given;
        if (given is FillMask or LanguageId or CodeGen)
            return Demo(given);
        throw new DirectoryNotFoundException(File.Exists(given)
            ? $"{given} is a file. --model needs the directory with config.json, tokenizer files and model.safetensors."
            : $"There is no directory {given}. A checkpoint directory holds config.json, tokenizer files and model.safetensors.");
    }

    /// <summary>The directory of a demo model: models/NAME beside the program, or in a directory above it or above the current one.</summary>
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
        throw new DirectoryNotFoundException($"The demo model {name} is not beside mtx ({Path.Combine(AppContext.BaseDirectory, "models")}). Name a checkpoint directory with --model DIR.");
    }
}
