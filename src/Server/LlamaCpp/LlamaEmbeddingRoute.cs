namespace ManagedTransformers.Server;

/// <summary>POST /embedding and /embeddings.</summary>
internal static class LlamaEmbeddingRoute
{
    private const string Needed = "\"input\" or \"content\" must be provided";

    /// <summary>llama.cpp's form, whatever the texts are called.</summary>
    public static async Task AnswerAsync(ApiRequest request) =>
        await AnswerAsync(request, await request.ReadAsync().ConfigureAwait(false)).ConfigureAwait(false);

    /// <summary>llama.cpp's form for <c>content</c> or <c>embd_normalize</c>; OpenAI's for <c>input</c> alone, which clients send whose address lacks
    /// /v1.</summary>
    public static async Task AnswerEitherAsync(ApiRequest request)
    {
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        bool isOpenAI = fields.Has("input") && !fields.Has("content") && !fields.Has("embd_normalize");
        await (isOpenAI ? EmbeddingRoute.AnswerAsync(request, fields) : AnswerAsync(request, fields)).ConfigureAwait(false);
    }

    private static async Task AnswerAsync(ApiRequest request, RequestFields fields)
    {
        string name = fields.Alias("content", "input");
        if (fields.Find(name) is null)
            throw ApiException.Of(name, Needed);
        IReadOnlyList<string> texts = EmbeddingRoute.TextsOf(fields, name, request.Options.MaxInputs);
        int norm = fields.Integer("embd_normalize", -1, 100) ?? 2;
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Embedding, request.Cancellation).ConfigureAwait(false);
        var options = new EmbeddingOptions { Truncation = false, Normalize = norm == 2 };
        IReadOnlyList<TextEmbedding> all = await lease.Encoder!.EmbedAsync(texts, options, request.Cancellation).ConfigureAwait(false);
        await request.WriteAsync(writer => Write(writer, [.. all.Select(one => Normalized(one.Vector, norm))])).ConfigureAwait(false);
    }

    /// <summary>A vector over its norm: −1: as it is; 0: the largest number becomes 32,760, as for 16-bit integers; 2 was done by the pipeline; else the
    /// p-norm. Of zeros: zeros.</summary>
    internal static float[] Normalized(float[] vector, int norm)
    {
        if (norm is -1 or 2)
            return vector;
        double length = norm == 0 ? vector.Max(x => Math.Abs((double)x)) / 32_760 : Math.Pow(vector.Sum(x => Math.Pow(Math.Abs((double)x), norm)), 1.0 / norm);
        return length > 0 ? [.. vector.Select(x => (float)(x / length))] : vector;
    }

    private static void Write(Utf8JsonWriter writer, float[][] vectors)
    {
        writer.WriteStartArray();
        for (int i = 0; i < vectors.Length; i++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("index", i);
            writer.WriteStartArray("embedding");
            writer.WriteVector(vectors[i]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
