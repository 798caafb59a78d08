namespace ManagedTransformers.Server;

/// <summary>POST /embed, /embed_all and /similarity.</summary>
internal static class TeiEmbedRoute
{
    public static async Task EmbedAsync(ApiRequest request)
    {
        var took = new ComputeHeaders();
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        IReadOnlyList<JsonElement> inputs = TeiFields.Inputs(fields, request);
        int? dimensions = fields.Integer("dimensions", least: 1);
        var options = new EmbeddingOptions
        {
            Normalize = fields.Flag("normalize") ?? true, TruncateDim = dimensions, PromptName = fields.Text("prompt_name"),
            Truncation = TeiFields.Truncation(fields),
        };
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Embedding, request.Cancellation).ConfigureAwait(false);
        IReadOnlyList<string> texts = TextsOf(inputs, lease, took);
        IReadOnlyList<TextEmbedding> all = await EmbedAsync(request, lease, texts, options, took).ConfigureAwait(false);
        took.Write(request.Http.Response);
        await request.WriteAsync(writer =>
        {
            writer.WriteStartArray();
            foreach (TextEmbedding one in all)
                writer.WriteVector(one.Vector);
            writer.WriteEndArray();
        }).ConfigureAwait(false);
    }

    /// <summary>Embeds texts, once the model is known to have what the options ask for.</summary>
    /// <exception cref="ApiException">It has no such prompt, or fewer dimensions.</exception>
    public static async Task<IReadOnlyList<TextEmbedding>> EmbedAsync(
        ApiRequest request, ServedModel lease, IReadOnlyList<string> texts, EmbeddingOptions options, ComputeHeaders took)
    {
        var pipeline = lease.Encoder!.Find<SentenceEmbeddingPipeline>()!;
        TeiFields.PromptOf(options.PromptName, pipeline);
        int width = pipeline.DimensionsOf(new EmbeddingOptions { TruncateDim = int.MaxValue });
        if (options.TruncateDim > width)
            throw ApiException.Of("dimensions", $"Field 'dimensions' is {options.TruncateDim}; vectors of {lease.Id} have {width} numbers.");
        took.Count(texts);
        IReadOnlyList<TextEmbedding> all = await lease.Encoder.Timed(took.Times).EmbedAsync(texts, options, request.Cancellation).ConfigureAwait(false);
        took.Tokens += all.Sum(one => one.Tokens);
        return all;
    }

    public static async Task EmbedAllAsync(ApiRequest request)
    {
        var took = new ComputeHeaders();
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        IReadOnlyList<JsonElement> inputs = TeiFields.Inputs(fields, request);
        bool truncation = TeiFields.Truncation(fields);
        string? promptName = fields.Text("prompt_name"), model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.FeatureExtraction, request.Cancellation).ConfigureAwait(false);
        string prompt = TeiFields.PromptOf(promptName, lease.Encoder!.Find<SentenceEmbeddingPipeline>());
        IReadOnlyList<string> texts = TextsOf(inputs, lease, took);
        took.Count(texts);
        IReadOnlyList<FloatTensor> all = await lease.Encoder.Timed(took.Times)
            .ExtractAsync([.. texts.Select(text => prompt + text)], truncation, request.Cancellation).ConfigureAwait(false);
        took.Tokens = all.Sum(one => one.Shape[1]);
        took.Write(request.Http.Response);
        await request.WriteAsync(writer => Write(writer, all)).ConfigureAwait(false);
    }

    public static async Task CompareAsync(ApiRequest request)
    {
        var took = new ComputeHeaders();
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        IReadOnlyList<string> texts = CompareTexts(fields, request);
        EmbeddingOptions options = SimilarityOptions(fields.Nested("parameters"));
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Embedding, request.Cancellation).ConfigureAwait(false);
        IReadOnlyList<TextEmbedding> all = await EmbedAsync(request, lease, texts, options, took).ConfigureAwait(false);
        took.Write(request.Http.Response);
        await request.WriteAsync(writer => WriteSimilarities(writer, all)).ConfigureAwait(false);
    }

    /// <summary>The source sentence, and those that it is compared with.</summary>
    public static IReadOnlyList<string> CompareTexts(RequestFields fields, ApiRequest request)
    {
        RequestFields inputs = fields.Nested("inputs") ?? throw ApiException.Of("inputs", "Field 'inputs' is needed.");
        string source = inputs.Text("source_sentence") is { Length: > 0 } given ? given : throw TeiFields.Empty("source_sentence");
        IReadOnlyList<string> sentences = TeiFields.Texts(inputs, request, "sentences");
        inputs.RefuseOthers();
        return [source, .. sentences];
    }

    /// <summary>How the texts of a comparison are embedded; null: as the checkpoint says.</summary>
    public static EmbeddingOptions SimilarityOptions(RequestFields? parameters)
    {
        if (parameters is null)
            return EmbeddingOptions.Default;
        var options = new EmbeddingOptions { PromptName = parameters.Text("prompt_name"), Truncation = TeiFields.Truncation(parameters) };
        parameters.RefuseOthers();
        return options;
    }

    /// <summary>The cosine of the first vector with each of the others.</summary>
    public static void WriteSimilarities(Utf8JsonWriter writer, IReadOnlyList<TextEmbedding> all)
    {
        writer.WriteStartArray();
        foreach (TextEmbedding one in all.Skip(1))
            writer.WriteNumberValue((float)VectorSimilarity.Of(all[0].Vector, one.Vector, SimilarityFunction.Cosine));
        writer.WriteEndArray();
    }

    private static IReadOnlyList<string> TextsOf(IReadOnlyList<JsonElement> inputs, ServedModel lease, ComputeHeaders took)
    {
        long start = Stopwatch.GetTimestamp();
        Tokenizer tokenizer = lease.Encoder!.Pipelines[0].Tokenizer;
        IReadOnlyList<string> texts = [.. inputs.Select(input => TeiFields.TextOf(input, "inputs", tokenizer))];
        took.Tokenization = Stopwatch.GetElapsedTime(start);
        return texts;
    }

    // [texts][tokens][hidden]
    private static void Write(Utf8JsonWriter writer, IReadOnlyList<FloatTensor> all)
    {
        writer.WriteStartArray();
        foreach (FloatTensor one in all)
        {
            writer.WriteStartArray();
            for (int token = 0; token < one.Shape[1]; token++)
                writer.WriteVector(one.Row(token));
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
    }
}
