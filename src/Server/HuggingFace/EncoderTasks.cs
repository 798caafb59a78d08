namespace ManagedTransformers.Server;

/// <summary>The tasks that encoders do. The answer to one text is what transformers' pipelines give for it; to a list, a list of such.</summary>
internal static class EncoderTasks
{
    public static async Task FillMaskAsync(ApiRequest request, RequestFields fields, ServedModel lease)
    {
        (IReadOnlyList<string> texts, bool isList) = TextsOf(fields, request);
        FillMaskOptions options = FillMaskOptions.Default;
        Parameters(fields, parameters => options = options with
        {
            TopK = parameters.Integer("top_k", least: 1) ?? options.TopK, Targets = parameters.Texts("targets"),
        });
        IReadOnlyList<MaskedText> all = await lease.Encoder!.FillMaskAsync(texts, options, request.Cancellation).ConfigureAwait(false);
        // The candidates of the one mask; of several masks a list for each.
        await request.WriteAsync(writer => WriteEach(writer, all, isList, text =>
        {
            if (text.Masks.Count == 1)
                WriteList(writer, text.Masks[0].Predictions, one => Write(writer, one));
            else
                WriteList(writer, text.Masks, mask => WriteList(writer, mask.Predictions, one => Write(writer, one)));
        })).ConfigureAwait(false);
    }

    public static async Task TagAsync(ApiRequest request, RequestFields fields, ServedModel lease)
    {
        (IReadOnlyList<string> texts, bool isList) = TextsOf(fields, request);
        TokenClassificationOptions options = TokenClassificationOptions.Default;
        Parameters(fields, parameters => options = options with
        {
            Aggregation = Named(parameters, "aggregation_strategy", options.Aggregation), IgnoreLabels = parameters.Texts("ignore_labels"),
            Stride = parameters.Integer("stride", least: 0),
        });
        IReadOnlyList<IReadOnlyList<Entity>> all = await lease.Encoder!.TagAsync(texts, options, request.Cancellation).ConfigureAwait(false);
        string label = options.Aggregation == AggregationStrategy.None ? "entity" : "entity_group";
        await request.WriteAsync(writer => WriteEach(writer, all, isList, entities => WriteList(writer, entities, entity =>
        {
            writer.WriteStartObject();
            writer.WriteString(label, entity.Label);
            writer.WriteNumber("score", entity.Score);
            writer.WriteString("word", entity.Text);
            writer.WriteNumber("start", entity.CodePointStart);
            writer.WriteNumber("end", entity.CodePointEnd);
            writer.WriteEndObject();
        }))).ConfigureAwait(false);
    }

    public static async Task ClassifyAsync(ApiRequest request, RequestFields fields, ServedModel lease)
    {
        IReadOnlyList<(string Text, string? Pair)> pairs = PairsOf(fields, request);
        TextClassificationOptions options = TextClassificationOptions.Default;
        Parameters(fields, parameters => options = options with
        {
            TopK = parameters.Integer("top_k", least: 1),
            Function = parameters.Has("function_to_apply") ? Named(parameters, "function_to_apply", ClassificationFunction.None) : null,
        });
        IReadOnlyList<IReadOnlyList<LabelScore>> all = await lease.Encoder!.ClassifyAsync(pairs, options, request.Cancellation).ConfigureAwait(false);
        // Also of one text a list in a list: clients take the first.
        await request.WriteAsync(writer => WriteList(writer, all, labels => WriteList(writer, labels, label =>
        {
            writer.WriteStartObject();
            writer.WriteString("label", label.Label);
            writer.WriteNumber("score", label.Score);
            writer.WriteEndObject();
        }))).ConfigureAwait(false);
    }

    public static async Task EmbedAsync(ApiRequest request, RequestFields fields, ServedModel lease)
    {
        (IReadOnlyList<string> texts, bool isList) = TextsOf(fields, request);
        var options = new EmbeddingOptions
        {
            Normalize = fields.Flag("normalize"), PromptName = fields.Text("prompt_name"), Truncation = TeiFields.Truncation(fields),
        };
        Parameters(fields, _ => { });
        IReadOnlyList<TextEmbedding> all =
            await TeiEmbedRoute.EmbedAsync(request, lease, texts, options, new ComputeHeaders()).ConfigureAwait(false);
        await request.WriteAsync(writer => WriteEach(writer, all, isList, one => writer.WriteVector(one.Vector))).ConfigureAwait(false);
    }

