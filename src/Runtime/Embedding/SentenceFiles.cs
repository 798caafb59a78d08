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

/// <summary>What the config.json of a Pooling module says.</summary>
/// <param name="Modes">How tokens become one vector, several joined in this order.</param>
/// <param name="IncludePrompt">Whether a prompt's tokens are among them.</param>
/// <param name="File">Where it stands, for messages.</param>
/// <param name="Width">How long it says the tokens' vectors are; null: nothing.</param>
internal sealed record PoolingConfig(IReadOnlyList<Pooling> Modes, bool IncludePrompt, string File = "modules.json", int? Width = null)
{
    private const string OldPrefix = "pooling_mode_";

    /// <summary>What holds where there is no such file.</summary>
    public static readonly PoolingConfig Default = new([Pooling.Mean], IncludePrompt: true);

    /// <summary>Reads the form of sentence-transformers 5.4 (<c>pooling_mode</c>, a word or a list) or the older switches.</summary>
    /// <exception cref="ConfigException">A mode is unknown, or a value is none that its key can have.</exception>
    public static PoolingConfig Read(ModuleJson json)
    {
        bool[] switches = [.. PoolingNames.All.Select(name => json.Flag(name.Switch, otherwise: false))];
        string[] known = [.. PoolingNames.All.Select(name => name.Switch)];
        IEnumerable<string> others = json.Keys.Where(key => key.StartsWith(OldPrefix, StringComparison.Ordinal)).Except(known);
        if (others.FirstOrDefault(key => json.Flag(key, otherwise: false)) is string unknown)
            throw Unknown(json, unknown, known);
        Pooling[] modes = json.Find("pooling_mode") is JsonElement mode
            ? [.. (mode.ValueKind == JsonValueKind.Array ? mode.EnumerateArray() : Enumerable.Repeat(mode, 1)).Select(word => ModeOf(json, word))]
            : [.. PoolingNames.All.Where((_, i) => switches[i]).Select(name => name.Mode)];
        int? width = json.Size("embedding_dimension"), oldWidth = json.Size("word_embedding_dimension");
        // No mode at all is the mean in sentence-transformers, too.
        return new PoolingConfig(modes.Length == 0 ? [Pooling.Mean] : modes, json.Flag("include_prompt", otherwise: true), json.File, width ?? oldWidth);
    }

    private static Pooling ModeOf(ModuleJson json, JsonElement word) =>
        Array.FindIndex(PoolingNames.All, name => name.Word == ModuleJson.TextOf(word)) is int at and >= 0
            ? PoolingNames.All[at].Mode
            : throw Unknown(json, word.GetRawText(), PoolingNames.All.Select(name => name.Word));

    private static ConfigException Unknown(ModuleJson json, string mode, IEnumerable<string> known) =>
        new($"{json.File}: the pooling mode {mode} is unknown; there are {string.Join(", ", known)}.");
}
