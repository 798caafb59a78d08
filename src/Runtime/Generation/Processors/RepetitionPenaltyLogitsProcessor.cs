namespace ManagedTransformers;

/// <summary>score / penalty where the score of a token that came already is positive, score · penalty where it is negative; once per token.</summary>
/// <remarks>transformers' RepetitionPenaltyLogitsProcessor; Keskar et al. 2019 (CTRL), arXiv:1909.05858, 4.1. The prompt's tokens count. Over 1 a token becomes
/// less probable, below 1 more.</remarks>
/// <param name="penalty">Above 0.</param>
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
