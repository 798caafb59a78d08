namespace ManagedTransformers.Server;

/// <summary>The body of /v1/completions.</summary>
internal sealed record CompletionRequest
{
    // OpenAI gives at most 5 log probabilities; lm-evaluation-harness asks for 10, and vLLM gives 20.
    private const int MaxStops = 4, MaxChoices = 128, MaxBestOf = 20, MaxLogProbabilities = 20, DefaultFimTokens = 128;

    public string? Model { get; init; }

    /// <summary>Each a text or ids.</summary>
    public required IReadOnlyList<(string? Text, IReadOnlyList<int>? Ids)> Prompts { get; init; }
    public string? Suffix { get; init; }
    public int MaxTokens { get; init; }
    public int N { get; init; }
    public int? BestOf { get; init; }
    public bool Echo { get; init; }
    public int? LogProbabilities { get; init; }
    public bool Stream { get; init; }
    public bool StreamUsage { get; init; }
    public double FrequencyPenalty { get; init; }
    public double PresencePenalty { get; init; }
    public IReadOnlyList<int> StopTokens { get; init; } = [];
    public int MinTokens { get; init; }
    public int? TruncatePrompt { get; init; }
    public bool SkipSpecialTokens { get; init; } = true;
    public required GenerationOptions Options { get; init; }

    /// <summary>Whether the answer's texts are messages, as Mistral's infilling has them.</summary>
    public bool IsFim { get; init; }

    /// <exception cref="ApiException">A field is wrong, or contradicts another.</exception>
    public static CompletionRequest Read(RequestFields fields, int mostPrompts)
    {
        int n = fields.Integer("n", 1, MaxChoices) ?? 1;
        int? best = fields.Integer("best_of", 0, MaxBestOf);
        var read = new CompletionRequest
        {
            Model = fields.Text("model"), Prompts = PromptsOf(fields, mostPrompts),
            Suffix = fields.Text("suffix") is { Length: > 0 } suffix ? suffix : null,
            MaxTokens = fields.Integer("max_tokens", 0) ?? 16, N = n, BestOf = best is null or 0 || best == n ? null : best,
            Echo = fields.Flag("echo") ?? false, LogProbabilities = fields.Integer("logprobs", 0, MaxLogProbabilities),
            Stream = fields.Flag("stream") ?? false, StreamUsage = StreamUsageOf(fields),
            FrequencyPenalty = fields.Number("frequency_penalty", -2, 2) ?? 0, PresencePenalty = fields.Number("presence_penalty", -2, 2) ?? 0,
            StopTokens = fields.Integers("stop_token_ids") ?? [], MinTokens = fields.Integer("min_tokens", 0) ?? 0,
            TruncatePrompt = fields.Integer("truncate_prompt_tokens", 1), SkipSpecialTokens = fields.Flag("skip_special_tokens") ?? true,
            Options = OptionsOf(fields, Math.Max(n, best ?? 0)),
        };
        fields.RefuseOthers();
        read.RequireSense(best);
        return read;
    }

    /// <summary>Reads the body of /v1/fim/completions. One text: what else its clients can ask for is in its manifest.</summary>
    /// <exception cref="ApiException">A field is wrong, or contradicts another.</exception>
    public static CompletionRequest ReadFim(RequestFields fields)
    {
        string prompt = fields.Text("prompt") ?? throw ApiException.Of("prompt", "Field 'prompt' is needed: the text before the gap.");
        double temperature = fields.Number("temperature", 0, 2) ?? 1, topP = fields.Number("top_p", 0, 1) ?? 1;
        var read = new CompletionRequest
        {
            IsFim = true, Model = fields.Text("model"), Prompts = [(prompt, null)], Suffix = fields.Text("suffix") is { Length: > 0 } suffix ? suffix : null,
            MaxTokens = fields.Integer("max_tokens", 1) ?? DefaultFimTokens, MinTokens = fields.Integer("min_tokens", 0) ?? 0, N = 1,
            Stream = fields.Flag("stream") ?? false, FrequencyPenalty = fields.Number("frequency_penalty", -2, 2) ?? 0,
            PresencePenalty = fields.Number("presence_penalty", -2, 2) ?? 0, Options = new GenerationOptions
            {
                DoSample = temperature > 0, Temperature = temperature > 0 ? temperature : 1, TopK = 0, TopP = temperature > 0 ? topP : 1,
                Seed = fields.Long("random_seed", least: 0) is long seed && temperature > 0 ? seed : null, RepetitionPenalty = 1,
                StopStrings = StopsOf(fields),
            },
        };
        fields.RefuseOthers();
        read.RequireSense(best: null);
        return read;
    }

    private void RequireSense(int? best)
    {
        if (best is > 0 && best < N)
            throw ApiException.Of("best_of", $"Field 'best_of' is {best}; it must be at least 'n', which is {N}.");
        if (BestOf is not null && Stream)
            throw ApiException.Of("best_of", "Field 'best_of' cannot stream: which texts are the best is known at the end.");
        if (Suffix is not null && Prompts.Any(prompt => prompt.Text is null))
            throw ApiException.Of("suffix", "Field 'suffix' needs a prompt that is text, not token ids.");
        if (Suffix is not null && (Echo && LogProbabilities is not null || TruncatePrompt is not null))
            throw ApiException.Of("suffix", "Field 'suffix' does not go together with 'truncate_prompt_tokens', nor with 'echo' and 'logprobs' at once.");
        if (MinTokens > MaxTokens)
            throw ApiException.Of("min_tokens", $"Field 'min_tokens' is {MinTokens}, above 'max_tokens', which is {MaxTokens}.");
    }

