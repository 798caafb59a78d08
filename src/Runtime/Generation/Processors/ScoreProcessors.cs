namespace ManagedTransformers;

/// <summary>score + bias, for the last token of each sequence whose other tokens stand at the end of the text.</summary>
/// <remarks>transformers' SequenceBiasLogitsProcessor. Of a sequence that is given twice the last bias counts.</remarks>
internal sealed class SequenceBiasLogitsProcessor : LogitsProcessor
{
    private readonly (int[] Prefix, int Last, float Bias)[] _biases;

    /// <summary>At least one sequence, none of them empty.</summary>
    public SequenceBiasLogitsProcessor(IReadOnlyList<SequenceBias> sequenceBias) => _biases =
    [
        .. sequenceBias.Reverse().DistinctBy(bias => string.Join(' ', bias.TokenIds)).Reverse()
            .Select(bias => (bias.TokenIds.Take(bias.TokenIds.Count - 1).ToArray(), bias.TokenIds[^1], bias.Bias)),
    ];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        foreach ((int[] prefix, int last, float bias) in _biases)
        {
            // A text shorter than the whole sequence is left alone, even where it is its beginning: so transformers has it.
            if (prefix.Length == 0 || (inputIds.Length > prefix.Length && inputIds.EndsWith(prefix)))
                scores[last] += bias;
        }
    }
}

/// <summary>score / penalty where the score of a token that came already is positive, score · penalty where it is negative; once per token.</summary>
/// <remarks>transformers' RepetitionPenaltyLogitsProcessor; Keskar et al. 2019 (CTRL), arXiv:1909.05858, 4.1. The prompt's tokens count. Over 1 a token becomes
/// less probable, below 1 more.</remarks>
internal sealed class RepetitionPenaltyLogitsProcessor(double penalty) : LogitsProcessor
{
    private readonly float _penalty = (float)penalty;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        // First all are read, then all are written: a token that came twice is penalised once.
        using var rented = new Scratch<float>(inputIds.Length);
        Span<float> penalized = rented.Span;
        for (int i = 0; i < inputIds.Length; i++)
        {
            float score = scores[inputIds[i]];
            penalized[i] = score < 0 ? score * _penalty : score / _penalty;
        }
        for (int i = 0; i < inputIds.Length; i++)
            scores[inputIds[i]] = penalized[i];
    }
}

/// <summary>Forbids every token that would complete a sequence of n tokens (n = 1: a token) which is in the text already.</summary>
/// <remarks>transformers' NoRepeatNGramLogitsProcessor, after fairseq's no_repeat_ngram_size. The prompt's sequences count.</remarks>
internal sealed class NoRepeatNGramLogitsProcessor(int ngramSize) : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        int prefixLength = ngramSize - 1;
        if (inputIds.Length < prefixLength)
            return;
        ReadOnlySpan<int> last = inputIds[^prefixLength..];
        for (int end = prefixLength; end < inputIds.Length; end++)
        {
            if (inputIds.Slice(end - prefixLength, prefixLength).SequenceEqual(last))
                scores[inputIds[end]] = float.NegativeInfinity;
        }
    }
}

/// <summary>Forbids sequences of tokens: the last token of each is impossible where the others stand at the end of the text.</summary>
/// <remarks>transformers' NoBadWordsLogitsProcessor. A bad word that is one end token alone is left out.</remarks>
internal sealed class NoBadWordsLogitsProcessor : LogitsProcessor
{
    private readonly SequenceBiasLogitsProcessor _bias;

    /// <summary>At least one sequence is no end token alone, and none is empty.</summary>
    public NoBadWordsLogitsProcessor(IReadOnlyList<IReadOnlyList<int>> badWordsIds, IReadOnlyList<int> eosTokenId) => _bias = new SequenceBiasLogitsProcessor(
        [.. badWordsIds.Where(word => !IsEndToken(word, eosTokenId)).Select(word => new SequenceBias(word, float.NegativeInfinity))]);

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => _bias.Process(inputIds, scores);

    internal static bool IsEndToken(IReadOnlyList<int> word, IReadOnlyList<int> eosTokenId) => word.Count == 1 && eosTokenId.Contains(word[0]);
}

/// <summary>Forbids the end tokens while the text, prompt included, is shorter than a minimum.</summary>
/// <remarks>transformers' MinLengthLogitsProcessor.</remarks>
internal sealed class MinLengthLogitsProcessor(int minLength, IReadOnlyList<int> eosTokenId) : LogitsProcessor
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length < minLength)
            Remove(_eosTokenId, scores);
    }
}

/// <summary>Forbids the end tokens until the text has a minimum of new tokens; the prompt's do not count.</summary>
/// <remarks>transformers' MinNewTokensLengthLogitsProcessor.</remarks>
internal sealed class MinNewTokensLengthLogitsProcessor(int promptLength, int minNewTokens, IReadOnlyList<int> eosTokenId) : LogitsProcessor
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length - promptLength < minNewTokens)
            Remove(_eosTokenId, scores);
    }
}

/// <summary>Leaves nothing but end tokens of the vocabulary, with score 0, where one token is missing to the greatest length, prompt included.</summary>
/// <remarks>transformers' ForcedEOSTokenLogitsProcessor.</remarks>
internal sealed class ForcedEosTokenLogitsProcessor(int maxLength, IReadOnlyList<int> eosTokenId) : LogitsProcessor
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length != maxLength - 1)
            return;
        scores.Fill(float.NegativeInfinity);
        foreach (int token in _eosTokenId)
            scores[token] = 0;
    }
}

/// <summary>Forbids tokens.</summary>
/// <remarks>transformers' SuppressTokensLogitsProcessor.</remarks>
internal sealed class SuppressTokensLogitsProcessor(IReadOnlyList<int> suppressTokens) : LogitsProcessor
{
    private readonly int[] _suppressTokens = [.. suppressTokens];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => Remove(_suppressTokens, scores);
}

/// <summary>Forbids tokens as the first that is generated.</summary>
/// <remarks>transformers' SuppressTokensAtBeginLogitsProcessor.</remarks>
internal sealed class SuppressTokensAtBeginLogitsProcessor(IReadOnlyList<int> beginSuppressTokens, int beginIndex) : LogitsProcessor
{
    private readonly int[] _beginSuppressTokens = [.. beginSuppressTokens];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length == beginIndex)
            Remove(_beginSuppressTokens, scores);
    }
}

/// <summary>score − log Σ exp(score): log probabilities, which no longer change what is probable.</summary>
/// <remarks>transformers' LogitNormalization.</remarks>
internal sealed class LogitNormalization(KernelOptions kernels) : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        double denominator = Softmax.LogSumExp(scores, kernels);
        for (int i = 0; i < scores.Length; i++)
            scores[i] = (float)(scores[i] - denominator);
    }
}
