namespace ManagedTransformers.Server;

/// <summary>POST /v1/rerank and /v2/rerank, and /rerank with documents.</summary>
internal static class CohereRerankRoute
{
    public static async Task AnswerAsync(ApiRequest request, RequestFields fields, string version)
    {
        var took = new ComputeHeaders();
        string query = TeiRerankRoute.QueryOf(fields);
        IReadOnlyList<string> documents = DocumentsOf(fields, request);
        int? topN = fields.Integer("top_n", least: 1), mostTokens = fields.Integer("max_tokens_per_doc", least: 1);
        bool withDocuments = fields.Flag("return_documents") ?? false;
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Rerank, request.Cancellation).ConfigureAwait(false);
        Tokenizer tokenizer = lease.Encoder!.Pipelines[0].Tokenizer;
        IReadOnlyList<string> read = mostTokens is int most ? [.. documents.Select(document => Cut(document, most, tokenizer))] : documents;
        IReadOnlyList<RerankScore> ranks =
            await TeiRerankRoute.RankAsync(request, lease, query, read, topN, truncation: true, sigmoid: true, took).ConfigureAwait(false);
        await request.WriteAsync(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("id", Guid.NewGuid());
            writer.WriteString("model", lease.Id);
            WriteResults(writer, ranks, withDocuments ? documents : null);
            WriteUsage(writer, version, took.Tokens);
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }

    private static IReadOnlyList<string> DocumentsOf(RequestFields fields, ApiRequest request)
    {
        JsonElement value = fields.Find("documents") ?? throw ApiException.Of("documents", "Field 'documents' is needed.");
        if (value.ValueKind != JsonValueKind.Array)
            throw RequestFields.WrongType("documents", "array of string or object", value);
        if (TeiFields.RequireCount(value.GetArrayLength(), "documents", request) == 0)
            throw TeiFields.Empty("documents");
        return [.. value.EnumerateArray().Select(one => TextOf(one, fields))];
    }

    private static string TextOf(JsonElement document, RequestFields fields)
    {
        if (document.ValueKind == JsonValueKind.String)
            return RequestFields.Text(document, "documents") is { Length: > 0 } given ? given : throw TeiFields.Empty("documents");
        RequestFields own = fields.Element(document, "documents");
        string text = own.Text("text") is { Length: > 0 } written ? written : throw TeiFields.Empty("documents.text");
        own.RefuseOthers();
        return text;
    }

    private static string Cut(string text, int mostTokens, Tokenizer tokenizer)
    {
        TokenEncoding all = tokenizer.Encode(text, pair: null, EncodeOptions.Plain);
        return all.Length <= mostTokens ? text : text[..all.Utf16Offsets[mostTokens - 1].End];
    }

    private static void WriteResults(Utf8JsonWriter writer, IReadOnlyList<RerankScore> ranks, IReadOnlyList<string>? documents)
    {
        writer.WriteStartArray("results");
        foreach (RerankScore rank in ranks)
        {
            writer.WriteStartObject();
            writer.WriteNumber("index", rank.Index);
            writer.WriteNumber("relevance_score", rank.Score);
            if (documents is not null)
            {
                writer.WriteStartObject("document");
                writer.WriteString("text", documents[rank.Index]);
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    // Cohere's clients read meta, those of Jina, vLLM and llama.cpp usage.
    private static void WriteUsage(Utf8JsonWriter writer, string version, long tokens)
    {
        writer.WriteStartObject("usage");
        writer.WriteNumber("prompt_tokens", tokens);
        writer.WriteNumber("total_tokens", tokens);
        writer.WriteEndObject();
        writer.WriteStartObject("meta");
        writer.WriteStartObject("api_version");
        writer.WriteString("version", version);
        writer.WriteEndObject();
        writer.WriteStartObject("tokens");
        writer.WriteNumber("input_tokens", tokens);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
