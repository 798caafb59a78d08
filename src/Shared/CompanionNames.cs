namespace ManagedTransformers;

/// <summary>The files next to the weights of a checkpoint that this runtime reads.</summary>
internal static class CompanionNames
{
    /// <summary>Names in the checkpoint's directory, or in one of a module of sentence-transformers.</summary>
    public static IReadOnlySet<string> Read { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "config.json", "generation_config.json",
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt",
        "tokenizer.model", "sentencepiece.bpe.model",
        "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
        "sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json", "sentence_xlnet_config.json",
    };
}
