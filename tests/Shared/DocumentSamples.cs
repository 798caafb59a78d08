using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Testing;

/// <summary>The C# samples of a document and those between the marks of a test file: the same, in the same order, so that neither can change alone.</summary>
internal static partial class DocumentSamples
{
    public static void AssertSame(string document, [CallerFilePath] string testFile = "")
    {
        string tests = File.ReadAllText(testFile);
        string[] shown = [.. Of(document).Select(code => Usings().Replace(code, ""))];
        string[] run =
            [.. MarkedSample().Matches(tests).Select(match => match.Groups["code"].Value.Replace("\n        ", "\n", StringComparison.Ordinal).TrimStart(' '))];
        Assert.That(shown, Is.Not.Empty);
        Assert.That(shown, Is.EqualTo(run));
    }

    /// <summary>The C# samples of a document, as they are shown.</summary>
    public static IEnumerable<string> Of(string document) =>
        FencedCSharp().Matches(File.ReadAllText(Path.Combine(RepositoryRoot.Path, document))).Select(match => match.Groups["code"].Value);

    /// <summary>What a test has at the top of its file, for all samples together.</summary>
    [GeneratedRegex(@"\A(using [A-Z][\w.]*;\n)+\n", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Usings();

    [GeneratedRegex(@"```csharp\n(?<code>.*?)```", RegexOptions.Singleline, matchTimeoutMilliseconds: 5000)]
    private static partial Regex FencedCSharp();

    [GeneratedRegex(@"        // sample\n(?<code>.*?)        // end", RegexOptions.Singleline, matchTimeoutMilliseconds: 5000)]
    private static partial Regex MarkedSample();
}
