namespace ManagedTransformers.Server;

/// <summary>POST /rerank: with texts; with documents it is Cohere's.</summary>
internal static class TeiRerankRoute
{
    public static async Task AnswerAsync(ApiRequest request)
    {
        var took = new ComputeHeaders();
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        if (!fields.Has("texts") && fields.Has("documents"))
        {
            await SharedRoute.AnswerAsync(
                request, CohereProtocol.Instance, () => CohereRerankRoute.AnswerAsync(request, fields, "2")).ConfigureAwait(false);
            return;
        }
        string query = QueryOf(fields);
        IReadOnlyList<string> texts = TeiFields.Texts(fields, request, "texts");
        bool truncation = TeiFields.Truncation(fields), isRaw = fields.Flag("raw_scores") ?? false, withText = fields.Flag("return_text") ?? false;
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Rerank, request.Cancellation).ConfigureAwait(false);
        IReadOnlyList<RerankScore> ranks =
            await RankAsync(request, lease, query, texts, topN: null, truncation, sigmoid: !isRaw, took).ConfigureAwait(false);
        took.Write(request.Http.Response);
        await request.WriteAsync(writer => Write(writer, ranks, withText)).ConfigureAwait(false);
    }

    /// <summary>The query, which is no empty text.</summary>
    public static string QueryOf(RequestFields fields) =>
        fields.Text("query") is { Length: > 0 } query ? query : throw TeiFields.Empty("query");

    /// <summary>Ranks texts, and counts what is read.</summary>
    public static Task<IReadOnlyList<RerankScore>> RankAsync(ApiRequest request, ServedModel lease, string query, IReadOnlyList<string> texts, int? topN,
        bool truncation, bool sigmoid, ComputeHeaders took)
    {
        long start = Stopwatch.GetTimestamp();
        var pipeline = lease.Encoder!.Find<RerankPipeline>()!;
        took.Count(texts.Select(text => query + text));
        took.Tokens = texts.Sum(text => (long)TeiFields.CountTokens(pipeline, query, text));
        took.Tokenization = Stopwatch.GetElapsedTime(start);
        return lease.Encoder.Timed(took.Times).RankAsync(query, texts, topN, truncation, sigmoid, request.Cancellation);
    }

    private static void Write(Utf8JsonWriter writer, IReadOnlyList<RerankScore> ranks, bool withText)
    {
        writer.WriteStartArray();
        foreach (RerankScore rank in ranks)
        {
            writer.WriteStartObject();
            writer.WriteNumber("index", rank.Index);
            if (withText)
                writer.WriteString("text", rank.Document);
            writer.WriteNumber("score", rank.Score);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
