namespace ManagedTransformers.Server;

/// <summary>text-generation, in the form of text-generation-inference. What a request does not say, the checkpoint's generation_config.json does.</summary>
internal static class TextGenerationTask
{
    public static async Task AnswerAsync(ApiRequest request, RequestFields fields, ServedModel lease)
    {
        TextGenerationRequest asked = TextGenerationRequest.Read(fields);
        IGenerationEngine engine = lease.Generation!;
        GenerationRequest prompt = asked.PromptFor(engine);
        var answer = new TextGenerationWriter(asked, engine.Generator.Tokenizer);
        if (!asked.Stream)
        {
            GenerationResult result = await engine.GenerateAsync(prompt, request.Cancellation).ConfigureAwait(false);
            await request.WriteAsync(writer => answer.Whole(writer, prompt, result)).ConfigureAwait(false);
            return;
        }
        await foreach (GenerationUpdate update in
            engine.StreamAsync(prompt, request.Cancellation).WithKeepAlive(request, KeepAlive.Interval, request.Cancellation).ConfigureAwait(false))
        {
            foreach (Action<Utf8JsonWriter> one in answer.Events(prompt, update.Piece))
                await request.SendAsync(one).ConfigureAwait(false);
        }
    }
}

/// <summary>What a request for a text asks for.</summary>
internal sealed record TextGenerationRequest
{
    private const int DefaultNewTokens = 100, MaxBestOf = 20, MaxTop = 5;

    public required string Inputs { get; init; }
    public bool Stream { get; init; }
    public int? MaxNewTokens { get; init; }
    public int? TruncatePrompt { get; init; }
    public int BestOf { get; init; } = 1;
    public bool Details { get; init; }
    public bool PromptDetails { get; init; }
    public bool FullText { get; init; } = true;
    public int TopTokens { get; init; }
    public GenerationOptions Options { get; init; } = GenerationOptions.Default;

    /// <exception cref="ApiException">A field is wrong, or contradicts another.</exception>
    public static TextGenerationRequest Read(RequestFields fields)
    {
        string inputs = fields.Text("inputs") ?? throw ApiException.Of("inputs", "Field 'inputs' is needed: the text to go on with.");
        var read = new TextGenerationRequest { Inputs = inputs, Stream = fields.Flag("stream") ?? false };
        if (fields.Nested("parameters") is RequestFields parameters)
        {
            read = read.With(parameters);
            parameters.RefuseOthers();
        }
        fields.RefuseOthers();
        read.RequireSense();
        return read;
    }

    private TextGenerationRequest With(RequestFields parameters)
    {
        bool promptDetails = parameters.Flag("decoder_input_details") ?? false, details = parameters.Flag("details") ?? false;
        return this with
        {
            MaxNewTokens = parameters.Integer("max_new_tokens", least: 1), TruncatePrompt = parameters.Integer("truncate", least: 1),
            BestOf = parameters.Integer("best_of", 1, MaxBestOf) ?? 1, PromptDetails = promptDetails,
            Details = promptDetails || details, FullText = parameters.Flag("return_full_text") ?? true,
            TopTokens = parameters.Integer("top_n_tokens", 0, MaxTop) ?? 0, Options = OptionsOf(parameters),
        };
    }

    // What shapes the choice among tokens asks for a choice, as in text-generation-inference.
    private static GenerationOptions OptionsOf(RequestFields parameters)
    {
        double? temperature = parameters.Number("temperature", 1e-3, 1e3), topP = parameters.Number("top_p", 0, 1);
        double? typicalP = parameters.Number("typical_p", 1e-3, 1);
        int? topK = parameters.Integer("top_k", least: 0);
        bool? sample = parameters.Flag("do_sample");
        if ((temperature ?? 1) != 1 || (topK ?? 0) > 0 || (topP ?? 1) < 1 || (typicalP ?? 1) < 1)
            sample = true;
        long? seed = parameters.Long("seed", least: 0);
        IReadOnlyList<string> stops = [.. (parameters.Texts(parameters.Alias("stop", "stop_sequences")) ?? []).Where(stop => stop.Length > 0)];
        return new GenerationOptions
        {
            DoSample = sample, Seed = sample == true ? seed ?? Random.Shared.Next() : null,
            Temperature = temperature, TopK = topK, TopP = topP, TypicalP = typicalP,
            RepetitionPenalty = parameters.Number("repetition_penalty", 1e-3, 1e3), StopStrings = stops.Count == 0 ? null : stops,
            MaxTime = parameters.Number("max_time", 1e-3, 86400) is double seconds ? TimeSpan.FromSeconds(seconds) : null,
        };
    }

    private void RequireSense()
    {
        if (BestOf > 1 && Options.DoSample != true)
            throw ApiException.Of("parameters.best_of", "Field 'parameters.best_of' needs 'do_sample': else all texts are the same.");
        if (BestOf > 1 && Stream)
            throw ApiException.Of("parameters.best_of", "Field 'parameters.best_of' cannot stream: which text is the best is known at the end.");
        if (TopTokens > 0 && !Details && !Stream)
            throw ApiException.Of("parameters.top_n_tokens", "Field 'parameters.top_n_tokens' needs 'details' or 'stream', which have tokens.");
        if (PromptDetails && Stream)
            throw ApiException.Of("parameters.decoder_input_details", "Field 'parameters.decoder_input_details' cannot stream.");
    }

    /// <summary>What the engine gets.</summary>
    /// <exception cref="ApiException">The model does not read as much.</exception>
    public GenerationRequest PromptFor(IGenerationEngine engine)
    {
        int[] ids = engine.Generator.Encode(Inputs);
        if (TruncatePrompt is int most && ids.Length > most)
            ids = ids[^most..];
        int room = engine.Generator.CausalLM.Config.MaxTokens - ids.Length, wanted = MaxNewTokens ?? Math.Clamp(DefaultNewTokens, 1, Math.Max(1, room));
        if (wanted > room)
            throw new ApiException(Problem.TooLong, $"`inputs` tokens + `max_new_tokens` must be <= {room + ids.Length}. " +
                $"Given: {ids.Length} `inputs` tokens and {wanted} `max_new_tokens`")
            {
                Field = "inputs", Tokens = (ids.Length, room + ids.Length),
            };
        return new GenerationRequest(ids)
        {
            SkipSpecialTokens = true,
            Options = Options with
            {
                MaxNewTokens = wanted, TopLogProbabilities = Details || Stream || BestOf > 1 ? TopTokens : null,
                NumReturnSequences = BestOf > 1 ? BestOf : null,
            },
            BestOf = BestOf > 1 ? BestOf : null, PromptLogProbabilities = PromptDetails ? 0 : null,
        };
    }
}
