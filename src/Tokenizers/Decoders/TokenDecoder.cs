using System.Text;

namespace ManagedTransformers.Tokenizers;


/// <summary>Turns tokens into text: the kind of decoder. The work is done by a <see cref="DecoderState"/> per text.</summary>
internal abstract class TokenDecoder
{
    /// <summary>Whether a part of a text that begins and ends with whole characters can be decoded by itself.</summary>
    public virtual bool DecodesParts => true;

    /// <summary>Starts a text.</summary>
    /// <param name="errors">What happens where bytes are not UTF-8.</param>
    /// <param name="continues">Tokens stand before these: they are a part of a text that was begun.</param>
    public abstract DecoderState Start(InvalidUtf8 errors, bool continues = false);

    /// <summary>Whether all its text is one token for the decoder behind it.</summary>
    public virtual bool GivesOneToken => false;
}

/// <summary>A text in the making.</summary>
internal abstract class DecoderState
{
    /// <summary>Takes the next token; returns the text that is now certain.</summary>
    public abstract string Append(string token);

    /// <summary>Returns what is still held back.</summary>
    public virtual string Flush() => "";

    /// <summary>Takes the next token; returns what another decoder gets for it.</summary>
    public virtual IReadOnlyList<string> Tokens(string token) => [Append(token)];

    /// <summary>Returns what another decoder gets of what is still held back.</summary>
    public virtual IReadOnlyList<string> LastTokens() => Flush() is { Length: > 0 } rest ? [rest] : [];
}

/// <summary>No decoder: the tokens with spaces between them.</summary>
internal sealed class SpaceDecoder : TokenDecoder
{
    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(continues);

    private sealed class State(bool started) : DecoderState
    {
        private bool _started = started;

        public override string Append(string token)
        {
            string text = _started ? " " + token : token;
            _started = true;
            return text;
        }
    }
}

/// <summary>The tokens as they are; Fuse of the library.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    public override bool GivesOneToken => true;

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State();

    private sealed class State : DecoderState
    {
        public override string Append(string token) => token;
    }
}

/// <summary>Joins pieces that carry on a word (<c>##ing</c>); all other tokens have a space before them.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : TokenDecoder
{
    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(prefix, cleanup, continues);

    private sealed class State(string prefix, bool cleanup, bool started) : DecoderState
    {
        private bool _started = started;

        public override string Append(string token)
        {
            string text = token;
            if (_started) text = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
            _started = true;
            return cleanup ? CleanUp.WordPiece(text) : text;
        }
    }
}

/// <summary>Byte-level tokens to bytes, bytes to text; a character split over tokens appears when its last byte has come.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override bool GivesOneToken => true;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly System.Text.Encoding Ignoring =
        System.Text.Encoding.GetEncoding("utf-8", new EncoderReplacementFallback(""), new DecoderReplacementFallback(""));

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(errors switch
    {
        InvalidUtf8.Strict => Strict,
        InvalidUtf8.Ignore => Ignoring,
        _ => System.Text.Encoding.UTF8,
    });

    private sealed class State(System.Text.Encoding encoding) : DecoderState
    {
        private readonly Decoder _decoder = encoding.GetDecoder();
        private readonly List<byte> _bytes = [];
        private char[] _characters = new char[64];

        public override string Append(string token)
        {
            _bytes.Clear();
            ByteAlphabet.AppendBytes(token, _bytes);
            return Convert(flush: false);
        }

        public override string Flush()
        {
            _bytes.Clear();
            return Convert(flush: true);
        }

        private string Convert(bool flush)
        {
            ReadOnlySpan<byte> bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes);
            int most = (bytes.Length + 4) * 2;
            if (_characters.Length < most) _characters = new char[most];
            try
            {
                return new string(_characters, 0, _decoder.GetChars(bytes, _characters, flush));
            }
            catch (DecoderFallbackException e)
            {
                string invalid = System.Convert.ToHexString(e.BytesUnknown ?? []);
                throw new TokenizerException($"The bytes {invalid} of the decoded tokens are not UTF-8 (errors = strict). " +
                    "Decode more tokens at a time, or use InvalidUtf8.Replace or Ignore.", e);
            }
        }
    }
}

