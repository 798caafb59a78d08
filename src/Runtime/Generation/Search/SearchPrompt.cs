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

    /// <summary>Prompts without padding, each at most so long: of a longer one its end.</summary>
    /// <exception cref="ModelInputException">One is empty.</exception>
    public static SearchPrompt[] Of(IReadOnlyList<int[]> prompts, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        foreach (int[] prompt in prompts)
            ArgumentNullException.ThrowIfNull(prompt, nameof(prompts));
        int empty = prompts.ToList().FindIndex(prompt => prompt.Length == 0);
        if (empty >= 0)
            throw new ModelInputException($"Prompt {empty} has no tokens; at least one is needed. To generate from nothing, " +
                "start with the beginning-of-text token.");
        return [.. prompts.Select((tokens, i) => new SearchPrompt(i, tokens.Length <= most ? tokens : tokens[^most..]))];
    }

    /// <summary>Each id must be one of the model's, padding too: processors look up the scores of all.</summary>
    /// <exception cref="ModelInputException">One is not.</exception>
    public static void RequireIds(IReadOnlyList<SearchPrompt> prompts, int vocabSize)
    {
        foreach (SearchPrompt prompt in prompts)
        {
            int place = prompt.InputIds.AsSpan().IndexOfAnyExceptInRange(0, vocabSize - 1);
            if (place >= 0)
                throw new ModelInputException($"Prompt {prompt.Index} has token {prompt.InputIds[place]} at place {place}; the model's tokens are 0 … {vocabSize - 1} (vocab_size {vocabSize}). Do tokenizer and model belong together?");
        }
    }
}
