namespace ManagedTransformers;

/// <summary>What config_sentence_transformers.json says.</summary>
/// <param name="Prompts">What to put before texts, by name.</param>
/// <param name="DefaultPromptName">The one that is put before texts where nobody names another; null: none is.</param>
/// <param name="Similarity">How vectors are compared.</param>
/// <param name="TruncateDim">How many numbers of each vector are kept; null: all.</param>
internal sealed record SentenceConfig(
    IReadOnlyDictionary<string, string> Prompts, string? DefaultPromptName, SimilarityFunction Similarity, int? TruncateDim)
{
    public const string FileName = "config_sentence_transformers.json";

    /// <summary>What holds where there is no such file.</summary>
    public static readonly SentenceConfig Default =
        new(new Dictionary<string, string>(), DefaultPromptName: null, SimilarityFunction.Cosine, TruncateDim: null);

    /// <exception cref="ConfigException">The file contradicts itself, or asks for what this runtime does not have.</exception>
    public static SentenceConfig Read(ModuleJson json)
    {
        json.Find("__version__");           // what wrote it
        json.Require("model_type", "SentenceTransformer");
        IReadOnlyDictionary<string, string> prompts = json.Texts("prompts");
        string? name = json.Text("default_prompt_name");
        if (name is not null && !prompts.ContainsKey(name))
            throw new ConfigException($"{json.File}: default_prompt_name is {name}; prompts has {Names(prompts)}.");
        return new SentenceConfig(prompts, name, ReadSimilarity(json), json.Size("truncate_dim"));
    }

    /// <summary>What is put before every text; null: nothing.</summary>
    /// <exception cref="ArgumentException">The options name a prompt that there is not, or two.</exception>
    public string? PromptOf(EmbeddingOptions options)
    {
        if (options is { Prompt: not null, PromptName: not null })
            throw new ArgumentException($"Prompt and PromptName ({options.PromptName}) are both set; one of them is needed.", nameof(options));
        string? name = options.PromptName ?? DefaultPromptName;
        if (options.Prompt is not null || name is null)
            return options.Prompt;
        return Prompts.TryGetValue(name, out string? prompt)
            ? prompt
            : throw new ArgumentException($"The checkpoint has no prompt named {name}; it has {Names(Prompts)}. " +
                "Name one of them, or give the text itself as Prompt.", nameof(options));
    }

    private static SimilarityFunction ReadSimilarity(ModuleJson json) => json.Text("similarity_fn_name") switch
    {
        null or "cosine" => SimilarityFunction.Cosine,
        "dot" or "dot_product" => SimilarityFunction.Dot,
        "euclidean" => SimilarityFunction.Euclidean,
        "manhattan" => SimilarityFunction.Manhattan,
        string other => throw new ConfigException($"{json.File}: similarity_fn_name is {other}; there are cosine, dot, euclidean and manhattan."),
    };

    private static string Names(IReadOnlyDictionary<string, string> prompts) => prompts.Count == 0 ? "none" : string.Join(", ", prompts.Keys);
}
