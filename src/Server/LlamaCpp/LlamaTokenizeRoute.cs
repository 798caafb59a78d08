namespace ManagedTransformers.Server;

/// <summary>POST /tokenize and /detokenize.</summary>
internal static class LlamaTokenizeRoute
{
    /// <summary>With <c>inputs</c> it is that of text-embeddings-inference.</summary>
    public static async Task AnswerAsync(ApiRequest request)
    {
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        if (!fields.Has("content") && fields.Has("inputs"))
            await SharedRoute.AnswerAsync(request, TeiProtocol.Instance, () => TeiTokenRoutes.TokenizeAsync(request, fields)).ConfigureAwait(false);
        else
            await AnswerAsync(request, fields).ConfigureAwait(false);
    }

    /// <summary>Tokens of <c>content</c>: ids, or ids with their pieces. No content has none.</summary>
    public static async Task AnswerAsync(ApiRequest request, RequestFields fields)
    {
        LlamaText content = fields.Find("content") is not JsonElement value ? new LlamaText([])
            : LlamaText.Of(value, "content") ?? throw RequestFields.WrongType("content", "string, or array of integer and string", value);
        bool addSpecial = fields.Flag("add_special") ?? false, parseSpecial = fields.Flag("parse_special") ?? true;
        bool withPieces = fields.Flag("with_pieces") ?? false;
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await LlamaRoutes.AcquireAnyAsync(request, model).ConfigureAwait(false);
        Tokenizer tokenizer = TokenizerOf(lease);
        int[] ids = content.Encode(tokenizer, addSpecial, parseSpecial ? tokenizer : tokenizer.ReadingAsText(token => token.Special));
        await request.WriteAsync(writer => Write(writer, tokenizer, ids, withPieces)).ConfigureAwait(false);
    }

    /// <summary>The text of <c>tokens</c>, special ones as they are written; bytes that are no text are U+FFFD.</summary>
    public static async Task AnswerTextAsync(ApiRequest request)
    {
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        IReadOnlyList<int> ids = fields.Integers("tokens") ?? [];
        string? model = fields.Text("model");
        fields.RefuseOthers();
        using ServedModel lease = await LlamaRoutes.AcquireAnyAsync(request, model).ConfigureAwait(false);
        Tokenizer tokenizer = TokenizerOf(lease);
        string text = tokenizer.Decode([.. ids.Select(id => LlamaText.Known(tokenizer, id))]);
        await request.WriteAsync(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("content", text);
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }

    /// <summary>The tokenizer of a model.</summary>
    public static Tokenizer TokenizerOf(ServedModel lease) => lease.Generation?.Generator.Tokenizer ?? lease.Encoder!.Pipelines[0].Tokenizer;

    private static void Write(Utf8JsonWriter writer, Tokenizer tokenizer, int[] ids, bool withPieces)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("tokens");
        foreach (int id in ids)
        {
            if (withPieces)
                WritePiece(writer, tokenizer, id);
            else
                writer.WriteNumberValue(id);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WritePiece(Utf8JsonWriter writer, Tokenizer tokenizer, int id)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", id);
        if (TokenBytes.Text(tokenizer, id) is string piece)
        {
            writer.WriteString("piece", piece);
        }
        else
        {
            writer.WriteStartArray("piece");
            foreach (byte part in TokenBytes.Of(tokenizer, id))
                writer.WriteNumberValue(part);
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }
}