    private static bool StreamUsageOf(RequestFields fields)
    {
        if (fields.Nested("stream_options") is not RequestFields options)
            return false;
        if (fields.Flag("stream") != true)
            throw ApiException.Of("stream_options", "Field 'stream_options' is only for 'stream': true.");
        bool usage = options.Flag("include_usage") ?? false;
        options.RefuseOthers();
        return usage;
    }

    // What is not said is OpenAI's default, not the checkpoint's. At temperature 0 the best token is taken, which top_p, top_k and min_p never leave out:
    // many clients send them with it. Several texts of one prompt at temperature 0 are drawn from the best token alone.
    private static GenerationOptions OptionsOf(RequestFields fields, int texts)
    {
        double temperature = fields.Number("temperature", 0, 2) ?? 1;
        int topK = fields.Integer("top_k", -1) ?? 0;
        double? topP = fields.Number("top_p", 0, 1), minP = fields.Number("min_p", 0, 1);
        bool isGreedy = temperature == 0, draws = !isGreedy || texts > 1;
        var options = new GenerationOptions
        {
            DoSample = draws, Temperature = isGreedy ? 1 : temperature, TopK = !isGreedy ? Math.Max(0, topK) : texts > 1 ? 1 : 0,
            TopP = isGreedy ? 1 : topP ?? 1, MinP = isGreedy ? null : minP, Seed = fields.Long("seed") is long seed && draws ? seed : null,
            RepetitionPenalty = fields.Number("repetition_penalty", 1e-3, 1e3) ?? 1, StopStrings = StopsOf(fields), SequenceBias = BiasOf(fields),
            NumReturnSequences = fields.Integer("n"), TopLogProbabilities = fields.Integer("logprobs"),
        };
        return fields.Flag("ignore_eos") == true ? options with { EosTokenId = [] } : options;
    }

    private static IReadOnlyList<string>? StopsOf(RequestFields fields)
    {
        IReadOnlyList<string> stops = [.. (fields.Texts("stop") ?? []).Where(stop => stop.Length > 0)];
        if (stops.Count > MaxStops)
            throw ApiException.Of("stop", $"Field 'stop' has {stops.Count} texts; at most {MaxStops} are taken.");
        return stops.Count == 0 ? null : stops;
    }

    private static List<SequenceBias>? BiasOf(RequestFields fields)
    {
        if (fields.Find("logit_bias") is not JsonElement map)
            return null;
        if (map.ValueKind != JsonValueKind.Object)
            throw RequestFields.WrongType("logit_bias", "object", map);
        var biases = new List<SequenceBias>();
        foreach (JsonProperty one in map.EnumerateObject())
        {
            if (!int.TryParse(one.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int token))
                throw ApiException.Of("logit_bias", "Field 'logit_bias' has a key that is no token id.");
            if (one.Value.ValueKind != JsonValueKind.Number || !one.Value.TryGetSingle(out float bias) || bias is not (>= -100 and <= 100))
                throw ApiException.Of("logit_bias", $"Field 'logit_bias' of token {token} must be a number, -100 … 100.");
            biases.Add(new SequenceBias([token], bias));
        }
        return biases.Count == 0 ? null : biases;
    }

    private static IReadOnlyList<(string? Text, IReadOnlyList<int>? Ids)> PromptsOf(RequestFields fields, int most)
    {
        if (fields.Find("prompt") is not JsonElement prompt)
            return [("", null)];
        if (prompt.ValueKind == JsonValueKind.String)
            return [(RequestFields.Text(prompt, "prompt"), null)];
        if (prompt.ValueKind != JsonValueKind.Array)
            throw RequestFields.WrongType("prompt", "string, array of string, array of integer or array of such", prompt);
        if (prompt.GetArrayLength() == 0)
            throw ApiException.Of("prompt", "Field 'prompt' is an empty list; one prompt or token is needed.");
        if (prompt[0].ValueKind == JsonValueKind.Number)
            return [(null, Ids(prompt))];
        return prompt.GetArrayLength() <= most ? [.. prompt.EnumerateArray().Select(One)]
            : throw ApiException.Of("prompt", $"Field 'prompt' has {prompt.GetArrayLength()} prompts; at most {most} are read at once.");
    }

    private static (string? Text, IReadOnlyList<int>? Ids) One(JsonElement prompt) =>
        prompt.ValueKind == JsonValueKind.Array ? (null, Ids(prompt)) : (RequestFields.Text(prompt, "prompt"), null);

    private static IReadOnlyList<int> Ids(JsonElement list) => RequestFields.Integers(list, "prompt") is { Count: > 0 } ids ? ids
        : throw ApiException.Of("prompt", "Field 'prompt' has an empty list of tokens; one token is needed.");
}
