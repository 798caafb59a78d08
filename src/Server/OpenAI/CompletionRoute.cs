namespace ManagedTransformers.Server;

/// <summary>POST /v1/completions, and its likes by engine.</summary>
internal static class CompletionRoute
{
    /// <param name="request">The request.</param>
    /// <param name="named">Whether its model must be one of the server's; else the engine, where it is one, or the first that can.</param>
    /// <param name="id">The model, where the path says it; the body's then does not count.</param>
    public static async Task AnswerAsync(ApiRequest request, bool named, string? id = null)
    {
        CompletionRequest asked = CompletionRequest.Read(await request.ReadAsync().ConfigureAwait(false), request.Options.MaxInputs);
        await AnswerAsync(request, asked, id ?? (named ? asked.Model : EngineOf(request))).ConfigureAwait(false);
    }

    /// <summary>Answers a body that has the fields of /v1/completions.</summary>
    public static Task AnswerAsync(ApiRequest request, RequestFields fields)
    {
        CompletionRequest asked = CompletionRequest.Read(fields, request.Options.MaxInputs);
        return AnswerAsync(request, asked, asked.Model);
    }

    /// <summary>POST /v1/fim/completions: Mistral's infilling, whose answers have the form of messages.</summary>
    public static async Task AnswerFimAsync(ApiRequest request)
    {
        CompletionRequest asked = CompletionRequest.ReadFim(await request.ReadAsync().ConfigureAwait(false));
        await AnswerAsync(request, asked, asked.Model).ConfigureAwait(false);
    }

    private static async Task AnswerAsync(ApiRequest request, CompletionRequest asked, string? model)
    {
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Generation, request.Cancellation).ConfigureAwait(false);
        if (asked.Suffix is not null && !lease.Tasks.HasFlag(ModelTasks.Infill))
            throw ApiException.Of("suffix", "suffix is not supported by this model");
        var prompts = new List<CompletionPrompt>(asked.Prompts.Count);
        foreach ((string? text, IReadOnlyList<int>? ids) in asked.Prompts)
            prompts.Add(CompletionPrompt.Of(asked, lease.Generation!, text, ids));
        var answer = new CompletionWriter(asked, lease.Id, lease.Generation!.Generator.Tokenizer);
        if (asked.Stream)
            await StreamAsync(request, lease.Generation, prompts, answer).ConfigureAwait(false);
        else
            await WholeAsync(request, lease.Generation, prompts, answer).ConfigureAwait(false);
    }

    private static string? EngineOf(ApiRequest request)
    {
        string? engine = request.Http.GetRouteValue("engine") as string;
        return request.Models.All.Any(model => model.Id == engine && model.Tasks.HasFlag(ModelTasks.Generation)) ? engine : null;
    }

    private static async Task WholeAsync(ApiRequest request, IGenerationEngine engine, List<CompletionPrompt> prompts, CompletionWriter answer)
    {
        var results = new GenerationResult[prompts.Count];
        var many = new ParallelOptions { MaxDegreeOfParallelism = engine.Options.MaxRows, CancellationToken = request.Cancellation };
        await Parallel.ForAsync(0, prompts.Count, many, async (i, token) =>
            results[i] = await engine.GenerateAsync(prompts[i].Request, token).ConfigureAwait(false)).ConfigureAwait(false);
        await request.WriteAsync(writer => answer.Whole(writer, prompts, results)).ConfigureAwait(false);
    }

    // Prompts run at once, as many as there are rows; the pieces of each wait until those of the ones before it are sent.
    private static async Task StreamAsync(ApiRequest request, IGenerationEngine engine, List<CompletionPrompt> prompts, CompletionWriter answer)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(request.Cancellation);
        try
        {
            var running = new Queue<IAsyncEnumerable<GenerationUpdate>>();
            for (int i = 0, begun = 0; i < prompts.Count; i++)
            {
                for (; begun < prompts.Count && begun - i < engine.Options.MaxRows; begun++)
                    running.Enqueue(engine.StreamAsync(prompts[begun].Request, ends.Token));
                await foreach (GenerationUpdate update in running.Dequeue().WithKeepAlive(request, KeepAlive.Interval, ends.Token).ConfigureAwait(false))
                {
                    foreach (Action<Utf8JsonWriter> chunk in answer.Chunks(i, prompts[i], update))
                        await request.SendAsync(chunk).ConfigureAwait(false);
                }
            }
            if (answer.LastChunk is { } usage)
                await request.SendAsync(usage).ConfigureAwait(false);
            await request.SendDoneAsync().ConfigureAwait(false);
        }
        finally
        {
            await ends.CancelAsync().ConfigureAwait(false);
        }
    }
}

