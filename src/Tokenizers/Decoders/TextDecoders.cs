using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>A decoder that writes each token by itself, knowing whether it is the first.</summary>
internal abstract class TokenwiseDecoder : TokenDecoder
{
    public sealed override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(this, continues);

    /// <summary>What a token becomes.</summary>
    protected abstract string Text(string token, bool first);

    private sealed class State(TokenwiseDecoder decoder, bool started) : DecoderState
    {
        private bool _started = started;

        public override string Append(string token)
        {
            string text = decoder.Text(token, first: !_started);
            _started = true;
            return text;
        }
    }
}

/// <summary>Marks to spaces; in the first token they go, unless the tokenizer puts none before texts.</summary>
internal sealed class MetaspaceDecoder(char mark, PrependScheme scheme) : TokenwiseDecoder
{
    protected override string Text(string token, bool first) => first && scheme != PrependScheme.Never
        ? token.Replace(mark.ToString(), "", StringComparison.Ordinal)
        : token.Replace(mark, ' ');
}

/// <summary>Puts a text in place of every match in a token.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : TokenwiseDecoder
{
    protected override string Text(string token, bool first) => token.Length == 0 ? token : pattern.Replace(token, content, CancellationToken.None);
}

/// <summary>Takes a character off the ends of every token, at most as often as it says.</summary>
internal sealed class StripDecoder(char content, int start, int stop) : TokenwiseDecoder
{
    /// <summary>The character.</summary>
    public char Content { get; } = content;

    /// <summary>How often it may be taken off the beginning.</summary>
    public int FromStart { get; } = start;

    /// <summary>How often it may be taken off the end.</summary>
    public int FromStop { get; } = stop;

    /// <summary>How many characters of a beginning go.</summary>
    public int Leading(ReadOnlySpan<char> text, int most)
    {
        int count = 0;
        while (count < most && count < text.Length && text[count] == Content) count++;
        return count;
    }

    protected override string Text(string token, bool first)
    {
        int leading = Leading(token, FromStart), end = token.Length;
        while (end > leading && token.Length - end < FromStop && token[end - 1] == Content) end--;
        return token[leading..end];
    }
}

/// <summary>Tokens that are bytes, <c>&lt;0x0A&gt;</c>, to text: a run of them that is not UTF-8 is one U+FFFD per byte. What a run is shows only at its
/// end.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    public override bool DecodesParts => false;

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(errors);

    private sealed class State(InvalidUtf8 errors) : DecoderState
    {
        private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

        private readonly List<byte> _bytes = [];

        public override string Append(string token) => string.Concat(Tokens(token));

        public override string Flush() => string.Concat(LastTokens());

        public override IReadOnlyList<string> Tokens(string token)
        {
            if (token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(
                token.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture, out byte value))
            {
                _bytes.Add(value);
                return [];
            }
            return [.. LastTokens(), token];
        }

        public override IReadOnlyList<string> LastTokens()
        {
            if (_bytes.Count == 0) return [];
            byte[] bytes = [.. _bytes];
            _bytes.Clear();
            try
            {
                return [Strict.GetString(bytes)];
            }
            catch (DecoderFallbackException e)
            {
                return errors switch
                {
                    InvalidUtf8.Ignore => [],
                    InvalidUtf8.Replace => [.. Enumerable.Repeat("\uFFFD", bytes.Length)],
                    _ => throw new TokenizerException($"The bytes {Convert.ToHexString(bytes)} of the decoded tokens are not UTF-8 (errors = strict). " +
                        "Decode more tokens at a time, or use InvalidUtf8.Replace or Ignore.", e),
                };
            }
        }
    }
}

/// <summary>Words that end in a suffix (<c>&lt;/w&gt;</c>): it becomes a space, at the end of the text nothing.</summary>
internal sealed class BpeDecoder(string suffix) : TokenDecoder
{
    public override bool DecodesParts => false;

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(new LiteralPattern(suffix));

    private sealed class State(LiteralPattern suffix) : DecoderState
    {
        private string? _held;

        public override IReadOnlyList<string> Tokens(string token)
        {
            bool first = _held is null;
            string text = Append(token);
            return first ? [] : [text];
        }

        public override string Append(string token)
        {
            string text = Text(" ");
            _held = token;
            return text;
        }

        public override string Flush()
        {
            string text = Text("");
            _held = null;
            return text;
        }

        private string Text(string end) => _held is null ? "" : suffix.Replace(_held, end, CancellationToken.None);
    }
}

/// <summary>Tokens of a recogniser that gives one per step: a token that comes again is the same one, the pad token stands between two.</summary>
internal sealed class CtcDecoder(string padToken, string wordDelimiterToken, bool cleanup) : TokenDecoder
{
    public override bool DecodesParts => false;

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(padToken, new LiteralPattern(wordDelimiterToken), cleanup);

    private sealed class State(string padToken, LiteralPattern wordDelimiter, bool cleanup) : DecoderState
    {
        private string? _last;

        public override IReadOnlyList<string> Tokens(string token) => Append(token) is { Length: > 0 } text ? [text] : [];

        public override string Append(string token)
        {
            if (token == _last) return "";
            _last = token;
            string text = padToken.Length == 0 ? token : token.Replace(padToken, "", StringComparison.Ordinal);
            return cleanup ? wordDelimiter.Replace(CleanUp.WordPiece(text), " ", CancellationToken.None) : text;
        }
    }
}
