namespace ManagedTransformers.Cli;

/// <summary>Files that are part of mtx itself.</summary>
internal static class EmbeddedFiles
{
    /// <summary>A file's text by its name, such as <c>page/page.css</c>.</summary>
    public static string Read(string name)
    {
        using Stream stream = typeof(EmbeddedFiles).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"mtx was built without {name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
