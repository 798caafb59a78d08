namespace ManagedTransformers.Server;

/// <summary>Fields that several routes of text-embeddings-inference have.</summary>
internal static class TeiFields
{
    private static readonly EncodeOptions s_whole = EncodeOptions.Plain with { AddSpecialTokens = true };

    /// <summary>Whether a text that is too long is cut; it is, where the request does not say.</summary>
    /// <exception cref="ApiException">It is to be cut at its beginning.</exception>
    public static bool Truncation(RequestFields fields)
    {
        string direction = fields.Text("truncation_direction") ?? "Right";
        if (direction is "Left" or "left")
            throw ApiException.Of("truncation_direction", $"Field 'truncation_direction' is not supported as '{direction}': texts are cut at their end. " +
                "Send Right, or a shorter text.");
        if (direction is not ("Right" or "right"))
            throw ApiException.Of("truncation_direction", "Field 'truncation_direction' must be Right or Left.");
        return fields.Flag("truncate") ?? true;
    }

    /// <summary>What is to be read: one text or list of ids, or a list of such.</summary>
    /// <exception cref="ApiException">There is none, or too many.</exception>
    public static IReadOnlyList<JsonElement> Inputs(RequestFields fields, ApiRequest request, string name = "inputs")
    {
        JsonElement value = fields.Find(name) ?? throw ApiException.Of(name, $"Field '{name}' is needed.");
        if (value.ValueKind == JsonValueKind.String)
            return [value];
        if (value.ValueKind != JsonValueKind.Array)
            throw RequestFields.WrongType(name, "string or array", value);
        int count = value.GetArrayLength();
        if (count == 0)
            throw Empty(name);
        return value[0].ValueKind == JsonValueKind.Number ? [value] : [.. value.EnumerateArray().Take(RequireCount(count, name, request))];
    }

    /// <summary>The texts of a field, at least one, none of them empty.</summary>
    public static IReadOnlyList<string> Texts(RequestFields fields, ApiRequest request, string name)
    {
        JsonElement value = fields.Find(name) ?? throw ApiException.Of(name, $"Field '{name}' is needed.");
        if (value.ValueKind != JsonValueKind.Array)
            throw RequestFields.WrongType(name, "array of string", value);
        RequireCount(value.GetArrayLength(), name, request);
        IReadOnlyList<string> texts = RequestFields.Texts(value, name);
        return texts.Count > 0 && !texts.Contains("") ? texts : throw Empty(name);
    }

    /// <summary>A text, or that of its ids.</summary>
    /// <exception cref="ApiException">The ids are not those that the tokenizer gives for their text, so that the model would read others.</exception>
    public static string TextOf(JsonElement input, string name, Tokenizer tokenizer)
    {
        if (input.ValueKind != JsonValueKind.Array)
            return RequestFields.Text(input, name) is { Length: > 0 } given ? given : throw Empty(name);
        int[] ids = [.. RequestFields.Integers(input, name)];
        string text = tokenizer.Decode(ids, new DecodeOptions { SkipSpecialTokens = true });
        int[] again = tokenizer.EncodeToIds(text, pair: null, s_whole);
        return text.Length > 0 && again.AsSpan().SequenceEqual(ids) ? text : throw ApiException.Of(name,
            $"Field '{name}' has {ids.Length} ids that are not those of their text, with special tokens, by this model's tokenizer. Send the text.");
    }

    public static int RequireCount(int count, string name, ApiRequest request) => count <= request.Options.MaxInputs ? count
        : throw new ApiException(Problem.TooLarge, $"batch size {count} > maximum allowed batch size {request.Options.MaxInputs}") { Field = name };

    public static ApiException Empty(string name) => new(Problem.Empty, $"`{name}` cannot be empty") { Field = name };

    /// <summary>The prompt of a name, else the checkpoint's own; empty: none.</summary>
    /// <exception cref="ApiException">There is no such prompt.</exception>
    public static string PromptOf(string? name, SentenceEmbeddingPipeline? pipeline)
    {
        if ((name ?? pipeline?.DefaultPromptName) is not string wanted)
            return "";
        if (pipeline?.Prompts.TryGetValue(wanted, out string? prompt) == true)
            return prompt;
        string[] known = [.. pipeline?.Prompts.Keys ?? []];
        throw ApiException.Of("prompt_name", $"Field 'prompt_name': the model has no prompt '{wanted}'; " +
            $"it has {(known.Length == 0 ? "none" : string.Join(", ", known))}.");
    }

    /// <summary>Tokens that the model reads of a text, or of two.</summary>
    public static int CountTokens(EncoderPipeline pipeline, string text, string? pair = null)
    {
        int count = pipeline.Tokenizer.CountSpecialTokens(pair is not null) + pipeline.Tokenizer.CountTokens(text, EncodeOptions.Plain);
        return Math.Min(pipeline.MaxTokens, pair is null ? count : count + pipeline.Tokenizer.CountTokens(pair, EncodeOptions.Plain));
    }
}
