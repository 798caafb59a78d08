namespace ManagedTransformers.Tokenizers;

/// <summary>What a directory's files do not say themselves.</summary>
public sealed record TokenizerLoadOptions
{
    /// <summary>The kind of model that the tokenizer belongs to, where neither tokenizer_config.json nor config.json says it: "roberta", "gpt2", "codegen" or "bert".</summary>
    public string? ModelType { get; init; }

    /// <summary>Ignores tokenizer.json, so that vocab.json + merges.txt or vocab.txt are read.</summary>
    public bool IgnoreTokenizerJson { get; init; }
}
