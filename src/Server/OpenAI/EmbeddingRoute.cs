using System.Buffers.Binary;

namespace ManagedTransformers.Server;

/// <summary>POST /v1/embeddings.</summary>
internal static class EmbeddingRoute
{
    public static async Task AnswerAsync(ApiRequest request) =>
        await AnswerAsync(request, await request.ReadAsync().ConfigureAwait(false)).ConfigureAwait(false);

    public static async Task AnswerAsync(ApiRequest request, RequestFields fields)
    {
        IReadOnlyList<string> texts = TextsOf(fields, "input", request.Options.MaxInputs);
        string? model = fields.Text("model");
        string format = fields.Text("encoding_format") ?? "float";
        if (format is not ("float" or "base64"))
            throw ApiException.Of("encoding_format", $"Field 'encoding_format' must be float or base64, but is '{format}'");
        int? dimensions = fields.Integer("dimensions", least: 1);
        fields.RefuseOthers();
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Embedding, request.Cancellation).ConfigureAwait(false);
        var options = new EmbeddingOptions { TruncateDim = dimensions, Truncation = false };
        IReadOnlyList<TextEmbedding> all = await lease.Encoder!.EmbedAsync(texts, options, request.Cancellation).ConfigureAwait(false);
        if (dimensions > all[0].Vector.Length)
            throw ApiException.Of("dimensions", $"Field 'dimensions' is {dimensions}; vectors of {lease.Id} have {all[0].Vector.Length} numbers.");
        await request.WriteAsync(writer => Write(writer, lease.Id, all, format == "base64")).ConfigureAwait(false);
    }

    /// <summary>The texts of a field, at least one, none empty. Ids come from tokenizers of other models: their numbers mean something else here.</summary>
    public static IReadOnlyList<string> TextsOf(RequestFields fields, string name, int most)
    {
        JsonElement input = fields.Find(name) ?? throw ApiException.Of(name, $"Field '{name}' is needed: a text, or a list of texts.");
        if (input.ValueKind == JsonValueKind.Array && input.GetArrayLength() > 0 && input[0].ValueKind is JsonValueKind.Number or JsonValueKind.Array)
            throw ApiException.Of(name, $"Field '{name}' has token ids, which belong to one tokenizer; send texts.");
        IReadOnlyList<string> texts = RequestFields.Texts(input, name);
        if (texts.Count == 0 || texts.Contains(""))
            throw ApiException.Of(name, $"Field '{name}' has an empty text, or none; a text of at least one character is needed.");
        return texts.Count <= most ? texts : throw ApiException.Of(name, $"Field '{name}' has {texts.Count} texts; at most {most} are read at once.");
    }

    private static void Write(Utf8JsonWriter writer, string model, IReadOnlyList<TextEmbedding> all, bool asBase64)
    {
        writer.WriteStartObject();
        writer.WriteString("object", "list");
        writer.WriteStartArray("data");
        for (int i = 0; i < all.Count; i++)
        {
            writer.WriteStartObject();
            writer.WriteString("object", "embedding");
            writer.WriteNumber("index", i);
            writer.WritePropertyName("embedding");
            if (asBase64)
                writer.WriteBase64StringValue(BytesOf(all[i].Vector));
            else
                writer.WriteVector(all[i].Vector);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteString("model", model);
        int tokens = all.Sum(one => one.Tokens);
        writer.WriteStartObject("usage");
        writer.WriteNumber("prompt_tokens", tokens);
        writer.WriteNumber("total_tokens", tokens);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static byte[] BytesOf(float[] vector)
    {
        byte[] bytes = new byte[vector.Length * sizeof(float)];
        for (int i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        return bytes;
    }
}
