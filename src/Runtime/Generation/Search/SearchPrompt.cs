namespace ManagedTransformers;

/// <summary>A prompt that a search continues, once or several times.</summary>
/// <param name="index">Its place in the call.</param>
/// <param name="inputIds">What processors and criteria see: the tokens, padding included where the caller gave some.</param>
/// <param name="tokens">The tokens that the model reads: those that are not padding.</param>
internal sealed class SearchPrompt(int index, int[] inputIds, int[] tokens)
{
    /// <summary>A prompt without padding.</summary>
    public SearchPrompt(int index, int[] tokens)
        : this(index, tokens, tokens)
    {
    }

    public int Index { get; } = index;

    public int[] InputIds { get; } = inputIds;

    public int[] Tokens { get; } = tokens;

    /// <summary>The scores after its last token, [vocab_size], once it was read.</summary>
    public float[]? Scores { get; set; }

    /// <summary>Prompts without padding.</summary>
    public static SearchPrompt[] Of(IReadOnlyList<int[]> prompts) => [.. prompts.Select((tokens, i) => new SearchPrompt(i, tokens))];
}
