using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Cli;

/// <summary>A request of generate --requests: a batch of prompts, as ids or as texts, and options.</summary>
/// <param name="Where">File and line, for messages.</param>
/// <param name="InputIds">input_ids; null where there are texts.</param>
/// <param name="AttentionMask">attention_mask.</param>
/// <param name="Prompts">prompts; null where there are ids.</param>
/// <param name="Options">options.</param>
internal sealed record GenerationRequest(string Where, int[][]? InputIds, int[][]? AttentionMask, string[]? Prompts, GenerationOptions Options)
{
    private static readonly string[] Keys = ["input_ids", "attention_mask", "prompts", "options"];

    // A row of reference outputs is a request as it is.
    private static readonly string[] LeftAlone = ["id", "name", "sequences", "sequences_scores", "texts"];

    /// <summary>Reads a line.</summary>
    /// <exception cref="FormatException">It is no request.</exception>
    /// <exception cref="Models.ConfigException">An option is unknown, or its value impossible.</exception>
    public static GenerationRequest Parse(string where, string text)
    {
        var line = new JsonLine(where, Utf8Input.Require(text, where));
        if (line.Names.FirstOrDefault(name => !Keys.Contains(name) && !LeftAlone.Contains(name)) is string unknown)
            throw line.Error($"has the key {Shown(unknown)}, which a request does not have; its keys are {string.Join(", ", Keys)}");
        JsonElement? ids = line.Find("input_ids"), mask = line.Find("attention_mask"), prompts = line.Find("prompts");
        if (ids is null == prompts is null)
            throw line.Error("has " + (ids is null ? "neither input_ids (lists of ids) nor prompts (texts)" : "both input_ids and prompts")
                + "; one of them is needed");
        if (mask is not null && ids is null)
            throw line.Error("has an attention_mask beside prompts; it belongs to input_ids, where it tells padding");
        return new GenerationRequest(
            where,
            ids is JsonElement rows ? Rows(line, "input_ids", rows) : null,
            mask is JsonElement shown ? Rows(line, "attention_mask", shown) : null,
            prompts is JsonElement texts ? Texts(line, texts) : null,
            line.Find("options") is JsonElement options ? GenerationOptions.FromJson(options, $"{where}, options") : GenerationOptions.Default);
    }

    private static int[][] Rows(JsonLine line, string name, JsonElement rows)
    {
        FormatException Bad(JsonElement value) =>
            line.Error($"has the {name} {Shown(value.GetRawText())}; a list of lists of whole numbers is needed, such as [[5, 7]]");
        return rows.ValueKind == JsonValueKind.Array
            ? [.. rows.EnumerateArray().Select(row => row.ValueKind == JsonValueKind.Array
                ? (int[])[.. row.EnumerateArray().Select(id => id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int value) ? value : throw Bad(id))]
                : throw Bad(row))]
            : throw Bad(rows);
    }

    private static string[] Texts(JsonLine line, JsonElement prompts) => prompts.ValueKind == JsonValueKind.Array && prompts.GetArrayLength() > 0
        ? [.. prompts.EnumerateArray().Select(prompt => line.Text("prompts", prompt))]
        : throw line.Error($"has the prompts {Shown(prompts.GetRawText())}; a list of texts is needed, such as [\"def add(a, b):\"]");

    private static string Shown(string text) => text.Length <= 120 ? text : $"{text.AsSpan(0, 120)}…";
}

/// <summary>An answer: prompt and new tokens in rows of one length as transformers' generate() returns them, and the new texts.</summary>
internal sealed record GenerationAnswer(int[][] Sequences)
{
    /// <summary>Of beam search.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double[]? SequencesScores { get; init; }

    /// <summary>The new texts; left out where the checkpoint has no tokenizer.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? Texts { get; init; }

    /// <summary>Where top_log_probabilities asks for them: of each text what the model gave to each token.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ChosenToken[][]? LogProbabilities { get; init; }
}
