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
    public GeneratedText? NewText() => Tokenizer is null ? null : new GeneratedText(Tokenizer);

    /// <summary>What guesses ahead, where the options ask for it; null: nothing.</summary>
    public Drafter? NewDrafter()
    {
        if (Options.AssistantModel is TextGenerator assistant)
            return new DraftModel(assistant.CausalLM, Math.Min(Prompts.Count * Sequences, MatMul.StreamedRows), MaxLength, this);
        return Options.PromptLookupNumTokens is int tokens ? new PromptLookup(tokens, Options.MaxMatchingNgramSize ?? GenerationOptionTable.UsualNgram) : null;
    }
}
