namespace ManagedTransformers;

/// <summary>Reads prompts into sequences of a session, in parts: cancelling does not wait for the whole of one, and the workspace stays small.</summary>
/// <remarks>Each prompt by itself, in the same parts whatever the batch: its scores have the same bits alone and among others.</remarks>
internal sealed class PromptReader(ICausalLM model, Session session)
{
    public const int PartTokens = 256;

    /// <summary>Reads tokens into a sequence after those that it holds.</summary>
    /// <returns>The scores after the last one, [vocab_size], good until the session's next pass.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; the sequence holds a part of the tokens.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public Span<float> Read(ReadOnlySpan<int> tokens, int sequence, CancellationToken cancellationToken)
    {
        for (; tokens.Length > PartTokens; tokens = tokens[PartTokens..])
        {
            cancellationToken.ThrowIfCancellationRequested();
            model.Append(tokens[..PartTokens], [PartTokens], [sequence], session, ScoresOf.None);
        }
        cancellationToken.ThrowIfCancellationRequested();
        Span<float> scores = model.Append(tokens, [tokens.Length], [sequence], session, ScoresOf.LastTokens).Row(0);
        Scores.RequireNumbers(scores, "score of token", model);
        return scores;
    }
}
