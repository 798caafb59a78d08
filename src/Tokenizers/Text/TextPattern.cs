using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>Finds the places of a text that a component of tokenizer.json cuts at or replaces.</summary>
internal abstract class TextPattern
{
    /// <summary>The leftmost match that begins at or after <paramref name="from"/>, in units of <paramref name="text"/>; it may be empty. False: there is
    /// none.</summary>
    public abstract bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end);

    /// <summary>The pattern for all matches in one text, which may remember what it has read of it.</summary>
    public virtual TextPattern ForOneText() => this;

    /// <summary>The text with another in place of every match.</summary>
    public virtual string Replace(string text, string content, CancellationToken cancellationToken)
    {
        var matches = new Matches(this, text);
        if (!matches.Next(out int start, out int end)) return text;
        var replaced = new StringBuilder(text.Length);
        int done = 0;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            replaced.Append(text, done, start - done).Append(content);
            done = end;
        }
        while (matches.Next(out start, out end));
        return replaced.Append(text, done, text.Length - done).ToString();
    }
}

/// <summary>The matches of a pattern in a text, one after the other. An empty one does not follow at the end of another.</summary>
/// <remarks>FindMatches of the onig crate.</remarks>
internal ref struct Matches(TextPattern pattern, ReadOnlySpan<char> text)
{
    private readonly ReadOnlySpan<char> _text = text;
    private readonly TextPattern _pattern = pattern.ForOneText();
    private int _from = 0;
    private int _last = -1;         // where the last match ends

    /// <summary>The next match; false: there is none.</summary>
    public bool Next(out int start, out int end)
    {
        (start, end) = (0, 0);
        while (_from <= _text.Length && _pattern.TryFind(_text, _from, out start, out end))
        {
            if (start < end || end != _last)
            {
                _from = _last = end;
                return true;
            }
            _from += end < _text.Length && char.IsHighSurrogate(_text[end]) ? 2 : 1;
        }
        return false;
    }
}

/// <summary>A text, found as it is. The empty one is before and after every character.</summary>
internal sealed class LiteralPattern(string literal) : TextPattern
{
    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        int found = text[from..].IndexOf(literal, StringComparison.Ordinal);
        (start, end) = (from + found, from + found + literal.Length);
        return found >= 0;
    }

    public override string Replace(string text, string content, CancellationToken cancellationToken) =>
        literal.Length == 0 ? base.Replace(text, content, cancellationToken) : text.Replace(literal, content, StringComparison.Ordinal);
}

/// <summary>Runs of one character that are long enough: <c> {2,}</c>, with which XLM-R's normalizer ends.</summary>
internal sealed class RunPattern(char character, int least) : TextPattern
{
    private readonly string _shortest = new(character, least);

    /// <summary>The pattern of a regular expression of this form; null where it has another.</summary>
    public static RunPattern? Of(string source) =>
        source is [' ' or (>= 'a' and <= 'z'), '{', >= '1' and <= '9', ',', '}'] ? new RunPattern(source[0], source[2] - '0') : null;

    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        int found = text[from..].IndexOf(_shortest, StringComparison.Ordinal);
        (start, end) = (from + found, from + found);
        if (found < 0) return false;
        int length = text[start..].IndexOfAnyExcept(character);
        end = length < 0 ? text.Length : start + length;
        return true;
    }
}

/// <summary>Every single character of a class.</summary>
internal sealed class ClassPattern(CodePointClass any) : TextPattern
{
    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        for (start = from; start < text.Length; start = end)
        {
            bool match = CodePoints.Is(CodePoints.At(text, start, out int length), any);
            end = start + length;
            if (match) return true;
        }
        end = start;
        return false;
    }
}

/// <summary>What the Whitespace pre-tokenizer keeps: <c>\w+|[^\w\s]+</c>, by hand.</summary>
internal sealed class WordPattern : TextPattern
{
    private const CodePointClass Asked = CodePointClass.Word | CodePointClass.Space;

    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        for (start = from; start < text.Length; start = end)
        {
            bool? word = KindAt(text, start, out int length);
            end = start + length;
            if (word is null) continue;
            while (end < text.Length && KindAt(text, end, out length) == word) end += length;
            return true;
        }
        end = start;
        return false;
    }

    // Of a word: true; beside words: false; white space: null. What is both is a word's, which the pattern asks for first.
    private static bool? KindAt(ReadOnlySpan<char> text, int index, out int length)
    {
        CodePointClass kind = CodePoints.ClassOf(CodePoints.At(text, index, out length)) & Asked;
        return kind == CodePointClass.None ? false : kind.HasFlag(CodePointClass.Word) ? true : null;
    }
}

