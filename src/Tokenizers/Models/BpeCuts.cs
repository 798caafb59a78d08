namespace ManagedTransformers.Tokenizers;

/// <summary>Where a text may be cut before a BPE splits it: between two characters that stand side by side in no token that a merge makes. No token spans such
/// a place, and what is merged on one side of it does not depend on the other.</summary>
/// <remarks>Llama's BPE has no pre-tokenizer, so that a whole text is one word. Its parts are short, and most were seen before.</remarks>
internal sealed class BpeCuts
{
    private const int Bits = 18;

    // A bit for every pair of UTF-16 units by its hash. A pair that shares the bit of another is not cut at, which changes no token.
    private readonly ulong[] _joined = new ulong[(1 << Bits) / 64];

    private BpeCuts(Bpe model)
    {
        foreach ((_, _, int joined) in model.Merges.Ranked)
        {
            string token = model.Vocabulary.TokenOf(joined)!;
            for (int i = 1; i < token.Length; i++)
            {
                int bit = BitOf(token[i - 1], token[i]);
                _joined[bit >> 6] |= 1UL << (bit & 63);
            }
        }
    }

    /// <summary>The cuts of a model; null where it splits a part otherwise than the whole.</summary>
    public static BpeCuts? Of(Bpe model, int unkId, ReadOnlySpan<int> byteFallbackIds)
    {
        BpeOptions options = model.Options;
        if (options.ByteLevel || options.IgnoreMerges || options.ContinuingSubwordPrefix.Length > 0 || options.EndOfWordSuffix.Length > 0) return null;

        // What is unknown must stay apart: neither be fused, nor left out, nor change places with bytes, nor be part of a merge.
        bool apartAlready = options.ByteFallback ? !byteFallbackIds.Contains(-1) : !options.FuseUnk && unkId >= 0;
        if (!apartAlready) return null;
        var apart = new HashSet<int>([.. byteFallbackIds, unkId]);
        foreach ((int left, int right, _) in model.Merges.Ranked)
            if (apart.Contains(left) || apart.Contains(right)) return null;
        return new BpeCuts(model);
    }

    /// <summary>Where the first part of a word ends.</summary>
    public int EndOfPart(ReadOnlySpan<char> word)
    {
        for (int i = 1; i < word.Length; i++)
        {
            int bit = BitOf(word[i - 1], word[i]);
            if ((_joined[bit >> 6] >> (bit & 63) & 1) == 0 && !char.IsLowSurrogate(word[i])) return i;
        }
        return word.Length;
    }

    private static int BitOf(char left, char right) => (int)(((((uint)left << 16) | right) * 0x9E3779B1) >> (32 - Bits));
}
