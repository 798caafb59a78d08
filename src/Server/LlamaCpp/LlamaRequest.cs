namespace ManagedTransformers.Server;

/// <summary>What /completion and /infill have in common: all but the prompt.</summary>
internal sealed record LlamaRequest
{
    private const int MaxProbabilities = 128;

    public string? Model { get; init; }

    /// <summary>−1: until the model ends the text, or there is no room.</summary>
    public int Predict { get; init; }
    public int Choices { get; init; }
    public int Indent { get; init; }
    public int MaxPredictMs { get; init; }
    public int Probabilities { get; init; }
    public bool Stream { get; init; }
    public bool CachePrompt { get; init; }
    public bool ReturnTokens { get; init; }

    /// <summary>How long a stream may be silent.</summary>
    public TimeSpan Ping { get; init; }
    public IReadOnlyList<string> Stops { get; init; } = [];
    public IReadOnlyList<string> ResponseFields { get; init; } = [];
    public required LlamaSampling Sampling { get; init; }

    /// <summary>What holds where a request says nothing.</summary>
    public static LlamaRequest Default { get; } = Read(
        new RequestFields(JsonElement.Parse("{}"), RouteManifest.Routes["POST /completion"].Fields), new ServerOptions());

    /// <summary>Reads the fields; the caller refuses those that nobody has read.</summary>
    /// <exception cref="ApiException">A field is wrong.</exception>
    public static LlamaRequest Read(RequestFields fields, ServerOptions options) => new()
    {
        Model = fields.Text("model"), Predict = Within(fields, fields.Alias("n_predict", "max_tokens", "max_completion_tokens"), -1, int.MaxValue) ?? -1,
        Choices = Within(fields, fields.Alias("n_cmpl", "n"), 1, options.Generation.MaxRows) ?? 1, Indent = fields.Integer("n_indent", 0) ?? 0,
        MaxPredictMs = fields.Integer("t_max_predict_ms", -1) ?? -1, Stream = fields.Flag("stream") ?? false,
        Probabilities = fields.Integer(fields.Alias("n_probs", "logprobs"), 0, MaxProbabilities) ?? 0,
        CachePrompt = fields.Flag("cache_prompt") ?? true, ReturnTokens = fields.Flag("return_tokens") ?? false, Ping = PingOf(fields),
        Stops = [.. (fields.Texts("stop") ?? []).Where(stop => stop.Length > 0)], ResponseFields = ResponseFieldsOf(fields),
        Sampling = LlamaSampling.Read(fields),
    };

    /// <summary>The options for a prompt, but for its length.</summary>
    /// <param name="options">What is said already, such as the tokens that end an infill.</param>
    /// <param name="generator">The model.</param>
    public GenerationOptions Over(GenerationOptions options, TextGenerator generator)
    {
        List<StoppingCriterion> criteria = [];
        if (Indent > 0)
            criteria.Add(new PortableCriterion(SamplerStep.Of("indent", Indent), generator));
        if (MaxPredictMs > 0)
            criteria.Add(new PortableCriterion(SamplerStep.Of("line_time", MaxPredictMs), generator));
        return Sampling.Over(options, generator) with
        {
            NumReturnSequences = Choices, TopLogProbabilities = Probabilities > 0 ? Probabilities : null, StopStrings = Stops.Count > 0 ? Stops : null,
            StoppingCriteria = criteria, TruncatePrompt = false,
        };
    }

    // Both ends are named, as llama.cpp does: llama.vscode looks for the words.
    private static int? Within(RequestFields fields, string name, int least, int most)
    {
        if (fields.Find(name) is not JsonElement value)
            return null;
        long number = RequestFields.Whole(value, name);
        return number >= least && number <= most ? (int)number : throw ApiException.Of(name, string.Create(CultureInfo.InvariantCulture,
            $"Field '{name}': Value must be between {least} <= value <= {most}, but got {number}"));
    }

    private static TimeSpan PingOf(RequestFields fields) => fields.Integer("sse_ping_interval", -1, 1_000_000) switch
    {
        null => KeepAlive.Interval,
        <= 0 => Timeout.InfiniteTimeSpan,
        int seconds => TimeSpan.FromSeconds(seconds),
    };

    private static IReadOnlyList<string> ResponseFieldsOf(RequestFields fields) => fields.Find("response_fields") switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => [.. RequestFields.Texts(list, "response_fields").Distinct()],
        JsonElement other => throw RequestFields.WrongType("response_fields", "array of string", other),
    };
}
