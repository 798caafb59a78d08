namespace ManagedTransformers.Server;

/// <summary>How tokens are chosen, in llama.cpp's words and with its defaults.</summary>
internal sealed record LlamaSampling
{
    // Those that are given, but for "dry", "top_n_sigma" and "xtc", which by their own defaults do nothing; more than that is refused.
    private static readonly string[] s_names = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature", "infill"];
    private static readonly string[] s_usual = s_names[..^1];

    public double Temperature { get; init; }
    public int TopK { get; init; }
    public double TopP { get; init; }
    public double MinP { get; init; }
    public double TypicalP { get; init; }
    public int RepeatLastN { get; init; }
    public double RepeatPenalty { get; init; }
    public double FrequencyPenalty { get; init; }
    public double PresencePenalty { get; init; }
    public int MinKeep { get; init; }

    /// <summary>Null: another one every time.</summary>
    public uint? Seed { get; init; }
    public bool IgnoreEos { get; init; }

    /// <summary>In the order in which they work.</summary>
    public IReadOnlyList<string> Samplers { get; init; } = [];

    /// <summary>Each of a token, or of the tokens of a text.</summary>
    public IReadOnlyList<(string? Text, int Id, float Bias)> Biases { get; init; } = [];

    /// <exception cref="ApiException">A field is wrong.</exception>
    public static LlamaSampling Read(RequestFields fields) => new()
    {
        Temperature = fields.Number("temperature", -1, 1000) ?? 0.8, TopK = fields.Integer("top_k") ?? 40, TopP = fields.Number("top_p", 0, 1) ?? 0.95,
        MinP = fields.Number("min_p", 0, 1) ?? 0.05, TypicalP = fields.Number("typical_p", 0.001, 1) ?? 1,
        RepeatLastN = fields.Integer(fields.Alias("repeat_last_n", "penalty_last_n"), -1) ?? 64,
        RepeatPenalty = fields.Number("repeat_penalty", 1e-3, 1e3) ?? 1, FrequencyPenalty = fields.Number("frequency_penalty", -100, 100) ?? 0,
        PresencePenalty = fields.Number("presence_penalty", -100, 100) ?? 0, MinKeep = fields.Integer("min_keep", 0) ?? 0,
        Seed = fields.Long("seed") is long seed && (uint)seed != uint.MaxValue ? (uint)seed : null, IgnoreEos = fields.Flag("ignore_eos") ?? false,
        Samplers = SamplersOf(fields), Biases = BiasesOf(fields),
    };

    /// <summary>The generator's options. Everything is drawn: temperature 0 leaves one token to draw.</summary>
    /// <param name="options">What else was asked for.</param>
    /// <param name="generator">The model.</param>
    public GenerationOptions Over(GenerationOptions options, TextGenerator generator)
    {
        IReadOnlyList<int> ends = options.EosTokenId ?? generator.Defaults.EosTokenId ?? generator.CausalLM.Config.EosTokenId;
        return options with
        {
            DoSample = true, Seed = Seed, Temperature = 1, TopK = 0, TopP = 1, MinP = 0, TypicalP = 1, EpsilonCutoff = 0, EtaCutoff = 0, NumBeams = 1,
            RepetitionPenalty = 1, NoRepeatNgramSize = 0, SequenceBias = BiasesFor(generator, ends), LogitsProcessors = Processors(generator, ends),
        };
    }

    private List<LogitsProcessor> Processors(TextGenerator generator, IReadOnlyList<int> ends)
    {
        int keep = Math.Max(1, MinKeep);
        var chain = new List<LogitsProcessor>();
        foreach (string name in Samplers)
        {
            SamplerStep? next = name switch
            {
                "penalties" when RepeatLastN != 0 && (RepeatPenalty, FrequencyPenalty, PresencePenalty) != (1, 0, 0) =>
                    SamplerStep.Of(name, RepeatLastN, RepeatPenalty, FrequencyPenalty, PresencePenalty),
                "top_k" when TopK > 0 => SamplerStep.Of(name, TopK, keep),
                "typ_p" when TypicalP < 1 => SamplerStep.Of(name, TypicalP, keep),
                "top_p" when TopP < 1 => SamplerStep.Of(name, TopP, keep),
                "min_p" when MinP > 0 => SamplerStep.Of(name, MinP, keep),
                "temperature" when (float)Temperature <= 0 => SamplerStep.Of("only_best"),
                "temperature" when Temperature != 1 => SamplerStep.Of(name, Temperature),
                "infill" => new SamplerStep(name, [], [.. ends]),
                _ => null,
            };
            if (next is not null)
                chain.Add(new PortableProcessor(next, generator));
        }
        return chain;
    }