/// <summary>Takes out the spaces that a tokenizer put before punctuation and English contractions.</summary>
internal static class CleanUp
{
    /// <summary>clean_up_tokenization of transformers.</summary>
    public static string Transformers(string text)
    {
        if (!text.Contains(' ', StringComparison.Ordinal)) return text;
        return Start(text).Replace(" n't", "n't").Replace(" 'm", "'m").Replace(" 's", "'s").Replace(" 've", "'ve").Replace(" 're", "'re").ToString();
    }

    /// <summary>cleanup of the library's WordPiece decoder, which has one rule more.</summary>
    public static string WordPiece(string text)
    {
        if (!text.Contains(' ', StringComparison.Ordinal)) return text;
        return Start(text).Replace(" n't", "n't").Replace(" 'm", "'m").Replace(" do not", " don't")
            .Replace(" 's", "'s").Replace(" 've", "'ve").Replace(" 're", "'re").ToString();
    }

    /// <summary>How much of a text can be cleaned on its own, whatever follows it: a rule begins with a space and is at most four characters long, so no rule
    /// reaches over a place with three characters before it that are no space, nor over one after a space and a character that no rule has there.</summary>
    public static int SafeLength(ReadOnlySpan<char> text)
    {
        for (int end = text.Length; end > 0; end--)
        {
            if (text[end - 1] == ' ') continue;
            int space = text[..end].LastIndexOf(' ');
            if (space < 0 || end - space > 3 || !MayBeRemoved(text, space)) return end;
        }
        return 0;
    }

    // A space that begins a rule, or ends the one of the lone quote.
    private static bool MayBeRemoved(ReadOnlySpan<char> text, int space) =>
        ".?!,'n".Contains(text[space + 1], StringComparison.Ordinal) || (space > 0 && text[space - 1] == '\'');

    private static StringBuilder Start(string text) =>
        new StringBuilder(text).Replace(" .", ".").Replace(" ?", "?").Replace(" !", "!").Replace(" ,", ",").Replace(" ' ", "'");
}

/// <summary>A text in which one token is replaced by each of several candidates.</summary>
internal static class FilledText
{
    /// <inheritdoc cref="Tokenizer.DecodeFilled"/>
    public static string[] Decode(Tokenizer tokenizer, ReadOnlySpan<int> ids, int place, ReadOnlySpan<int> candidates, DecodeOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(place);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(place, ids.Length);
        var texts = new string[candidates.Length];
        (string before, bool begun) = Part(tokenizer, ids[..place], continues: false, options);
        string? after = null;
        for (int i = 0; i < texts.Length; i++)
        {
            (string candidate, bool written) = Part(tokenizer, candidates.Slice(i, 1), begun, options);
            // What comes first in a text may be written otherwise: where nothing is written up to here, the rest begins the text.
            if (!tokenizer.Decoder.DecodesParts || !(begun || written))
            {
                texts[i] = tokenizer.Decode([.. ids[..place], candidates[i], .. ids[(place + 1)..]], options);
                continue;
            }
            after ??= Part(tokenizer, ids[(place + 1)..], continues: true, options).Text;
            string text = string.Concat(before, candidate, after);
            texts[i] = options.CleanUpTokenizationSpaces ? CleanUp.Transformers(text) : text;
        }
        return texts;
    }

    private static (string Text, bool Begun) Part(Tokenizer tokenizer, ReadOnlySpan<int> ids, bool continues, DecodeOptions options)
    {
        var text = new StringBuilder();
        DecoderState state = tokenizer.Decoder.Start(options.Errors, continues);
        foreach (int id in ids)
        {
            if (tokenizer.TokenToDecode(id, options) is not string token) continue;
            text.Append(state.Append(token));
            continues = true;
        }
        return (text.Append(state.Flush()).ToString(), continues);
    }
}
