namespace ManagedTransformers;

/// <summary>Adds the probabilities of a text's tokens up to its score. Its first token stands at <paramref name="place"/> among the ids that are read: after
/// the beginning-of-text token, or a context.</summary>
internal sealed class ScoreCollector(Tokenizer tokenizer, string text, Encoding encoding, int place, ScoringOptions options)
{
    private readonly List<TokenScore> _tokens = [];
    private double _sum;
    private int _count;

    /// <summary>Takes the next token's probability; a <see cref="TokenVisitor"/>.</summary>
    public void Visit(int index, ReadOnlySpan<float> logits, double logProbability)
    {
        _sum += logProbability;
        _count++;
        if (options.OutputTokens)
            _tokens.Add(Describe(index - place, logits, logProbability));
    }

    public TextScore ToScore()
    {
        ReadOnlySpan<char> scored = text.AsSpan(StartOfScored());
        int characters = 0;
        foreach (System.Text.Rune _ in scored.EnumerateRunes())
            characters++;
        return new TextScore(_sum, _count, System.Text.Encoding.UTF8.GetByteCount(scored), characters, _tokens);
    }

    private TokenScore Describe(int i, ReadOnlySpan<float> logits, double logProbability)
    {
        (int id, double logSum) = (encoding.Ids[i], logits[encoding.Ids[i]] - logProbability);
        ((int start, int end), (int codePointStart, int codePointEnd)) = (encoding.Utf16Offsets[i], encoding.Offsets[i]);
        return new TokenScore(
            id, tokenizer.IdToToken(id) ?? "", tokenizer.Decode([id]), logProbability, Ranking.RankOf(logits, id), start, end, codePointStart, codePointEnd)
        {
            Alternatives = TokenProbability.Best(logits, logSum, options.TopK, tokenizer),
        };
    }

    /// <summary>Where the scored text begins: without a token before it, the first token has no probability and its text does not count.</summary>
    private int StartOfScored()
    {
        int unscored = encoding.Length - _count;
        // A character of which both tokens have a part counts.
        return unscored == 0 ? 0 : Math.Min(encoding.Utf16Offsets[unscored - 1].End, encoding.Utf16Offsets[unscored].Start);
    }
}
