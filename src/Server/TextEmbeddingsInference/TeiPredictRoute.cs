namespace ManagedTransformers.Server;

/// <summary>POST /predict.</summary>
internal static class TeiPredictRoute
{
    public static async Task AnswerAsync(ApiRequest request)
    {
        var took = new ComputeHeaders();
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        (IReadOnlyList<(string Text, string? Pair)> pairs, bool isBatch) = PairsOf(fields, request);
        var options = new TextClassificationOptions
        {
            Truncation = TeiFields.Truncation(fields), Function = fields.Flag("raw_scores") == true ? ClassificationFunction.None : null,
        };
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.TextClassification, request.Cancellation).ConfigureAwait(false);
        long start = Stopwatch.GetTimestamp();
        took.Count(pairs.Select(pair => pair.Text + pair.Pair));
        took.Tokens = pairs.Sum(pair => (long)TeiFields.CountTokens(lease.Encoder!.Pipelines[0], pair.Text, pair.Pair));
        took.Tokenization = Stopwatch.GetElapsedTime(start);
        IReadOnlyList<IReadOnlyList<LabelScore>> all =
            await lease.Encoder!.Timed(took.Times).ClassifyAsync(pairs, options, request.Cancellation).ConfigureAwait(false);
        took.Write(request.Http.Response);
        await request.WriteAsync(writer =>
        {
            if (isBatch)
                writer.WriteStartArray();
            foreach (IReadOnlyList<LabelScore> one in all)
                Write(writer, one);
            if (isBatch)
                writer.WriteEndArray();
        }).ConfigureAwait(false);
    }

    // A text, or a pair [a, b]; of a batch each is [a] or [a, b].
    private static (IReadOnlyList<(string Text, string? Pair)> Pairs, bool IsBatch) PairsOf(RequestFields fields, ApiRequest request)
    {
        JsonElement value = fields.Find("inputs") ?? throw ApiException.Of("inputs", "Field 'inputs' is needed.");
        if (value.ValueKind != JsonValueKind.Array || (value.GetArrayLength() > 0 && value[0].ValueKind == JsonValueKind.String))
            return ([PairOf(value)], false);
        if (TeiFields.RequireCount(value.GetArrayLength(), "inputs", request) == 0)
            throw TeiFields.Empty("inputs");
        return ([.. value.EnumerateArray().Select(PairOf)], true);
    }

    private static (string Text, string? Pair) PairOf(JsonElement value)
    {
        IReadOnlyList<string> texts = RequestFields.Texts(value, "inputs");
        if (texts.Count is 0 || texts.Contains(""))
            throw TeiFields.Empty("inputs");
        return texts.Count <= 2 ? (texts[0], texts.ElementAtOrDefault(1)) : throw ApiException.Of("inputs",
            $"Field 'inputs' has a list of {texts.Count} texts: a text or a pair is read as one. Send several as [[\"a\"], [\"b\"]].");
    }

    private static void Write(Utf8JsonWriter writer, IReadOnlyList<LabelScore> labels)
    {
        writer.WriteStartArray();
        foreach (LabelScore label in labels)
        {
            writer.WriteStartObject();
            writer.WriteNumber("score", label.Score);
            writer.WriteString("label", label.Label);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
