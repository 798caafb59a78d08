namespace ManagedTransformers;


/// <summary>How text is generated; names, meanings and ranges are those of transformers' GenerationConfig. What is null is taken from the checkpoint's
/// generation_config.json, and where that is silent too, what each option says under "Null".</summary>
/// <example><code>
/// new GenerationOptions { DoSample = true, Temperature = 0.2, TopP = 0.95, MaxNewTokens = 128, Seed = 1 }
/// </code></example>
public sealed partial record GenerationOptions
{
    /// <summary>Nothing asked for: the checkpoint's own settings.</summary>
    public static GenerationOptions Default => new();

    /// <summary>The most tokens to generate, at least 1. Null here, in <see cref="MaxLength"/> and in the checkpoint: 64, or as many as still fit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? MaxNewTokens { get; init => field = GenerationOptionTable.MaxNewTokens.Require(value); }

    /// <summary>The most tokens with the prompt (of a batch, its longest prompt); instead of <see cref="MaxNewTokens"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? MaxLength { get; init => field = GenerationOptionTable.MaxLength.Require(value); }

    /// <summary>No end token before this number of generated tokens. Null: 0. Goes before <see cref="MinLength"/> where both are given.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? MinNewTokens { get; init => field = GenerationOptionTable.MinNewTokens.Require(value); }

    /// <summary>No end token before this number of tokens, those of the prompt included. Null: 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? MinLength { get; init => field = GenerationOptionTable.MinLength.Require(value); }

    /// <summary>Draw each token at random by its probability. Null: false, the most probable token is taken.</summary>
    public bool? DoSample { get; init; }

    /// <summary>Where the random numbers of <see cref="DoSample"/> start; the same seed gives the same text. Null: another one every time.</summary>
    public long? Seed { get; init; }

    /// <summary>How many continuations are kept at each step; over 1: beam search. Null: 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? NumBeams { get; init => field = GenerationOptionTable.NumBeams.Require(value); }

    /// <summary>How many texts come out for one prompt; of beams at most <see cref="NumBeams"/>. Null: 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? NumReturnSequences { get; init => field = GenerationOptionTable.NumReturnSequences.Require(value); }

    /// <summary>The exponent of the length by which a beam's summed log probability is divided: above 0 prefers longer texts, below 0 shorter ones. Null: 1.
    /// Only with <see cref="NumBeams"/> over 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is NaN or infinite.</exception>
    public double? LengthPenalty { get; init => field = GenerationOptionTable.LengthPenalty.Require(value); }

    /// <summary>When beam search ends. Null: <see cref="ManagedTransformers.EarlyStopping.False"/>. Only with <see cref="NumBeams"/> over 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the three.</exception>
    public EarlyStopping? EarlyStopping { get; init => field = GenerationOptionTable.EarlyStopping.Require(value); }

    /// <summary>Speculative decoding without a second model: up to this number of tokens are copied from where the last ones stood before, and checked in one
    /// pass. The text stays the same. Null: off. transformers' prompt_lookup_num_tokens; Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? PromptLookupNumTokens { get; init => field = GenerationOptionTable.PromptLookupNumTokens.Require(value); }

    /// <summary>How many last tokens <see cref="PromptLookupNumTokens"/> looks for, at most. Null: 8 (transformers: 2); the text is the same.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? MaxMatchingNgramSize { get; init => field = GenerationOptionTable.MaxMatchingNgramSize.Require(value); }

    /// <summary>Speculative decoding: a smaller model drafts tokens, and this one checks them in one pass. The text stays the same, also where it is drawn at
    /// random. It must have the same tokenizer. transformers' assistant_model; Leviathan et al. 2023, arXiv:2211.17192.</summary>
    public TextGenerator? AssistantModel { get; init; }

    /// <summary>The tokens that end a text; each is the last token of what it ends. Empty: none does. Null here and in generation_config.json: the
    /// tokenizer's end token, else config.json's.</summary>
    public IReadOnlyList<int>? EosTokenId { get; init; }

