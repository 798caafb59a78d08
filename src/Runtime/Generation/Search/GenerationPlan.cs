using System.Security.Cryptography;

namespace ManagedTransformers;


/// <summary>What a call comes to: its prompts, and its options over the checkpoint's, with limits settled, contradictions refused, processors and
/// criteria made.</summary>
internal sealed class GenerationPlan
{
    private readonly Dictionary<int, LogitsProcessor[]> _processors = [];
    private readonly Dictionary<int, StoppingCriterion[]> _criteria = [];
    private readonly long? _seed;

    /// <summary>Settles a call.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">What it continues.</param>
    /// <param name="options">What the caller asks for.</param>
    /// <param name="defaults">What the checkpoint says.</param>
    /// <param name="tokenizer">Decodes for criteria that look at text; null where there is none.</param>
    /// <param name="session">The session that the one prompt is read in; null: each search makes one of its own.</param>
    /// <exception cref="ModelInputException">A prompt has a token that is not the model's or leaves no room, or less than was asked for; or the options
    /// contradict each other.</exception>
    public GenerationPlan(
        ICausalLM model, IReadOnlyList<SearchPrompt> prompts, GenerationOptions options, GenerationOptions defaults, Tokenizer? tokenizer = null,
        Session? session = null)
    {
        SearchPrompt.RequireIds(prompts, model.Config.VocabSize);
        (Model, Prompts, Tokenizer, Kernels) = (model, prompts, tokenizer, session?.Kernels ?? model.LoadOptions.Kernels);
        Options = options.Over(defaults);
        EosTokenId = Options.EosTokenId ?? model.Config.EosTokenId;
        options.Validate(defaults, model.Config.VocabSize, EosTokenId);
        if (tokenizer is null && Options.StopStrings is { Count: > 0 } strings)
            throw new ModelInputException($"StopStrings asks for the text (\"{strings[0]}\"), and a model alone has no tokenizer. " +
                "Generate with TextGenerator, or leave it out.");
        if (tokenizer is null && Options.Truncation is not null)
            throw new ModelInputException("Truncation asks for the text, and a model alone has no tokenizer. Generate with TextGenerator, or leave it out.");
        int longest = prompts.Count == 0 ? 0 : prompts.Max(prompt => prompt.InputIds.Length);
        MaxNewTokens = new TextRoom(model.Config, session?.Cache).NewTokens(options, defaults, longest);
        options.RequireMinimaWithin(longest, MaxNewTokens);
        if (Options.DoSample == true)
            _seed = Options.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
    }

    public ICausalLM Model { get; }
    public IReadOnlyList<SearchPrompt> Prompts { get; }
    public GenerationOptions Options { get; }

    /// <summary>Decodes what comes out, for criteria that look at text, and for debugger views; null where there is none.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>Level and threads, of the passes and of what looks at their scores.</summary>
    public KernelOptions Kernels { get; }

    public int MaxNewTokens { get; }
    public IReadOnlyList<int> EosTokenId { get; }
    public int Sequences => Options.NumReturnSequences ?? 1;
    public int Beams => Options.NumBeams ?? 1;
    public WeightType KeyValueType => Options.KeyValueType ?? WeightType.F32;

    /// <summary>Most tokens of a text together with its prompt, as the model reads them.</summary>
    public int MaxLength => Prompts.Max(prompt => prompt.Tokens.Length) + MaxNewTokens;

    /// <summary>Where a text is cut and so ends; null where the whole text is cut by patterns, whose end they may look at.</summary>
    public TruncationRecipe? EndingRecipe => Options.TruncateBeforePattern is { Count: > 0 } ? null : Options.Truncation;

    /// <summary>This plan, if it is for one text that is chosen token by token.</summary>
    /// <exception cref="ModelInputException">It is for several, or for beams.</exception>
    public GenerationPlan RequireOneText() => Beams == 1 && Sequences == 1
        ? this
        : throw new ModelInputException($"NumBeams is {Beams} and NumReturnSequences is {Sequences}; one text that is chosen token by token can be streamed. " +
            "Set both to 1, or generate without streaming.");

    /// <summary>The texts, those of one prompt side by side.</summary>
    public SearchRow[] NewRows() => [.. Prompts.SelectMany(prompt => Enumerable.Range(0, Sequences).Select(number => new SearchRow(prompt, this, number)))];

