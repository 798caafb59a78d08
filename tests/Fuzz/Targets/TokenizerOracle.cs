using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Fuzz;

/// <summary>What holds of every tokenizer and every text.</summary>
internal static class TokenizerOracle
{
    /// <exception cref="OracleException">It does not hold.</exception>
    public static void Check(Tokenizer tokenizer, string text, string? pair = null)
    {
        TokenEncoding encoding = tokenizer.Encode(text, pair);
        int length = encoding.Ids.Length;
        Oracle.Require(new[] { encoding.Tokens.Length, encoding.Offsets.Length, encoding.Utf16Offsets.Length, encoding.TypeIds.Length, encoding.WordIds.Length,
            encoding.SpecialTokensMask.Length, encoding.AttentionMask.Length }.All(n => n == length), "An encoding has lists of different lengths");
        for (int i = 0; i < length; i++)
        {
            int most = encoding.SequenceIds[i] == 1 ? pair!.Length : text.Length;
            Within(encoding.Offsets[i], most);
            Within(encoding.Utf16Offsets[i], most);
            Oracle.Require(encoding.Ids[i] >= 0, $"Token {i} has the id {encoding.Ids[i]}");
        }
        Oracle.Require(tokenizer.EncodeToIds(text, pair).SequenceEqual(encoding.Ids), "EncodeToIds gives other ids than Encode");
        var options = new DecodeOptions { SkipSpecialTokens = false };
        string decoded = tokenizer.Decode(encoding.Ids, options);
        DecodeStream stream = tokenizer.CreateDecodeStream(options);
        string streamed = string.Concat(encoding.Ids.Select(stream.Append)) + stream.Flush();
        Oracle.Require(streamed == decoded, $"A stream decodes \"{streamed}\" where Decode gives \"{decoded}\"");
    }

    private static void Within((int Start, int End) offset, int most) => Oracle.Require(
        offset.Start >= 0 && offset.Start <= offset.End && offset.End <= most, $"A token lies at {offset.Start} … {offset.End} of {most} characters");
}