    private List<SequenceBias>? BiasesFor(TextGenerator generator, IReadOnlyList<int> ends)
    {
        var sums = new Dictionary<int, float>();
        foreach ((string? text, int id, float bias) in Biases)
        {
            foreach (int token in text is null ? [id] : generator.Tokenizer.EncodeToIds(text, pair: null, EncodeOptions.Plain))
            {
                if ((uint)token >= (uint)generator.CausalLM.Config.VocabSize)
                    throw ApiException.Of("logit_bias", $"Field 'logit_bias' has token {token}; the model has {generator.CausalLM.Config.VocabSize}.");
                sums[token] = sums.GetValueOrDefault(token) + bias;
            }
        }
        foreach (int end in IgnoreEos ? ends.Where(end => end < generator.CausalLM.Config.VocabSize) : [])
            sums[end] = float.NegativeInfinity;
        // More than this is as good as certain; sums and penalties of it stay numbers.
        const float Most = 1e30f;
        return sums.Count == 0 ? null : [.. sums.Select(one => new SequenceBias(
            [one.Key], float.IsNegativeInfinity(one.Value) ? one.Value : Math.Clamp(one.Value, -Most, Most)))];
    }

    private static IReadOnlyList<string> SamplersOf(RequestFields fields)
    {
        if (fields.Find("samplers") is not JsonElement value)
            return s_usual;
        if (value.ValueKind != JsonValueKind.Array)
            throw RequestFields.WrongType("samplers", "array of string", value);
        IReadOnlyList<string> samplers = RequestFields.Texts(value, "samplers");
        return samplers.FirstOrDefault(name => !s_names.Contains(name)) is not string unknown ? samplers
            : throw ApiException.Of("samplers", $"Field 'samplers' has '{unknown}'; there are {string.Join(", ", s_names)}.");
    }

    // [[15, 1.5], ["text", false]], or {"15": 1.5}; false bans.
    private static List<(string? Text, int Id, float Bias)> BiasesOf(RequestFields fields)
    {
        const string Name = "logit_bias";
        var biases = new List<(string? Text, int Id, float Bias)>();
        switch (fields.Find(Name))
        {
            case null:
                break;
            case { ValueKind: JsonValueKind.Object } map:
                foreach (JsonProperty one in map.EnumerateObject())
                    biases.Add(int.TryParse(one.Name, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int id)
                        ? (null, id, BiasOf(one.Value)) : (one.Name, 0, BiasOf(one.Value)));
                break;
            case { ValueKind: JsonValueKind.Array } list:
                foreach (JsonElement pair in list.EnumerateArray())
                {
                    if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2)
                        throw RequestFields.WrongType(Name, "array of [token, bias]", pair);
                    biases.Add(pair[0].ValueKind == JsonValueKind.String ? (RequestFields.Text(pair[0], Name), 0, BiasOf(pair[1]))
                        : (null, (int)Math.Clamp(RequestFields.Whole(pair[0], Name), int.MinValue, int.MaxValue), BiasOf(pair[1])));
                }
                break;
            case JsonElement other:
                throw RequestFields.WrongType(Name, "object, or array of [token, bias]", other);
        }
        return biases;
    }

    private static float BiasOf(JsonElement value) => value.ValueKind == JsonValueKind.False ? float.NegativeInfinity
        : value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float bias) && float.IsFinite(bias) ? bias
        : throw ApiException.Of("logit_bias", "Field 'logit_bias' has a bias that is neither a number nor false.");
}
