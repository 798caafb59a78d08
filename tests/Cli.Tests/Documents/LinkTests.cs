using System.Text.RegularExpressions;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Links between the documents and to the code lead to what is there.</summary>
internal sealed partial class LinkTests
{
    public static IEnumerable<string> Documents() =>
        new[] { "docs", "bench", "models", "samples", "tests/data", "tools/reference" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Folders.Repository, folder), "*.md", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateFiles(Folders.Repository, "*.md"))
            .Select(path => Path.GetRelativePath(Folders.Repository, path).Replace('\\', '/'));

    [TestCaseSource(nameof(Documents))]
    public void Every_link_leads_to_a_file_and_a_heading(string document)
    {
        string path = Path.Combine(Folders.Repository, document);
        string text = CodeBlock().Replace(File.ReadAllText(path), "");
        foreach (Match link in Link().Matches(text).Where(link => !link.Groups["file"].Value.Contains(':', StringComparison.Ordinal)))
        {
            string target = link.Groups["file"].Length == 0 ? path : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, link.Groups["file"].Value));
            Assert.That(File.Exists(target), $"{link.Value}: there is no file {target} (the site of the documents shows no folders)");
            if (link.Groups["heading"].Success)
                Assert.That(Headings(target), Does.Contain(link.Groups["heading"].Value), link.Value);
        }
    }

    // As GitHub makes anchors: lower case, without punctuation, hyphens for spaces.
    private static IEnumerable<string> Headings(string path) =>
        Heading().Matches(CodeBlock().Replace(File.ReadAllText(path), ""))
            .Select(heading => Punctuation().Replace(heading.Groups["title"].Value.ToLowerInvariant(), "").Replace(' ', '-'));

    [GeneratedRegex(@"\]\((?<file>[^)#\s]*)(#(?<heading>[^)\s]+))?\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ (?<title>.+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]", RegexOptions.None, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Punctuation();

    [GeneratedRegex(@"^```[\s\S]*?^```", RegexOptions.Multiline, matchTimeoutMilliseconds: 5000)]
    private static partial Regex CodeBlock();
}