    /// <summary>What rows that ended are filled with where rows of equal length are asked for. Null here and in the checkpoint: the first end token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? PadTokenId { get; init => field = GenerationOptionTable.PadTokenId.Require(value); }

    /// <summary>The token that an empty prompt begins with. Null: the tokenizer's beginning-of-text token, else its end token, else config.json's
    /// bos_token_id.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? BosTokenId { get; init => field = GenerationOptionTable.BosTokenId.Require(value); }

    /// <summary>Strings that end a text when they come up in it. Their tokens are among the new ones; the text ends before them.</summary>
    public IReadOnlyList<string>? StopStrings { get; init; }

    /// <summary>No further token after this time. The one under way is finished.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public TimeSpan? MaxTime { get; init => field = GenerationOptionTable.MaxTime.Require(value); }

    /// <summary>Drop the beginning of a prompt that leaves no room for what is to be generated. Null: false, such a prompt is refused. Not in
    /// transformers.</summary>
    public bool? TruncatePrompt { get; init; }

    /// <summary>How many of the most probable tokens are reported with each generated one. Null: none. Not in transformers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? TopLogProbabilities { get; init => field = GenerationOptionTable.TopLogProbabilities.Require(value); }

    /// <summary>How keys and values are kept: in half the memory as F16 or BF16, which rounds them and may so change the text. Null: F32, or in a
    /// <see cref="GenerationSession"/> the session's own. Not in transformers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the three.</exception>
    public WeightType? KeyValueType { get; init => field = GenerationOptionTable.KeyValueType.Require(value); }

    /// <summary>Where the text is cut. It ends as soon as it is certain where that is (<see cref="FinishReason.Criterion"/>), so that nothing is generated that
    /// would be cut off; with <see cref="TruncateBeforePattern"/>, which looks at the whole text, it goes on to its end, and is cut after those. Null: it is
    /// not cut. Not in transformers.</summary>
    public TruncationRecipe? Truncation { get; init; }

    /// <summary>Cuts the text before the second top-level print, the second def, and the first match of these regular expressions, as CodeGenTokenizer.decode
    /// does. A stream then gives its text in one piece at the end, because only then the cut is known.</summary>
    public IReadOnlyList<string>? TruncateBeforePattern { get; init; }

    /// <summary>Divides the scores before sampling: below 1 prefers probable tokens, above 1 evens out. Null: 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public double? Temperature { get; init => field = GenerationOptionTable.Temperature.Require(value); }

    /// <summary>Sample from this number of most probable tokens; 0: from all. Null: 50, as transformers has it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? TopK { get; init => field = GenerationOptionTable.TopK.Require(value); }

    /// <summary>Sample from the fewest most probable tokens that have this probability together (nucleus sampling). Null: 1, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not in 0 … 1.</exception>
    public double? TopP { get; init => field = GenerationOptionTable.TopP.Require(value); }

    /// <summary>Sample from tokens that have at least this share of the most probable token's probability. Null: 0, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not in 0 … 1.</exception>
    public double? MinP { get; init => field = GenerationOptionTable.MinP.Require(value); }

    /// <summary>Sample from the tokens whose information is closest to what is expected, that have this probability together. Null: 1, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0 and at most 1.</exception>
    public double? TypicalP { get; init => field = GenerationOptionTable.TypicalP.Require(value); }

    /// <summary>Sample from tokens of at least this probability. Null: 0, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not at least 0 and below 1.</exception>
    public double? EpsilonCutoff { get; init => field = GenerationOptionTable.EpsilonCutoff.Require(value); }

    /// <summary>Sample from tokens of at least a probability that falls with the entropy (eta sampling). Null: 0, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not at least 0 and below 1.</exception>
    public double? EtaCutoff { get; init => field = GenerationOptionTable.EtaCutoff.Require(value); }

    /// <summary>Makes tokens that are in the text already less probable (above 1) or more (below 1). Null: 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public double? RepetitionPenalty { get; init => field = GenerationOptionTable.RepetitionPenalty.Require(value); }

