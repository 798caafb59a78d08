namespace ManagedTransformers;

/// <content>Options that contradict each other, all in one place.</content>
public sealed partial record GenerationOptions
{
    /// <summary>Refuses options that contradict each other, as every call does; an application may do it when it starts. Of contradictions in what the
    /// checkpoint says, only those that matter to these options.</summary>
    /// <param name="defaults">What the checkpoint says (<see cref="TextGenerator.Defaults"/>); null: nothing.</param>
    /// <exception cref="ModelInputException">They do; the message names both.</exception>
    public void Validate(GenerationOptions? defaults = null)
    {
        GenerationOptions all = Over(defaults ?? new GenerationOptions());
        RequireLimitsThatFit();
        RequireSampling(all);
        RequireBeams(all);
    }

    /// <summary>Refuses what cannot be meant, for a model.</summary>
    /// <param name="defaults">What the checkpoint says.</param>
    /// <param name="vocabSize">Tokens of the model.</param>
    /// <param name="eosTokenId">The end tokens, as settled.</param>
    /// <exception cref="ModelInputException">Options contradict each other, or name a token outside the vocabulary.</exception>
    internal void Validate(GenerationOptions defaults, int vocabSize, IReadOnlyList<int> eosTokenId)
    {
        Validate(defaults);
        GenerationOptions all = Over(defaults);
        RequireSequences(all, eosTokenId);
        RequireTokens(all, vocabSize);
        if (all.StopStrings?.ToList().FindIndex(string.IsNullOrEmpty) is >= 0 and int empty)
            throw new ModelInputException($"StopStrings[{empty}] is empty, and every text holds an empty string. Leave it out.");
        RequireNoNull(all.LogitsProcessors, nameof(LogitsProcessors));
        RequireNoNull(all.StoppingCriteria, nameof(StoppingCriteria));
    }

    /// <summary>Refuses minima that the limits of a call do not allow.</summary>
    /// <param name="promptLength">Tokens of the longest prompt.</param>
    /// <param name="maxNewTokens">The most tokens that are generated, as settled.</param>
    /// <exception cref="ModelInputException">A minimum of the caller's is above the limit.</exception>
    internal void RequireMinimaWithin(int promptLength, int maxNewTokens)
    {
        if (MinNewTokens > maxNewTokens)
            throw new ModelInputException($"MinNewTokens is {MinNewTokens}, but at most {maxNewTokens} tokens are generated. Lower it, or raise MaxNewTokens.");
        if (MinNewTokens is null && MinLength > promptLength + maxNewTokens)
            throw new ModelInputException($"MinLength is {MinLength}, but the prompt is {promptLength} tokens and at most {maxNewTokens} are generated. " +
                "Lower it, or raise MaxNewTokens.");
    }

    private static void RequireNoNull<T>(IReadOnlyList<T>? list, string name)
        where T : class
    {
        if (list?.ToList().FindIndex(one => one is null) is >= 0 and int missing)
            throw new ModelInputException($"{name}[{missing}] is null; a {typeof(T).Name} is needed. Leave it out.");
    }

    private void RequireLimitsThatFit()
    {
        if (this is { MaxNewTokens: int tokens, MaxLength: int length })
            throw new ModelInputException($"MaxNewTokens is {tokens} and MaxLength is {length}; they limit the same thing. Give one of them.");
        if (MinNewTokens > MaxNewTokens)
            throw new ModelInputException($"MinNewTokens is {MinNewTokens} and MaxNewTokens is {MaxNewTokens}; the minimum cannot be above the limit.");
        if (MinLength > MaxLength)
            throw new ModelInputException($"MinLength is {MinLength} and MaxLength is {MaxLength}; the minimum cannot be above the limit.");
    }

    private void RequireSampling(GenerationOptions all)
    {
        // A value that changes nothing contradicts nothing, nor does transformers' own default.
        IEnumerable<GenerationOption> ofSampling = GenerationOption.All.Where(option => option.Group == GenerationOptionGroup.Sampling);
        if (DoSample == false && ofSampling.FirstOrDefault(option => option.Effect(this) is not null) is GenerationOption drawn)
            throw new ModelInputException($"{drawn.Property} is {drawn.Effect(this)} and DoSample is false; it works only where tokens are drawn at random. " +
                $"Set DoSample to true, or leave {drawn.Property} out.");
        if (Seed is not null && all.DoSample != true)
            throw new ModelInputException(all.NumBeams > 1
                ? $"Seed is {Seed} and NumBeams is {all.NumBeams} without DoSample; beam search draws no random numbers. Set DoSample to true, or leave " +
                    "Seed out."
                : $"Seed is {Seed} without DoSample; the most probable token is taken, and nothing is drawn at random. Set DoSample to true, or leave " +
                    "Seed out.");
    }

