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

    /// <summary>How many files of an <see cref="InfillRequest"/> there was no room for.</summary>
    public int DroppedFiles { get; init; }

    /// <summary>How many tokens of its text there was no room for.</summary>
    public int DroppedTokens { get; init; }

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
        return [.. prompts.Select((tokens, i) => Of(i, tokens, most))];
    }

    /// <summary>A prompt without padding; of one that is longer than <paramref name="most"/>, its end.</summary>
    public static SearchPrompt Of(int index, int[] tokens, int most)
    {
        int dropped = Math.Max(0, tokens.Length - most);
        return new SearchPrompt(index, tokens[dropped..]) { DroppedTokens = dropped };
    }

    /// <summary>Each id must be one of the model's, padding too: processors look up the scores of all.</summary>
    /// <exception cref="ModelInputException">One is not.</exception>
    public static void RequireIds(IReadOnlyList<SearchPrompt> prompts, int vocabSize)
    {
        foreach (SearchPrompt prompt in prompts)
        {
            int place = prompt.InputIds.AsSpan().IndexOfAnyExceptInRange(0, vocabSize - 1);
            if (place >= 0)
                throw new ModelInputException($"Prompt {prompt.Index} has token {prompt.InputIds[place]} at place {place}; " +
                    $"the model's tokens are 0 … {vocabSize - 1} (vocab_size {vocabSize}). Do tokenizer and model belong together?");
        }
    }
}

/// <summary>Prompts as a tokenizer lays them out for a batch.</summary>
internal static class PaddedPrompts
{
    /// <summary>Checks rows and masks and takes the padding out.</summary>
    /// <param name="inputIds">Ids of each row.</param>
    /// <param name="attentionMask">1 where an id is to be read; null: all are.</param>
    /// <param name="most">The most columns that are kept, from the end.</param>
    /// <exception cref="ModelInputException">Rows differ in length, a mask does not fit or hides a whole row.</exception>
    public static SearchPrompt[] Of(IReadOnlyList<int[]> inputIds, IReadOnlyList<int[]>? attentionMask, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(inputIds);
        foreach (int[] row in inputIds)
            ArgumentNullException.ThrowIfNull(row, nameof(inputIds));
        foreach (int[] row in attentionMask ?? [])
            ArgumentNullException.ThrowIfNull(row, nameof(attentionMask));
        if (inputIds.Count == 0 || inputIds[0].Length == 0)
            throw new ModelInputException("input_ids holds no tokens; at least one row with one token is needed.");
        int uneven = inputIds.ToList().FindIndex(row => row.Length != inputIds[0].Length);
        if (uneven >= 0)
            throw new ModelInputException($"input_ids[{uneven}] has {inputIds[uneven].Length} tokens, input_ids[0] has {inputIds[0].Length}; " +
                "rows of one length are needed. Pad the shorter ones on the left, or give each its own call.");
        if (attentionMask is not null && attentionMask.Count != inputIds.Count)
            throw new ModelInputException($"attention_mask has {attentionMask.Count} rows, input_ids has {inputIds.Count}; as many are needed.");
        return [.. inputIds.Select((row, i) => Cut(i, row, attentionMask?[i], Math.Max(0, row.Length - most)))];
    }

    /// <summary>Prompt and new tokens of each text as transformers gives them: rows of one length, filled with a padding token.</summary>
    public static int[][] Sequences(IReadOnlyList<int[]> inputIds, GenerationOutput output, int padTokenId)
    {
        int longest = output.Sequences.Count == 0 ? 0 : output.Sequences.Max(one => one.TokenIds.Count);
        return [.. output.Sequences.Select(one =>
            (int[])[.. inputIds[one.PromptIndex], .. one.TokenIds, .. Enumerable.Repeat(padTokenId, longest - one.TokenIds.Count)])];
    }

    private static SearchPrompt Cut(int index, int[] row, int[]? mask, int dropped)
    {
        int[] tokens = Read(row, mask, index);
        if (dropped == 0)
            return new SearchPrompt(index, row, tokens);
        int[] kept = Read(row[dropped..], mask?[dropped..], index);
        return new SearchPrompt(index, row[dropped..], kept) { DroppedTokens = tokens.Length - kept.Length };
    }

    private static int[] Read(int[] row, int[]? mask, int index)
    {
        if (mask is null)
            return row;
        if (mask.Length != row.Length)
            throw new ModelInputException($"attention_mask[{index}] has {mask.Length} values, input_ids[{index}] has {row.Length}; " +
                "one for each token is needed.");
        int other = Array.FindIndex(mask, value => value is not (0 or 1));
        if (other >= 0)
            throw new ModelInputException($"attention_mask[{index}, {other}] is {mask[other]}; 0 or 1 is needed.");
        int[] read = [.. row.Where((_, column) => mask[column] == 1)];
        return read.Length > 0
            ? read
            : throw new ModelInputException($"attention_mask[{index}] is 0 everywhere, so that row has no tokens; at least one is needed.");
    }
}

/// <summary>Reads prompts into sequences of a session, in parts, so that the workspace stays small.</summary>
/// <remarks>Each prompt by itself, in the same parts whatever the batch: its scores have the same bits alone and among others.</remarks>
internal sealed class PromptReader(ICausalLM model, Session session)
{
    public const int PartTokens = 256;

    /// <summary>Reads tokens into a sequence after those that it holds.</summary>
    /// <returns>The scores after the last one, [vocab_size], good until the session's next pass.</returns>
    /// <exception cref="OperationCanceledException">Cancelled, between two modules of the model; the sequence holds the parts that were read.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public Span<float> Read(ReadOnlySpan<int> tokens, int sequence, CancellationToken cancellationToken)
    {
        (session.Cancellation, session.TextLength) = (cancellationToken, session.Cache!.Length(sequence) + tokens.Length);
        try
        {
            for (; tokens.Length > PartTokens; tokens = tokens[PartTokens..])
                model.Append(tokens[..PartTokens], [PartTokens], [sequence], session, ScoresOf.None);
            Span<float> scores = model.Append(tokens, [tokens.Length], [sequence], session, ScoresOf.LastTokens).Row(0);
            Scores.RequireNumbers(scores, "score of token", model);
            return scores;
        }
        finally
        {
            (session.Cancellation, session.TextLength) = (default, 0);
        }
    }
}
