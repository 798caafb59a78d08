namespace ManagedTransformers.Serving;

/// <summary>Lowers the scores of tokens that were generated already: by <c>frequency</c> for each time, and by <c>presence</c> once.</summary>
/// <remarks>frequency_penalty and presence_penalty of OpenAI's API; the prompt does not count.</remarks>
/// <param name="promptLength">Tokens of the prompt.</param>
/// <param name="frequency">Taken off for each time.</param>
/// <param name="presence">Taken off once.</param>
internal sealed class FrequencyPenalty(int promptLength, double frequency, double presence) : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        var counts = new Dictionary<int, int>();
        foreach (int token in inputIds[Math.Min(promptLength, inputIds.Length)..])
            counts[token] = counts.GetValueOrDefault(token) + 1;
        foreach ((int token, int count) in counts)
            scores[token] = (float)(scores[token] - (frequency * count) - presence);
    }
}

/// <summary>Ends a text after one of some tokens.</summary>
/// <param name="tokens">The tokens.</param>
/// <param name="least">Not before this number of new tokens.</param>
internal sealed class StopTokenCriterion(IReadOnlyList<int> tokens, int least) : StoppingCriterion
{
    public override bool IsMet(GenerationState state) =>
        state.InputIds.Length - state.PromptLength >= least && tokens.Contains(state.InputIds[^1]);
}
