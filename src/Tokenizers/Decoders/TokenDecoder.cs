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
}

/// <summary>A text in the making.</summary>
internal abstract class DecoderState
{
    /// <summary>Takes the next token; returns the text that is now certain.</summary>
    public abstract string Append(string token);

    /// <summary>Returns what is still held back.</summary>
    public virtual string Flush() => "";
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
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly System.Text.Encoding Ignoring =
        System.Text.Encoding.GetEncoding("utf-8", new EncoderReplacementFallback(""), new DecoderReplacementFallback(""));

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(errors switch
    {
        InvalidUtf8.Strict => Strict,
        InvalidUtf8.Ignore => Ignoring,
        _ => System.Text.Encoding.UTF8,
    });

    internal sealed class State(System.Text.Encoding encoding) : DecoderState
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

/// <summary>Several decoders, each taking what the one before gives as its tokens.</summary>
internal sealed class SequenceDecoder(IReadOnlyList<TokenDecoder> decoders) : TokenDecoder
{
    public override bool DecodesParts => false;

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State([.. decoders.Select(d => d.Start(errors, continues))]);

    private sealed class State(DecoderState[] states) : DecoderState
    {
        // A byte-level decoder gives all its text as one token, once everything is known; the ones behind it then take it as a whole.
        private readonly System.Text.StringBuilder?[] _whole = new System.Text.StringBuilder?[states.Length];

        public override string Append(string token)
        {
            for (int i = 0; i < states.Length; i++)
            {
                token = states[i].Append(token);
                if (i + 1 == states.Length || !GivesOneToken(states[i])) continue;
                (_whole[i] ??= new System.Text.StringBuilder()).Append(token);
                return "";
            }
            return token;
        }

        public override string Flush()
        {
            var text = new System.Text.StringBuilder();
            for (int i = 0; i < states.Length; i++)
            {
                string rest = states[i].Flush();
                if (i + 1 == states.Length) text.Append(rest);
                else if (GivesOneToken(states[i])) text.Append(Behind(i + 1, (_whole[i]?.ToString() ?? "") + rest));
            }
            return text.ToString();
        }

        private string Behind(int first, string token)
        {
            for (int i = first; i < states.Length; i++) token = states[i].Append(token);
            return token;
        }

        private static bool GivesOneToken(DecoderState state) => state is ByteLevelDecoder.State;
    }
}
