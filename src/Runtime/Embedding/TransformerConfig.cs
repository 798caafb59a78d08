namespace ManagedTransformers;

/// <summary>What sentence_bert_config.json says, or the file of another family's name that older checkpoints have in its place.</summary>
/// <param name="MaxSeqLength">The most tokens of a text; null: it does not say.</param>
/// <param name="DoLowerCase">Whether texts are put in lower case before they are tokenized.</param>
internal sealed record TransformerConfig(int? MaxSeqLength, bool DoLowerCase)
{
    private static readonly string[] Families = ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"];

    /// <summary>What holds where there is no such file.</summary>
    public static readonly TransformerConfig Default = new(MaxSeqLength: null, DoLowerCase: false);

    /// <summary>The names that the file may have, the first that is there is read.</summary>
    public static readonly IReadOnlyList<string> FileNames = [.. Families.Select(family => $"sentence_{family}_config.json")];

    /// <exception cref="ConfigException">It asks for what this runtime does not have.</exception>
    public static TransformerConfig Read(ModuleJson json)
    {
        json.Require("transformer_task", "feature-extraction");
        json.Require("module_output_name", "token_embeddings");
        json.Find("unpad_inputs");          // how to compute the same
        if (json.Find("modality_config") is JsonElement modalities && !ReadsText(modalities))
            throw json.Unexpected("modality_config", modalities, "text, by forward, as last_hidden_state");
        return new TransformerConfig(json.Size("max_seq_length"), json.Flag("do_lower_case", otherwise: false));
    }

    /// <summary>A text in lower case, as Python and the tokenizers library put it: İ becomes i and a dot above.</summary>
    public static string Lower(string text) => text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();

    private static bool ReadsText(JsonElement modalities) =>
        modalities.ValueKind == JsonValueKind.Object && modalities.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.Object
        && text.TryGetProperty("method", out JsonElement method) && ModuleJson.TextOf(method) == "forward"
        && text.TryGetProperty("method_output_name", out JsonElement output) && ModuleJson.TextOf(output) == "last_hidden_state";
}
