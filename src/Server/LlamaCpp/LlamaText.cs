namespace ManagedTransformers.Server;

/// <summary>A text as llama.cpp takes it: texts and token ids in any order.</summary>
/// <param name="Parts">Each a text, or an id.</param>
internal sealed record LlamaText(IReadOnlyList<(string? Text, int Id)> Parts)
{
    private const string Kinds = "string, array of integer and string, or object with prompt_string";
    private static readonly EncodeOptions s_special = EncodeOptions.Plain with { AddSpecialTokens = true };

    /// <summary>The prompts of a request: one text, or a list of them.</summary>
    /// <exception cref="ApiException">There is none, or it is none.</exception>
    public static IReadOnlyList<LlamaText> Prompts(RequestFields fields, int most)
    {
        const string Name = "prompt";
        JsonElement prompt = fields.Find(Name) ?? throw ApiException.Of(Name, "\"prompt\" must be provided");
        if (prompt.ValueKind != JsonValueKind.Array || IsOne(prompt))
            return [Prompt(prompt, fields)];
        int count = prompt.GetArrayLength();
        if (count == 0 || count > most)
            throw ApiException.Of(Name, $"Field 'prompt' has {count} prompts; 1 to {most} are read at once.");
        return [.. prompt.EnumerateArray().Select(one => Prompt(one, fields))];
    }

    /// <summary>A text, or a list of texts and ids; null where it is neither.</summary>
    public static LlamaText? Of(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.String => new LlamaText([(RequestFields.Text(value, name), 0)]),
        JsonValueKind.Array => new LlamaText([.. value.EnumerateArray().Select(one => Part(one, name))]),
        _ => null,
    };

    /// <summary>The ids of a prompt, at least one. A text alone is read as the generator reads it.</summary>
    public int[] Encode(TextGenerator generator)
    {
        int[] ids = Parts is [(string text, _)] ? generator.Encode(text) : Encode(generator.Tokenizer, addSpecial: true, generator.Tokenizer);
        return ids.Length > 0 ? ids : throw ApiException.Of("prompt", "Field 'prompt' has an empty list; a text or a token is needed.");
    }

    /// <summary>The ids.</summary>
    /// <param name="tokenizer">What checks ids.</param>
    /// <param name="addSpecial">Whether the first text gets the special tokens that stand around a text.</param>
    /// <param name="texts">What reads the texts.</param>
    public int[] Encode(Tokenizer tokenizer, bool addSpecial, Tokenizer texts)
    {
        var ids = new List<int>();
        for (int i = 0; i < Parts.Count; i++)
        {
            if (Parts[i].Text is string text)
                ids.AddRange(texts.EncodeToIds(text, pair: null, addSpecial && i == 0 ? s_special : EncodeOptions.Plain));
            else
                ids.Add(Known(tokenizer, Parts[i].Id));
        }
        return [.. ids];
    }

    /// <summary>An id that the tokenizer has.</summary>
    public static int Known(Tokenizer tokenizer, int id) => tokenizer.IdToToken(id) is not null ? id
        : throw new ApiException(Problem.Invalid, $"There is no token {id}; the tokenizer has {tokenizer.VocabularySize}.");

    private static LlamaText Prompt(JsonElement value, RequestFields fields)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return Of(value, "prompt") ?? throw RequestFields.WrongType("prompt", Kinds, value);
        RequestFields inside = fields.Element(value, "prompt");
        string text = inside.Text("prompt_string") ?? throw ApiException.Of("prompt", "Field 'prompt.prompt_string' is needed.");
        inside.RefuseOthers();
        return new LlamaText([(text, 0)]);
    }

    // Of a list with a number in it: one prompt of ids, or of ids and texts.
    private static bool IsOne(JsonElement list) => list.EnumerateArray().Any(one => one.ValueKind == JsonValueKind.Number);

    private static (string? Text, int Id) Part(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.String => (RequestFields.Text(value, name), 0),
        JsonValueKind.Number => (null, (int)Math.Clamp(RequestFields.Whole(value, name), int.MinValue, int.MaxValue)),
        _ => throw RequestFields.WrongType(name, "array of integer and string", value),
    };
}
