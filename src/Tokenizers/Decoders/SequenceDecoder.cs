using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>Several decoders, each taking what the one before gives as its tokens.</summary>
internal sealed class SequenceDecoder : TokenDecoder
{
    private readonly TokenDecoder[] _decoders;

    private SequenceDecoder(TokenDecoder[] decoders) => _decoders = decoders;

    public override bool DecodesParts => false;

    /// <summary>The decoders as one: by itself where there is only one, and without a Fuse that fuses what is one token already or is the last.</summary>
    public static TokenDecoder Of(IEnumerable<TokenDecoder> decoders)
    {
        var kept = new List<TokenDecoder>();
        foreach (TokenDecoder decoder in decoders)
        {
            if (decoder is FuseDecoder && kept.Count > 0 && kept[^1].GivesOneToken) continue;
            if (decoder is StripDecoder strip && kept.Count > 0 && kept[^1].GivesOneToken)
            {
                if (kept[^1] is FuseDecoder) kept.RemoveAt(kept.Count - 1);
                kept.Add(new FusedStripDecoder(strip));
                continue;
            }
            kept.Add(decoder);
        }
        if (kept.Count > 1 && kept[^1] is FuseDecoder) kept.RemoveAt(kept.Count - 1);
        return kept.Count switch
        {
            0 => new FuseDecoder(),
            1 => kept[0],
            _ => new SequenceDecoder([.. kept]),
        };
    }

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) =>
        new State(_decoders, [.. _decoders.Select(d => d.Start(errors, continues))]);

    private sealed class State(TokenDecoder[] decoders, DecoderState[] states) : DecoderState
    {
        // What gives one token gives it once everything is known; a FusedStrip behind it takes it in parts.
        private readonly StringBuilder?[] _whole = new StringBuilder?[states.Length];

        public override string Append(string token)
        {
            var text = new StringBuilder();
            Take(0, token, text);
            return text.ToString();
        }

        public override string Flush()
        {
            var text = new StringBuilder();
            for (int i = 0; i < states.Length; i++)
            {
                foreach (string rest in states[i].LastTokens()) Give(i, rest, text);
                if (_whole[i] is not StringBuilder whole) continue;
                _whole[i] = null;
                Take(i + 1, whole.ToString(), text);
            }
            return text.ToString();
        }

        private void Take(int stage, string token, StringBuilder text)
        {
            foreach (string given in states[stage].Tokens(token)) Give(stage, given, text);
        }

        private void Give(int stage, string token, StringBuilder text)
        {
            if (stage + 1 == states.Length) text.Append(token);
            else if (decoders[stage].GivesOneToken && decoders[stage + 1] is not FusedStripDecoder)
                (_whole[stage] ??= new StringBuilder()).Append(token);
            else Take(stage + 1, token, text);
        }
    }
}

/// <summary>A <see cref="StripDecoder"/> whose tokens are parts of one token.</summary>
internal sealed class FusedStripDecoder(StripDecoder strip) : TokenDecoder
{
    public override bool DecodesParts => false;

    public override bool GivesOneToken => true;

    public override DecoderState Start(InvalidUtf8 errors, bool continues = false) => new State(strip, continues ? 0 : strip.FromStart);

    private sealed class State(StripDecoder strip, int leading) : DecoderState
    {
        private int _leading = leading;              // how many may still go
        private string _held = "";                   // the end, which goes if nothing follows

        public override string Append(string token)
        {
            int stripped = strip.Leading(token, _leading);
            _leading = stripped == token.Length ? _leading - stripped : 0;
            string text = _held + token[stripped..];
            int end = text.Length;
            while (end > 0 && text.Length - end < strip.FromStop && text[end - 1] == strip.Content) end--;
            _held = text[end..];
            return text[..end];
        }
    }
}
