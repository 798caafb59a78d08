using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Testing;

/// <summary>The C# samples of a document and those between the marks of a test file: the same, in the same order, so that neither can change alone.</summary>
internal static partial class DocumentSamples
{
    public static void AssertSame(string document, [CallerFilePath] string testFile = "")
    {
        string text = File.ReadAllText(Path.Combine(RepositoryRoot.Path, document));
        string tests = File.ReadAllText(testFile);
        string[] shown = [.. FencedCSharp().Matches(text).Select(match => match.Groups["code"].Value)];
        string[] run =
            [.. MarkedSample().Matches(tests).Select(match => match.Groups["code"].Value.Replace("\n        ", "\n", StringComparison.Ordinal).TrimStart(' '))];
        Assert.That(shown, Is.Not.Empty);
        Assert.That(shown, Is.EqualTo(run));
    }

    [GeneratedRegex(@"```csharp\n(?<code>.*?)```", RegexOptions.Singleline, matchTimeoutMilliseconds: 5000)]
    private static partial Regex FencedCSharp();

    [GeneratedRegex(@"        // sample\n(?<code>.*?)        // end", RegexOptions.Singleline, matchTimeoutMilliseconds: 5000)]
    private static partial Regex MarkedSample();
}
