namespace ManagedTransformers;

/// <summary>A token at a position of a text, and the probability that the model gives to it there: of its own scores, before processors and
/// temperature.</summary>
/// <param name="TokenId">Its id.</param>
/// <param name="Token">As the vocabulary writes it, such as <c>Ġreturn</c>; empty where there is no tokenizer.</param>
/// <param name="TokenText">As text, such as <c>" return"</c>; U+FFFD where the token is a part of a character, empty where there is no tokenizer.</param>
/// <param name="LogProbability">log p, natural: of a decoder's token after those before it, of a mask's after all others.</param>
[DebuggerDisplay("{DebuggerText,nq}")]
public record TokenProbability(int TokenId, string Token, string TokenText, double LogProbability)
{
    /// <summary>p, 0 … 1.</summary>
    public double Probability => Math.Exp(LogProbability);

    /// <summary>The likeliest tokens at the same position, best first, as many as were asked for.</summary>
    public IReadOnlyList<TokenProbability> Alternatives { get; init; } = [];

    private protected virtual string DebuggerText =>
        string.Create(CultureInfo.InvariantCulture, $"{new TokenView(TokenId, Token.Length == 0 ? null : TokenText)}: {Probability:F4}");

    /// <summary>The likeliest tokens at a position, best first; of equals the lower id. <paramref name="logSum"/> is log Σ exp(logits); without a tokenizer
    /// they have no names.</summary>
    internal static TokenProbability[] Best(ReadOnlySpan<float> logits, double logSum, int count, Tokenizer? tokenizer)
    {
        int[] ids = count == 0 ? [] : Ranking.Best(logits, count);
        var best = new TokenProbability[ids.Length];
        for (int i = 0; i < best.Length; i++)
            best[i] = Of(ids[i], logits[ids[i]] - logSum, tokenizer);
        return best;
    }

    internal static TokenProbability Of(int tokenId, double logProbability, Tokenizer? tokenizer) =>
        new(tokenId, tokenizer?.IdToToken(tokenId) ?? "", tokenizer?.Decode([tokenId]) ?? "", logProbability);
}