    /// <summary>A session for some of the texts.</summary>
    public Session NewSession(int batchSize, int maxLength) =>
        Model.CreateSession(new SessionOptions { BatchSize = batchSize, MaxLength = maxLength, KeyValueType = KeyValueType, Kernels = Kernels });

    /// <summary>The processors of a row by the length of its prompt; rows share them.</summary>
    public LogitsProcessor[] ProcessorsFor(int promptLength) => _processors.TryGetValue(promptLength, out LogitsProcessor[]? known)
        ? known
        : _processors[promptLength] = LogitsProcessors.For(Options, promptLength, promptLength + MaxNewTokens, EosTokenId, Kernels);

    /// <summary>The criteria of a row by the length of its prompt. What the text says ends it before any limit does: the last token that
    /// there is room for may complete a stop string.</summary>
    public StoppingCriterion[] CriteriaFor(int promptLength) => _criteria.TryGetValue(promptLength, out StoppingCriterion[]? known)
        ? known
        : _criteria[promptLength] = StoppingCriterion.For(this, promptLength + MaxNewTokens);

    /// <summary>The randomness of a prompt's text; null where nothing is drawn.</summary>
    public TokenNoise? NoiseFor(int number) => _seed is long seed ? new TokenNoise(seed, number) : null;

    /// <summary>What decodes a row for its criteria; null where there is no tokenizer.</summary>
    public GeneratedText? NewText(SearchPrompt prompt) => NewDecoder(prompt) is DecodeStream decoder ? new GeneratedText(decoder) : null;

    /// <summary>What decodes the new tokens of a prompt; null where there is no tokenizer. They go on with its text: a space before them is theirs, but after a
    /// beginning-of-text token alone.</summary>
    public DecodeStream? NewDecoder(SearchPrompt prompt)
    {
        var options = new DecodeOptions { SkipSpecialTokens = SkipSpecialTokens };
        return prompt.Tokens.Length == 1 && prompt.Tokens[0] == Tokenizer?.SpecialTokens.BosTokenId
            ? Tokenizer.CreateDecodeStream(options)
            : Tokenizer?.ContinueDecoding(options);
    }

    /// <summary>Whether texts are without the special tokens among their tokens.</summary>
    public bool SkipSpecialTokens { get; init; }

    /// <summary>What guesses ahead, where the options ask for it; null: nothing.</summary>
    public Drafter? NewDrafter()
    {
        if (Options.AssistantModel is TextGenerator assistant)
            return new DraftModel(assistant.CausalLM, Math.Min(Prompts.Count * Sequences, MatMul.StreamedRows), MaxLength, this);
        return Options.PromptLookupNumTokens is int tokens ? new PromptLookup(tokens, Options.MaxMatchingNgramSize ?? GenerationOptionTable.UsualNgram) : null;
    }
}

/// <summary>One call of generate from prompts to texts.</summary>
internal static class GenerationRun
{
    /// <summary>Continues the prompts of a plan; a session that has read the one prompt already is the <paramref name="beginning"/>.</summary>
    public static GenerationOutput Run(GenerationPlan plan, IProgress<int>? progress, CancellationToken cancellationToken, Session? beginning = null)
    {
        if (plan.Prompts.Count == 0)
            return new GenerationOutput([], new GenerationUsage());
        if (plan.Beams > 1)
            return SearchBeams(plan, progress, beginning, cancellationToken);
        using var search = new TokenSearch(plan);
        if (beginning is not null)
            search.Begin(beginning, plan.Prompts[0]);
        while (search.MoveNext(cancellationToken))
            progress?.Report(search.Ended);
        return new GenerationOutput([.. search.Rows.Select(row => ResultOf(row, plan))], search.Usage);
    }

    public static GeneratedSequence ResultOf(SearchRow row, GenerationPlan plan)
    {
        int[] tokens = row.Generated.ToArray();
        string text = CompletedText.Of(tokens, row.Prompt, plan);
        return new GeneratedSequence(row.Prompt.Index, tokens, text, row.FinishReason!.Value) { LogProbabilities = row.LogProbabilities };
    }

