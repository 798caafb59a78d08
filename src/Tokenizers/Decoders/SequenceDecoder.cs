namespace ManagedTransformers.Tokenizers;

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
