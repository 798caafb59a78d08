namespace ManagedTransformers.Server;

/// <summary>POST /completion and /completions.</summary>
internal static class LlamaCompletionRoute
{
    private static readonly string[] s_own = ["n_predict", "n_cmpl", "n_probs", "cache_prompt", "samplers", "response_fields"];

    public static async Task AnswerAsync(ApiRequest request) =>
        await AnswerAsync(request, await request.ReadAsync().ConfigureAwait(false)).ConfigureAwait(false);

    /// <summary>OpenAI's form for a body with <c>model</c>, which its clients always send, and none of the fields that only llama.cpp's have: for clients
    /// whose address lacks /v1. Else llama.cpp's.</summary>
    public static async Task AnswerEitherAsync(ApiRequest request)
    {
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        bool isOpenAI = fields.Text("model") is { Length: > 0 } && !Array.Exists(s_own, fields.Has);
        await (isOpenAI
            ? SharedRoute.AnswerAsync(request, OpenAIProtocol.Instance, () => CompletionRoute.AnswerAsync(request, fields.As("POST /v1/completions")))
            : AnswerAsync(request, fields)).ConfigureAwait(false);
    }

    private static async Task AnswerAsync(ApiRequest request, RequestFields fields)
    {
        LlamaRequest asked = LlamaRequest.Read(fields, request.Options);
        IReadOnlyList<LlamaText> texts = LlamaText.Prompts(fields, request.Options.MaxInputs);
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(asked.Model, ModelTasks.Generation, request.Cancellation).ConfigureAwait(false);
        IGenerationEngine engine = lease.Generation!;
        LlamaPrompt[] prompts = [.. texts.Select(text => LlamaPrompt.Of(asked, engine, text.Encode(engine.Generator)))];
        await RunAsync(request, asked, lease, prompts).ConfigureAwait(false);
    }

    /// <summary>Generates what was asked for, and answers with it: one object, or a list of several; or a stream.</summary>
    public static async Task RunAsync(ApiRequest request, LlamaRequest asked, ServedModel lease, LlamaPrompt[] prompts)
    {
        LlamaAnswer[] answers = [.. Enumerable.Range(0, prompts.Length * asked.Choices).Select(i =>
            new LlamaAnswer(asked, prompts[i / asked.Choices], lease, i))];
        if (asked.Stream)
        {
            await StreamAsync(request, asked, lease.Generation!, prompts, answers).ConfigureAwait(false);
            return;
        }
        var many = new ParallelOptions { MaxDegreeOfParallelism = lease.Generation!.Options.MaxRows, CancellationToken = request.Cancellation };
        await Parallel.ForAsync(0, prompts.Length, many, async (i, token) =>
        {
            await foreach (GenerationUpdate update in lease.Generation.StreamAsync(prompts[i].Request, token).ConfigureAwait(false))
            {
                foreach (LlamaAnswer answer in Of(update, asked, prompts, answers, i))
                    answer.Take(update.Piece);
            }
        }).ConfigureAwait(false);
        await request.WriteAsync(writer => Write(writer, answers)).ConfigureAwait(false);
    }

    private static void Write(Utf8JsonWriter writer, LlamaAnswer[] answers)
    {
        if (answers.Length == 1)
        {
            answers[0].Write(writer);
            return;
        }
        writer.WriteStartArray();
        foreach (LlamaAnswer answer in answers)
            answer.Write(writer);
        writer.WriteEndArray();
    }

    // Prompts run at once, as many as there are rows; the pieces of each wait until those of the ones before it are sent.
    private static async Task StreamAsync(
        ApiRequest request, LlamaRequest asked, IGenerationEngine engine, LlamaPrompt[] prompts, LlamaAnswer[] answers)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(request.Cancellation);
        try
        {
            var running = new Queue<IAsyncEnumerable<GenerationUpdate>>();
            for (int i = 0, begun = 0; i < prompts.Length; i++)
            {
                for (; begun < prompts.Length && begun - i < engine.Options.MaxRows; begun++)
                    running.Enqueue(engine.StreamAsync(prompts[begun].Request, ends.Token));
                await foreach (GenerationUpdate update in running.Dequeue().WithKeepAlive(request, asked.Ping, ends.Token).ConfigureAwait(false))
                {
                    foreach (LlamaAnswer answer in Of(update, asked, prompts, answers, i))
                        await SendAsync(request, answer, update.Piece).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            await ends.CancelAsync().ConfigureAwait(false);
        }
    }

    private static async Task SendAsync(ApiRequest request, LlamaAnswer answer, TextPiece piece)
    {
        TextPiece given = answer.Take(piece);
        if (given.Text.Length > 0 || given.TokenIds.Count > 0)
            await request.SendAsync(writer => answer.WritePiece(writer, given)).ConfigureAwait(false);
        if (piece.FinishReason is not null)
            await request.SendAsync(answer.Write).ConfigureAwait(false);
    }

    // A prompt that is only read has one update for all its texts.
    private static ArraySegment<LlamaAnswer> Of(GenerationUpdate update, LlamaRequest asked, LlamaPrompt[] prompts, LlamaAnswer[] answers, int prompt) =>
        prompts[prompt].Request.PromptOnly ? new(answers, prompt * asked.Choices, asked.Choices) : new(answers, (prompt * asked.Choices) + update.Index, 1);
}
