namespace ManagedTransformers.Cli;

/// <summary>Files that are part of mtx itself.</summary>
internal static class EmbeddedFiles
{
    /// <summary>The names that begin so.</summary>
    public static IEnumerable<string> Names(string start) =>
        typeof(EmbeddedFiles).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(start, StringComparison.Ordinal));

    /// <summary>A file's text by its name, such as <c>page/page.css</c>.</summary>
    public static string Read(string name)
    {
        using Stream stream = typeof(EmbeddedFiles).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"mtx was built without {name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
