namespace ManagedTransformers.Server;

/// <summary>POST /tokenize with inputs, and /decode: the tokenizer of the model that <c>/info</c> is about.</summary>
internal static class TeiTokenRoutes
{
    public static async Task TokenizeAsync(ApiRequest request, RequestFields fields)
    {
        var took = new ComputeHeaders();
        IReadOnlyList<JsonElement> inputs = TeiFields.Inputs(fields, request);
        bool withSpecial = fields.Flag("add_special_tokens") ?? true;
        string? promptName = fields.Text("prompt_name"), model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await TeiInfoRoute.AcquireAsync(request, model).ConfigureAwait(false);
        long start = Stopwatch.GetTimestamp();
        string prompt = TeiFields.PromptOf(promptName, lease.Encoder!.Find<SentenceEmbeddingPipeline>());
        string[] texts = [.. inputs.Select(input =>
            RequestFields.Text(input, "inputs") is { Length: > 0 } text ? prompt + text : throw TeiFields.Empty("inputs"))];
        var options = new EncodeOptions { AddSpecialTokens = withSpecial, Truncation = Truncation.None, Padding = Padding.None };
        IReadOnlyList<TokenEncoding> all = lease.Encoder.Pipelines[0].Tokenizer.EncodeBatch(texts, options, request.Cancellation);
        took.Count(texts);
        (took.Tokens, took.Tokenization) = (all.Sum(one => (long)one.Length), Stopwatch.GetElapsedTime(start));
        took.Write(request.Http.Response);
        await request.WriteAsync(writer =>
        {
            writer.WriteStartArray();
            for (int i = 0; i < texts.Length; i++)
                Write(writer, texts[i], all[i]);
            writer.WriteEndArray();
        }).ConfigureAwait(false);
    }

    public static async Task DecodeAsync(ApiRequest request)
    {
        var took = new ComputeHeaders();
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        IReadOnlyList<JsonElement> ids = TeiFields.Inputs(fields, request, "ids");
        var options = new DecodeOptions { SkipSpecialTokens = fields.Flag("skip_special_tokens") ?? true };
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await TeiInfoRoute.AcquireAsync(request, model).ConfigureAwait(false);
        long start = Stopwatch.GetTimestamp();
        Tokenizer tokenizer = lease.Encoder!.Pipelines[0].Tokenizer;
        int[][] rows = [.. ids.Select(one => RequestFields.Integers(one, "ids").ToArray())];
        if (rows.SelectMany(row => row).Select(id => (int?)id).FirstOrDefault(id => tokenizer.IdToToken(id!.Value) is null) is int unknown)
            throw new TokenizerException($"Field 'ids' has {unknown}, which is no token of {lease.Id}; it has {tokenizer.VocabularySize}.");
        string[] texts = [.. rows.Select(row => tokenizer.Decode(row, options))];
        took.Count(texts);
        (took.Tokens, took.Tokenization) = (rows.Sum(row => (long)row.Length), Stopwatch.GetElapsedTime(start));
        took.Write(request.Http.Response);
        await request.WriteAsync(writer =>
        {
            writer.WriteStartArray();
            foreach (string text in texts)
                writer.WriteStringValue(text);
            writer.WriteEndArray();
        }).ConfigureAwait(false);
    }

    // Places are in code points; special tokens, which stand for no text, have none.
    private static void Write(Utf8JsonWriter writer, string text, TokenEncoding tokens)
    {
        writer.WriteStartArray();
        for (int i = 0; i < tokens.Length; i++)
        {
            bool special = tokens.SpecialTokensMask[i] == 1;
            writer.WriteStartObject();
            writer.WriteNumber("id", tokens.Ids[i]);
            writer.WriteString("text", special ? tokens.Tokens[i] : text[tokens.Utf16Offsets[i].Start..tokens.Utf16Offsets[i].End]);
            writer.WriteBoolean("special", special);
            if (special)
            {
                writer.WriteNull("start");
                writer.WriteNull("stop");
            }
            else
            {
                writer.WriteNumber("start", tokens.Offsets[i].Start);
                writer.WriteNumber("stop", tokens.Offsets[i].End);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