    /// <summary>No sequence of this number of tokens comes twice, those of the prompt included; 0: any may. Null: 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? NoRepeatNgramSize { get; init => field = GenerationOptionTable.NoRepeatNgramSize.Require(value); }

    /// <summary>Sequences of tokens that are never generated.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? BadWordsIds { get; init; }

    /// <summary>Sequences of tokens that are made more or less probable.</summary>
    public IReadOnlyList<SequenceBias>? SequenceBias { get; init; }

    /// <summary>Tokens that are never generated.</summary>
    public IReadOnlyList<int>? SuppressTokens { get; init; }

    /// <summary>Tokens that are not generated first.</summary>
    public IReadOnlyList<int>? BeginSuppressTokens { get; init; }

    /// <summary>The tokens one of which is generated last where a text reaches its greatest length.</summary>
    public IReadOnlyList<int>? ForcedEosTokenId { get; init; }

    /// <summary>Make the scores log probabilities again after all processors. Null: false.</summary>
    public bool? RenormalizeLogits { get; init; }

    /// <summary>Your own changes of scores, after the built-in processors and before the warpers.</summary>
    public IReadOnlyList<LogitsProcessor>? LogitsProcessors { get; init; }

    /// <summary>Your own reasons to end a text, beside the built-in ones.</summary>
    public IReadOnlyList<StoppingCriterion>? StoppingCriteria { get; init; }

    /// <summary>These options, with those of others where they are null.</summary>
    /// <param name="defaults">Such as what a checkpoint says (<see cref="TextGenerator.Defaults"/>).</param>
    /// <remarks>One limit given here beats both of the defaults: they limit the same thing, in two ways of counting. So do the minima.</remarks>
    public GenerationOptions Over(GenerationOptions defaults)
    {
        ArgumentNullException.ThrowIfNull(defaults);
        if ((MaxNewTokens ?? MaxLength) is not null)
            defaults = defaults with { MaxNewTokens = null, MaxLength = null };
        if ((MinNewTokens ?? MinLength) is not null)
            defaults = defaults with { MinNewTokens = null, MinLength = null };
        return GenerationOption.All.Aggregate(defaults, (merged, option) => option.Copy(this, merged)) with
        {
            AssistantModel = AssistantModel ?? defaults.AssistantModel,
            LogitsProcessors = LogitsProcessors ?? defaults.LogitsProcessors,
            StoppingCriteria = StoppingCriteria ?? defaults.StoppingCriteria,
        };
    }

    /// <summary>The processors that these options come to, in transformers' order, for a loop of your own over <see cref="DecoderForCausalLM.Step"/>: each
    /// changes the scores that the one before it left. Warpers are among them where DoSample is true.</summary>
    /// <param name="promptLength">Tokens of the prompt.</param>
    /// <param name="maxLength">The most tokens, prompt included.</param>
    /// <param name="kernels">Level of their softmax; null: the best of this CPU.</param>
    /// <exception cref="ModelInputException">A sequence of BadWordsIds or SequenceBias is empty.</exception>
    /// <remarks>transformers' GenerationMixin._get_logits_processor.</remarks>
    public IReadOnlyList<LogitsProcessor> CreateLogitsProcessors(int promptLength, int maxLength, KernelOptions? kernels = null)
    {
        IReadOnlyList<int> endTokens = EosTokenId ?? [];
        RequireSequences(this, endTokens);
        return ManagedTransformers.LogitsProcessors.For(this, promptLength, maxLength, endTokens, kernels ?? KernelOptions.Default);
    }
}

/// <summary>When beam search ends; transformers' early_stopping: False, True or "never".</summary>
public enum EarlyStopping
{
    /// <summary>When the best text under way, at its present length, is unlikely to beat the worst finished one.</summary>
    False,

    /// <summary>As soon as there are <see cref="GenerationOptions.NumBeams"/> finished texts.</summary>
    True,