/// <summary>One prompt of a request: what the engine gets, and what is echoed.</summary>
internal sealed record CompletionPrompt(string Text, GenerationRequest Request)
{
    public static CompletionPrompt Of(CompletionRequest asked, IGenerationEngine engine, string? text, IReadOnlyList<int>? ids)
    {
        GenerationRequest request;
        GenerationOptions options = asked.MaxTokens == 0 ? asked.Options : asked.Options with { MaxNewTokens = asked.MaxTokens };
        if (asked.Suffix is string suffix)
        {
            request = engine.Infill(new InfillRequest(text!, suffix), options);
        }
        else
        {
            ids ??= engine.Generator.Encode(text!);
            if (asked.TruncatePrompt is int most && ids.Count > most)
                (ids, text) = ([.. ids.Skip(ids.Count - most)], null);
            request = new GenerationRequest(ids) { Options = options };
        }
        int length = request.PromptIds.Count;
        RequireRoom(asked, engine, request);
        request = request with
        {
            SkipSpecialTokens = asked.SkipSpecialTokens, PromptOnly = asked.MaxTokens == 0, BestOf = asked.MaxTokens == 0 ? null : asked.BestOf,
            PromptLogProbabilities = asked.Echo ? asked.LogProbabilities : null, Options = Finish(asked, request.Options, length, engine.Generator),
        };
        return new CompletionPrompt(text ?? engine.Generator.Tokenizer.Decode([.. request.PromptIds]), request);
    }

    // What needs to know where the prompt ends.
    private static GenerationOptions Finish(CompletionRequest asked, GenerationOptions options, int length, TextGenerator generator) => options with
    {
        MinNewTokens = asked.MinTokens == 0 ? options.MinNewTokens : asked.MinTokens,
        LogitsProcessors = asked.FrequencyPenalty == 0 && asked.PresencePenalty == 0 ? options.LogitsProcessors
            : [.. options.LogitsProcessors ?? [], new PortableProcessor(
                SamplerStep.Of("frequency", length, asked.FrequencyPenalty, asked.PresencePenalty), generator)],
        StoppingCriteria = asked.StopTokens.Count == 0 ? options.StoppingCriteria
            : [.. options.StoppingCriteria ?? [], new PortableCriterion(
                new SamplerStep("stop_tokens", [asked.MinTokens], [.. asked.StopTokens]), generator)],
    };

    private static void RequireRoom(CompletionRequest asked, IGenerationEngine engine, GenerationRequest request)
    {
        PretrainedConfig config = engine.Generator.CausalLM.Config;
        int length = request.PromptIds.Count;
        if ((long)length + asked.MaxTokens > config.MaxTokens)
            throw new ApiException(Problem.TooLong,
                $"The prompt is {length} tokens and max_tokens {asked.MaxTokens}; the model reads at most {config.MaxTokens} together. " +
                "Shorten the prompt or ask for less.")
            {
                Field = "prompt", Tokens = (length, config.MaxTokens),
            };
        foreach (int stop in asked.StopTokens)
        {
            if ((uint)stop >= (uint)config.VocabSize)
                throw ApiException.Of("stop_token_ids", $"Field 'stop_token_ids' has token {stop}; the model has {config.VocabSize}.");
        }
        if (request.Options.SequenceBias?.FirstOrDefault(one => one.TokenIds[0] >= config.VocabSize) is { } bias && bias.TokenIds is { Count: > 0 })
            throw ApiException.Of("logit_bias", $"Field 'logit_bias' has token {bias.TokenIds[0]}; the model has {config.VocabSize}.");
    }
}