    public static GeneratedSequence ResultOf(BeamHypothesis found, SearchPrompt prompt, GenerationPlan plan)
    {
        // Of several end tokens transformers writes the first, whichever came.
        int[] tokens = found.FinishReason == FinishReason.EndToken ? [.. found.Tokens, plan.EosTokenId[0]] : found.Tokens;
        return new GeneratedSequence(prompt.Index, tokens, CompletedText.Of(tokens, prompt, plan), found.FinishReason) { Score = found.Score };
    }

    private static GenerationOutput SearchBeams(GenerationPlan plan, IProgress<int>? progress, Session? beginning, CancellationToken cancellationToken)
    {
        var (sequences, usage) = (new List<GeneratedSequence>(), new GenerationUsage());
        long start = Stopwatch.GetTimestamp();
        foreach (SearchPrompt prompt in plan.Prompts)
        {
            using var search = new BeamSearch(prompt, plan, start, beginning);
            while (search.MoveNext(cancellationToken))
                progress?.Report(sequences.Count);
            prompt.Scores = null;
            foreach (BeamHypothesis found in search.Results)
            {
                sequences.Add(ResultOf(found, prompt, plan));
                search.Usage.NewTokens += sequences[^1].TokenIds.Count;
            }
            usage.Add(search.Usage);
            progress?.Report(sequences.Count);
        }
        return new GenerationOutput(sequences, usage);
    }
}

/// <summary>How many tokens a text may have, and what that leaves for its prompt and for new ones.</summary>
internal sealed class TextRoom
{
    private readonly int _tokens;
    private readonly string _limit;            // who sets it, for messages

    /// <summary>All that a model reads, or what a session holds, which may be less.</summary>
    public TextRoom(PretrainedConfig config, KeyValueCache? cache) => (_tokens, _limit) = cache is null || cache.MaxLength == config.MaxTokens
        ? (config.MaxTokens, $"the model reads at most {config.MaxTokens} ({config.Positions})")
        : (cache.MaxLength, $"the session holds at most {cache.MaxLength} (SessionOptions.MaxLength)");

    /// <summary>The most new tokens after a prompt.</summary>
    /// <exception cref="ModelInputException">None, or fewer than was asked for.</exception>
    public int NewTokens(GenerationOptions options, GenerationOptions defaults, int promptLength)
    {
        int room = _tokens - promptLength;
        if (room < 1)
            throw new ModelInputException($"The prompt is {promptLength} tokens; {_limit}, " +
                "and at least one must be left to generate. Drop tokens at the prompt's beginning, or set TruncatePrompt.");
        if (options.MaxNewTokens is int tokens)
        {
            return tokens <= room
                ? tokens
                : throw new ModelInputException($"The prompt is {promptLength} tokens and MaxNewTokens is {tokens}, " +
                    $"together {(long)promptLength + tokens}; {_limit}. Ask for at most {room}, " +
                    "drop tokens at the prompt's beginning, or set TruncatePrompt.");
        }
        if (options.MaxLength is int asked && (asked > _tokens || asked <= promptLength))
        {
            throw new ModelInputException(asked <= promptLength
                ? $"The prompt is {promptLength} tokens and MaxLength is {asked}, which leaves none to generate. Raise MaxLength, or give MaxNewTokens, " +
                    "which does not count the prompt."
                : $"MaxLength is {asked}; {_limit}.");
        }
        // The checkpoint's own limits are wishes: they give way to what fits.
        int? byLength = (options.MaxLength ?? (defaults.MaxNewTokens is null ? defaults.MaxLength : null)) - promptLength;
        return byLength >= 1 ? Math.Min(byLength.Value, room) : Math.Min(defaults.MaxNewTokens ?? GenerationOptionTable.UsualNewTokens, room);
    }

    /// <summary>The most tokens that a prompt keeps: all, unless the options ask to drop what leaves no room for new ones.</summary>
    public int PromptTokens(GenerationOptions options, GenerationOptions defaults)
    {
        if (options.Over(defaults).TruncatePrompt != true)
            return int.MaxValue;
        if (options.MaxLength is int length)
            return Math.Max(1, Math.Min(length, _tokens) - 1);
        return Math.Max(1, _tokens - (options.MaxNewTokens ?? defaults.MaxNewTokens ?? GenerationOptionTable.UsualNewTokens));
    }
}