    private void RequireBeams(GenerationOptions all)
    {
        (int beams, int sequences) = (all.NumBeams ?? 1, all.NumReturnSequences ?? 1);
        if (beams > 1 && sequences > beams)
            throw new ModelInputException($"NumReturnSequences is {sequences} and NumBeams is {beams}; no more can come out than there are beams.");
        if (beams == 1 && sequences > 1 && all.DoSample != true)
            throw new ModelInputException($"NumReturnSequences is {sequences} and NumBeams is 1 without DoSample; all texts would be the same. " +
                $"Set DoSample to true, or NumBeams to at least {sequences}.");
        if (beams == 1 && GenerationOptionTable.LengthPenalty.Effect(this) is not null)
            throw new ModelInputException(string.Create(CultureInfo.InvariantCulture,
                $"LengthPenalty is {LengthPenalty} and NumBeams is 1; it compares beams. Raise NumBeams, or leave LengthPenalty out."));
        if (beams == 1 && GenerationOptionTable.EarlyStopping.Effect(this) is not null)
            throw new ModelInputException($"EarlyStopping is {EarlyStopping} and NumBeams is 1; it ends beam search. Raise NumBeams, or leave EarlyStopping " +
                "out.");
        if (beams > 1 && all.AssistantModel is not null)
            throw new ModelInputException($"AssistantModel is set and NumBeams is {beams}; tokens can be drafted for one text only. Leave one of them out.");
        if (all.AssistantModel is not null && all.PromptLookupNumTokens is int both)
            throw new ModelInputException($"AssistantModel is set and PromptLookupNumTokens is {both}; one of them drafts. Leave the other out.");
        if (beams > 1 && all.TopLogProbabilities is int top)
            throw new ModelInputException($"TopLogProbabilities is {top} and NumBeams is {beams}; beams report a score for the whole text. " +
                "Leave one of them out.");
        if (beams > 1 && all.PromptLookupNumTokens is int ahead)
            throw new ModelInputException($"PromptLookupNumTokens is {ahead} and NumBeams is {beams}; tokens can be looked up for one text only. " +
                "Leave one of them out.");
    }

    private static void RequireSequences(GenerationOptions all, IReadOnlyList<int> eosTokenId)
    {
        if (all.BadWordsIds is { } words)
        {
            if (words.Any(word => word is not { Count: > 0 }))
                throw new ModelInputException("BadWordsIds holds an empty list; a bad word is at least one token.");
            if (words.All(word => NoBadWordsLogitsProcessor.IsEndToken(word, eosTokenId)))
                throw new ModelInputException(words.Count == 0
                    ? "BadWordsIds is empty; at least one bad word is needed. Leave it out where none is meant."
                    : $"BadWordsIds holds nothing but end tokens (EosTokenId {string.Join(", ", eosTokenId)}), which cannot be forbidden so. " +
                        "To go on past them give an empty EosTokenId, or MinNewTokens.");
        }
        if (all.SequenceBias is { } biases && (biases.Count == 0 || biases.Any(bias => bias.TokenIds is not { Count: > 0 })))
            throw new ModelInputException(biases.Count == 0
                ? "SequenceBias is empty; at least one sequence is needed. Leave it out where none is meant."
                : "SequenceBias holds an empty sequence; at least one token is needed.");
        foreach (SequenceBias bias in all.SequenceBias ?? [])
        {
            if (float.IsPositiveInfinity(bias.Bias))
                throw new ModelInputException($"SequenceBias adds +∞ to the score of token {bias.TokenIds[^1]}; " +
                    "a number is needed, or −∞ for what may not come.");
        }
    }

    private void RequireTokens(GenerationOptions all, int vocabSize)
    {
        foreach (GenerationOption option in GenerationOption.All)
        {
            // The checkpoint's own end token may lie outside the vocabulary (a config.json may be wrong); then it never comes.
            foreach (int id in option.TokensIn(option.Group == GenerationOptionGroup.Scores ? all : this))
            {
                if ((uint)id >= (uint)vocabSize)
                    throw new ModelInputException($"{option.Property} holds token {id}; the model's tokens are 0 to {vocabSize - 1} (vocab_size {vocabSize}).");
            }
        }
    }
}
