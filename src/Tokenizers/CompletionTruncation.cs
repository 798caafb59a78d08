using System.Text.RegularExpressions;

namespace ManagedTransformers.Tokenizers;

/// <summary>Cuts what a model wrote where its next program part begins: truncate_before_pattern.</summary>
/// <remarks>transformers' CodeGenTokenizer.truncate.</remarks>
public static partial class CompletionTruncation
{
    private const RegexOptions Multiline = RegexOptions.Multiline | RegexOptions.CultureInvariant;

    // A pattern comes from a user; one with nested repetition could run for ever.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Cuts a completion before the second top-level print, then before the second def, then at the earliest match of any pattern.</summary>
    /// <param name="completion">The text.</param>
    /// <param name="patterns">Regular expressions as Python's re reads them with MULTILINE.</param>
    /// <exception cref="TokenizerException">A pattern is wrong or takes too long.</exception>
    public static string Truncate(string completion, IReadOnlyList<string> patterns)
    {
        ArgumentNullException.ThrowIfNull(completion);
        ArgumentNullException.ThrowIfNull(patterns);
        Regex[] terminals = [.. patterns.Select(Compile)];
        completion = BeforeSecondLine(completion, "print");
        completion = BeforeSecondLine(completion, "def");
        int earliest = completion.Length;
        foreach (Regex terminal in terminals)
        {
            try
            {
                if (terminal.Match(completion) is { Success: true } match) earliest = Math.Min(earliest, match.Index);
            }
            catch (RegexMatchTimeoutException e)
            {
                throw new TokenizerException(
                    $"The pattern {Vocabulary.Show(e.Pattern)} of truncate_before_pattern took longer than {Patience.TotalSeconds} s on a text of " +
                    $"{completion.Length} characters. Write it without nested repetition.", e);
            }
        }
        return completion[..earliest];
    }

    // "^print" and "^def" of the original, with re.MULTILINE: a line that starts so.
    private static string BeforeSecondLine(string text, string start)
    {
        bool found = false;
        for (int line = 0; ; line++)
        {
            if (text.AsSpan(line).StartsWith(start, StringComparison.Ordinal))
            {
                if (found) return text[..line];
                found = true;
            }
            line = text.IndexOf('\n', line);
            if (line < 0) return text;
        }
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(FromPython(pattern), Multiline, Patience);
        }
        catch (ArgumentException e)
        {
            throw new TokenizerException($"The pattern {Vocabulary.Show(pattern)} of truncate_before_pattern is not a regular expression: {e.Message}", e);
        }
    }

    /// <summary>Python's spelling of what .NET spells differently: \Z, (?P&lt;name&gt;…), (?P=name), {,n}.</summary>
    internal static string FromPython(string pattern) => PythonSpelling().Replace(pattern, match => match.Value switch
    {
        @"\Z" => @"\z",
        "(?P<" => "(?<",
        "{," => "{0,",
        var escaped when escaped[0] == '\\' => escaped,
        _ => @"\k<" + match.Groups["name"].Value + ">",
    });

    // The first alternative takes every escaped character along, so that none is taken for a piece of syntax.
    [GeneratedRegex(@"\\.|\(\?P<|\(\?P=(?<name>\w+)\)|\{,(?=\d+\})", RegexOptions.Singleline | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 2000)]
    private static partial Regex PythonSpelling();
}
