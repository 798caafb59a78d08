namespace ManagedTransformers.Cli;

/// <summary>Finds the page that <c>dotnet publish tools/Playground</c> makes.</summary>
internal static class PublishedPlayground
{
    private static readonly string InClone = Path.Combine("tools", "Playground", "bin", "Release", "net10.0", "publish", "wwwroot");

    /// <summary>The folder that is given, else <c>playground</c> next to the program, else that of a clone around the program or the current
    /// directory.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no published page; the message says how to make one.</exception>
    public static string Find(string? given)
    {
        if (given is not null)
            return IsPublished(given) ? given : throw new DirectoryNotFoundException(
                $"{given} is no published playground: it has no index.html with _framework/dotnet.js beside it. "
                + "Make one with dotnet publish tools/Playground -o DIR, and name DIR/wwwroot.");
        string beside = Path.Combine(AppContext.BaseDirectory, "playground");
        return Places().Prepend(beside).FirstOrDefault(IsPublished) ?? throw new DirectoryNotFoundException(
            $"The playground is not published: neither {beside} nor {InClone} of a clone has it. Run dotnet publish tools/Playground in the clone once, "
            + "or name the folder with --folder DIR.");
    }

    private static IEnumerable<string> Places()
    {
        foreach (string start in new[] { AppContext.BaseDirectory, Environment.CurrentDirectory })
        {
            for (DirectoryInfo? directory = new(start); directory is not null; directory = directory.Parent)
                yield return Path.Combine(directory.FullName, InClone);
        }
    }

    private static bool IsPublished(string folder) =>
        File.Exists(Path.Combine(folder, "index.html")) && File.Exists(Path.Combine(folder, "_framework", "dotnet.js"));
}
