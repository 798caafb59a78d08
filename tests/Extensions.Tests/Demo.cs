namespace ManagedTransformers.Extensions.Tests;

/// <summary>The demo models, and copies of them that a test may change.</summary>
internal static class Demo
{
    public static string Embed { get; } = Path.Combine(RepositoryRoot.Path, "models", "demo-embed");
    public static string FillMask { get; } = Path.Combine(RepositoryRoot.Path, "models", "demo-fill-mask");
    public static string LanguageId { get; } = Path.Combine(RepositoryRoot.Path, "models", "demo-language-id");
    public static string Tag { get; } = Path.Combine(RepositoryRoot.Path, "models", "demo-tag");
    public static string CodeGen { get; } = Path.Combine(RepositoryRoot.Path, "models", "demo-codegen");

    /// <summary>A directory of the test's own.</summary>
    public static string Scratch()
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, "scratch", Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(path);
        return path;
    }

    public static string CopyOf(string model, string? to = null)
    {
        to ??= Scratch();
        foreach (string file in Directory.GetFiles(model, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy, overwrite: true);
        }
        return to;
    }
}