    /// <summary>Only when no text under way can beat the worst finished one, at whatever length.</summary>
    Never,
}

/// <summary>How much more or less probable a sequence of tokens is made.</summary>
/// <param name="TokenIds">The sequence, at least one token.</param>
/// <param name="Bias">Added to the score of its last token where the others stand before it; −∞ forbids it.</param>
public readonly record struct SequenceBias(IReadOnlyList<int> TokenIds, float Bias)
{
    /// <summary>Added to the score of the last token where the others stand before it; −∞ forbids it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is NaN.</exception>
    public float Bias { get; init => field = NotNaN(value); } = NotNaN(Bias);

    private static float NotNaN(float bias) =>
        float.IsNaN(bias) ? throw new ArgumentOutOfRangeException(nameof(bias), "Bias is NaN; a number is needed.") : bias;
}

/// <content>Options from JSON, under transformers' names.</content>
public sealed partial record GenerationOptions
{
    private const int MostShown = 120;

    private static readonly Dictionary<string, GenerationOption> Keys = GenerationOption.All.ToDictionary(option => option.Name);

    /// <summary>Reads a file of options, such as generation_config.json; max_time is in seconds. A null eos_token_id means that no token ends a text, as
    /// in transformers; any other null is as if the key were not there. NaN, Infinity and −Infinity may stand as Python writes them where an option is a
    /// number.</summary>
    /// <param name="json">The file's bytes, UTF-8.</param>
    /// <param name="source">What to call the file in errors.</param>
    /// <param name="strict">Refuse keys that this record does not have; otherwise they are left alone.</param>
    /// <exception cref="ConfigException">The JSON is broken, a value is impossible or, where that is asked for, a key is unknown.</exception>
    public static GenerationOptions FromJson(ReadOnlyMemory<byte> json, string source = GenerationDefaults.File, bool strict = false)
    {
        using JsonDocument document = SmallJson.Parse(source, json, JsonValueKind.Object);
        return FromJson(document.RootElement, source, strict);
    }

    /// <summary>Reads an object of options that is part of something else, such as a request.</summary>
    /// <param name="json">The object.</param>
    /// <param name="source">What to call it in errors.</param>
    /// <param name="strict">Refuse keys that this record does not have; otherwise they are left alone.</param>
    /// <exception cref="ConfigException">It is no object, a value is impossible or, where that is asked for, a key is unknown.</exception>
    public static GenerationOptions FromJson(JsonElement json, string source, bool strict = true)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new ConfigException($"{source} is a JSON {json.ValueKind}; an object of options is needed.");
        try
        {
            return json.EnumerateObject().Aggregate(Default, (options, property) => options.Read(property.Name, property.Value, source, strict));
        }
        catch (InvalidOperationException e)
        {
            // What the parser lets through and GetString refuses.
            throw new ConfigException($"{source} has a text with half a surrogate pair, which is no text: {e.Message}", e);
        }
    }

    /// <summary>These options with one more value.</summary>
    internal GenerationOptions Read(string key, JsonElement value, string source, bool strict)
    {
        if (!Keys.TryGetValue(key, out GenerationOption? option))
            return strict ? throw new ConfigException($"{source}: there is no option {Shown(key)}; the nearest is {Nearest(key)}.") : this;
        // In generate() None is a value: here it says that no token ends a text.
        if (value.ValueKind == JsonValueKind.Null && option != GenerationOptionTable.EosTokenId)
            return this;
        try
        {
            return option.Read(this, value);
        }
        catch (FormatException e)
        {
            throw new ConfigException($"{source}: {key} is {Shown(PythonNumbers.Unquote(value.GetRawText()))}; {e.Message}", e);
        }
    }

    private static string Shown(string text) => text.Length <= MostShown ? text : $"{text.AsSpan(0, MostShown)}…";

    private static string Nearest(string key) => Keys.Keys.MinBy(known => NearestNames.Distance(known, key.Length <= MostShown ? key : key[..MostShown]))!;
}