/// <summary>GPT-2's own pattern as a user-given one.</summary>
internal sealed class Gpt2TextPattern : TextPattern
{
    public const string Source = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        (start, end) = (from, from < text.Length ? Gpt2Pattern.NextWord(text, from) : from);
        return from < text.Length;
    }
}

/// <summary>The pattern of Llama 3 (runs of at most three digits) and Qwen2 (single digits), by hand: contractions in any case, a letter run with what stands
/// before it, digits, a run of other characters with the line ends after it, line ends, white space.</summary>
/// <remarks>The pattern of cl100k_base of tiktoken. Every text is all words: nothing stands between two matches.</remarks>
internal sealed class LineAwarePattern(int mostDigits) : TextPattern
{
    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|";
    private const string Letters = @"[^\r\n\p{L}\p{N}]?\p{L}+|";
    private const string Others = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The pattern, where it is written as Llama 3's or Qwen2's; null where it is another.</summary>
    public static LineAwarePattern? Of(string source) => source switch
    {
        Contractions + Letters + @"\p{N}" + Others => new LineAwarePattern(1),
        Contractions + Letters + @"\p{N}{1,3}" + Others => new LineAwarePattern(3),
        _ => null,
    };

    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        (start, end) = (from, from < text.Length ? NextWord(text, from) : from);
        return from < text.Length;
    }

    private int NextWord(ReadOnlySpan<char> text, int start)
    {
        int first = CodePoints.At(text, start, out int length);
        if (first == '\'' && Contraction(text[(start + 1)..]) is int contraction and > 0) return start + 1 + contraction;
        CodePointClass kind = CodePoints.WordClassOf(first);
        int next = start + length;
        if (kind == CodePointClass.Letter) return CodePoints.EndOfRun(text, next, CodePointClass.Letter);
        if (kind == CodePointClass.Number) return EndOfDigits(text, next);

        // One character that is no line end belongs to the letters after it, a space also to other characters.
        CodePointClass? follows = next < text.Length ? CodePoints.WordClassOf(CodePoints.At(text, next, out length)) : null;
        if (follows == CodePointClass.Letter && first is not ('\r' or '\n')) return CodePoints.EndOfRun(text, next + length, CodePointClass.Letter);
        if (kind == CodePointClass.None) return EndOfLines(text, CodePoints.EndOfRun(text, next, CodePointClass.None));
        if (first == ' ' && follows == CodePointClass.None) return EndOfLines(text, CodePoints.EndOfRun(text, next + length, CodePointClass.None));
        return EndOfSpace(text, start);
    }

    private int EndOfDigits(ReadOnlySpan<char> text, int i)
    {
        for (int digits = 1; digits < mostDigits && i < text.Length; digits++)
        {
            if (CodePoints.WordClassOf(CodePoints.At(text, i, out int length)) != CodePointClass.Number) break;
            i += length;
        }
        return i;
    }

    // "\s*[\r\n]+": up to the last line end; "\s+(?!\S)": up to the end, or all but the last where something follows.
    private static int EndOfSpace(ReadOnlySpan<char> text, int start)
    {
        int end = CodePoints.EndOfRun(text, start, CodePointClass.Space);
        int line = text[start..end].LastIndexOfAny('\r', '\n');
        if (line >= 0) return start + line + 1;
        return end == text.Length || end == start + 1 ? end : end - 1;
    }

    private static int EndOfLines(ReadOnlySpan<char> text, int i)
    {
        while (i < text.Length && text[i] is '\r' or '\n') i++;
        return i;
    }

    // The long s is an s in any case.
    private static int Contraction(ReadOnlySpan<char> after)
    {
        if (after.IsEmpty) return 0;
        if (after[0] == '\u017F' || (after[0] | 0x20) is 's' or 't' or 'm' or 'd') return 1;
        return after.Length >= 2 && ((char)(after[0] | 0x20), (char)(after[1] | 0x20)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 2 : 0;
    }
}
