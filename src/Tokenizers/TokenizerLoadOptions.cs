namespace ManagedTransformers.Tokenizers;

/// <summary>What a directory's files do not say themselves.</summary>
public sealed record TokenizerLoadOptions
{
    /// <summary>The kind of model that the tokenizer belongs to, whatever tokenizer_config.json and config.json say: "roberta", "gpt2", "codegen", "bert" or
    /// another model_type whose tokenizer runs here.</summary>
    public string? ModelType { get; init; }

    /// <summary>Ignores tokenizer.json, so that vocab.json + merges.txt or vocab.txt are read.</summary>
    public bool IgnoreTokenizerJson { get; init; }

    /// <summary>Tokenizer classes (with or without Fast) that are a known one under another name, and kinds of model (model_type) that have its tokenizer:
    /// <c>["MyTokenizer"] = "RobertaTokenizer"</c>.</summary>
    public IReadOnlyDictionary<string, string> ClassAliases { get; init; } = new Dictionary<string, string>();
}