    public static async Task CompareAsync(ApiRequest request, RequestFields fields, ServedModel lease)
    {
        IReadOnlyList<string> texts = TeiEmbedRoute.CompareTexts(fields, request);
        EmbeddingOptions options = TeiEmbedRoute.SimilarityOptions(fields.Nested("parameters"));
        fields.RefuseOthers();
        IReadOnlyList<TextEmbedding> all =
            await TeiEmbedRoute.EmbedAsync(request, lease, texts, options, new ComputeHeaders()).ConfigureAwait(false);
        await request.WriteAsync(writer => TeiEmbedRoute.WriteSimilarities(writer, all)).ConfigureAwait(false);
    }

    /// <summary>Reads the parameters, if there are any, and refuses what is left of them and of the body.</summary>
    private static void Parameters(RequestFields fields, Action<RequestFields> read)
    {
        if (fields.Nested("parameters") is RequestFields parameters)
        {
            read(parameters);
            parameters.RefuseOthers();
        }
        fields.RefuseOthers();
    }

    private static (IReadOnlyList<string> Texts, bool IsList) TextsOf(RequestFields fields, ApiRequest request)
    {
        JsonElement value = fields.Find("inputs") ?? throw ApiException.Of("inputs", "Field 'inputs' is needed: a text, or a list of texts.");
        if (value.ValueKind == JsonValueKind.Array && TeiFields.RequireCount(value.GetArrayLength(), "inputs", request) == 0)
            throw TeiFields.Empty("inputs");
        return (RequestFields.Texts(value, "inputs"), value.ValueKind == JsonValueKind.Array);
    }

    // A text, {"text", "text_pair"}, or a list of either.
    private static IReadOnlyList<(string Text, string? Pair)> PairsOf(RequestFields fields, ApiRequest request)
    {
        if (fields.Find("inputs") is not { ValueKind: JsonValueKind.Array or JsonValueKind.Object } value)
            return [(TextsOf(fields, request).Texts[0], null)];
        if (value.ValueKind == JsonValueKind.Object)
            return [PairOf(value, fields)];
        if (TeiFields.RequireCount(value.GetArrayLength(), "inputs", request) == 0)
            throw TeiFields.Empty("inputs");
        return [.. value.EnumerateArray().Select(one => PairOf(one, fields))];
    }

    private static (string Text, string? Pair) PairOf(JsonElement value, RequestFields fields)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return (RequestFields.Text(value, "inputs"), null);
        RequestFields own = fields.Element(value, "inputs");
        string text = own.Text("text") ?? throw ApiException.Of("inputs.text", "Field 'inputs.text' is needed.");
        string? pair = own.Text("text_pair");
        own.RefuseOthers();
        return (text, pair);
    }

    private static T Named<T>(RequestFields parameters, string name, T otherwise) where T : struct, Enum =>
        parameters.Text(name) is not string text ? otherwise
        : Array.Find(Enum.GetNames<T>(), one => one.Equals(text, StringComparison.OrdinalIgnoreCase)) is string known ? Enum.Parse<T>(known)
        : throw ApiException.Of($"parameters.{name}",
            $"Field 'parameters.{name}' must be one of {string.Join(", ", Enum.GetNames<T>().Select(one => one.ToLowerInvariant()))}, but is '{text}'");

    private static void WriteEach<T>(Utf8JsonWriter writer, IReadOnlyList<T> all, bool isList, Action<T> write)
    {
        if (isList)
            WriteList(writer, all, write);
        else
            write(all[0]);
    }

    private static void WriteList<T>(Utf8JsonWriter writer, IReadOnlyList<T> all, Action<T> write)
    {
        writer.WriteStartArray();
        foreach (T one in all)
            write(one);
        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, FillMaskPrediction candidate)
    {
        writer.WriteStartObject();
        writer.WriteNumber("score", candidate.Score);
        writer.WriteNumber("token", candidate.TokenId);
        writer.WriteString("token_str", candidate.TokenText);
        writer.WriteString("sequence", candidate.Sequence);
        writer.WriteEndObject();
    }
}
