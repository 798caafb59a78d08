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

    /// <summary>Reads the file of a sentence model.</summary>
    /// <exception cref="ConfigException">It asks for what this runtime does not have.</exception>
    public static TransformerConfig Read(ModuleJson json) => Read(json, "feature-extraction", "last_hidden_state", "token_embeddings");

    /// <summary>Reads the file of a cross-encoder.</summary>
    /// <inheritdoc cref="Read(ModuleJson)" path="/exception"/>
    public static TransformerConfig ReadClassifier(ModuleJson json) => Read(json, "sequence-classification", "logits", "scores");

    private static TransformerConfig Read(ModuleJson json, string task, string output, string outputName)
    {
        json.Require("transformer_task", task);
        json.Require("module_output_name", outputName);
        json.Find("unpad_inputs");          // how to compute the same
        if (json.Find("modality_config") is JsonElement modalities && !ReadsText(modalities, output))
            throw json.Unexpected("modality_config", modalities, $"text, by forward, as {output}");
        return new TransformerConfig(json.Size("max_seq_length"), json.Flag("do_lower_case", otherwise: false));
    }

    /// <summary>A text in lower case, as Python and the tokenizers library put it: İ becomes i and a dot above.</summary>
    public static string Lower(string text) => text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();

    private static bool ReadsText(JsonElement modalities, string output) =>
        modalities.ValueKind == JsonValueKind.Object && modalities.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.Object
        && text.TryGetProperty("method", out JsonElement method) && ModuleJson.TextOf(method) == "forward"
        && text.TryGetProperty("method_output_name", out JsonElement name) && ModuleJson.TextOf(name) == output;
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
        if (json.Find("pooling_mode") is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 0)
            throw new ConfigException($"{json.File}: pooling_mode is an empty list; {string.Join(", ", PoolingNames.All.Select(name => name.Word))}, or " +
                "several of them, are needed.");
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

/// <summary>What the files of a sentence-transformers checkpoint say about its embeddings; what another checkpoint means by having none of them.</summary>
internal sealed record SentenceModules
{
    public const string FileName = "modules.json";
    private const string Package = "sentence_transformers.";
    private const int Most = 32;                         // published checkpoints have up to five
    private static readonly string[] Known = ["Transformer", "Pooling", "Dense", "LayerNorm", "Normalize", "Dropout"];

    /// <summary>Where the transformer itself is, empty for the checkpoint's own directory.</summary>
    public string ModelFolder { get; init; } = "";

    /// <summary>What the transformer's file says: limit and case.</summary>
    public TransformerConfig Transformer { get; init; } = TransformerConfig.Default;

    public PoolingConfig Pooling { get; init; } = PoolingConfig.Default;

    /// <summary>What becomes of that vector, in order; without a Normalize at the end.</summary>
    public IReadOnlyList<SentenceLayer> Layers { get; init; } = [];

    public bool Normalize { get; init; }
    public SentenceConfig Config { get; init; } = SentenceConfig.Default;

    /// <summary>What of the files is not honoured, in sentences.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Reads the files; a checkpoint without modules.json means mean pooling, not normalised.</summary>
    /// <exception cref="ConfigException">A file is broken, or asks for a module or pooling that this runtime does not have.</exception>
    /// <exception cref="CheckpointException">The weights of a module are missing, broken, or of other sizes than its config.json says.</exception>
    public static SentenceModules Read(ModelFiles files)
    {
        var reader = new ModuleReader(files);
        SentenceModules modules = files.Find(FileName) is ReadOnlyMemory<byte> json ? ReadModules(json, reader) : new SentenceModules();
        string folder = modules.ModelFolder.Length == 0 ? "" : modules.ModelFolder.TrimEnd('/') + "/";
        string? limits = TransformerConfig.FileNames.FirstOrDefault(name => files.Find(folder + name) is not null);
        return modules with
        {
            Transformer = limits is null ? TransformerConfig.Default : reader.Json(folder + limits, TransformerConfig.Read),
            Config = files.Find(SentenceConfig.FileName) is null ? SentenceConfig.Default : reader.Json(SentenceConfig.FileName, SentenceConfig.Read),
            Warnings = reader.Warnings,
        };
    }

    /// <summary>The length of the vectors before they are cut, for tokens' vectors of <paramref name="hidden"/> numbers.</summary>
    /// <exception cref="ConfigException">The modules do not fit together, or not this model.</exception>
    public int CheckedWidth(int hidden)
    {
        if (Pooling.Width is int width && width != hidden)
            throw new ConfigException($"{Pooling.File} says that tokens' vectors have {width} numbers; the model's have {hidden}. " +
                "Are the files of one checkpoint?");
        return Layers.Aggregate(hidden * Pooling.Modes.Count, (length, layer) => layer.OutWidth(length));
    }

    private static SentenceModules ReadModules(ReadOnlyMemory<byte> json, ModuleReader reader)
    {
        var modules = new SentenceModules();
        var layers = new List<SentenceLayer>();
        (string Type, string Path)[] named = [.. Modules(json, reader, Known)];
        RequireOrder([.. named.Select(module => module.Type)]);
        foreach ((string type, string path) in named)
        {
            switch (type)
            {
                case "Transformer": modules = modules with { ModelFolder = path }; break;
                case "Pooling": modules = modules with { Pooling = reader.Json(ModuleReader.ConfigIn(path), PoolingConfig.Read) }; break;
                case "Dense": layers.Add(reader.Dense(path)); break;
                case "LayerNorm": layers.Add(reader.LayerNorm(path)); break;
                case "Normalize": reader.CheckNormalize(path); layers.Add(new NormalizeLayer()); break;
                default: break;                     // Dropout does something in training only
            }
        }
        bool normalize = layers is [.., NormalizeLayer];
        return modules with { Layers = normalize ? layers[..^1] : layers, Normalize = normalize };
    }

    private static void RequireOrder(string[] types)
    {
        if (types is not ["Transformer", "Pooling", ..] || types.Count(type => type is "Transformer" or "Pooling") != 2)
            throw new ConfigException($"{FileName} names the modules [{string.Join(", ", types)}]; a Transformer, a Pooling, and then others are needed. " +
                "Download the checkpoint again.");
    }

    /// <summary>The modules that the file names, in its order.</summary>
    /// <exception cref="ConfigException">It is broken, or names one that is not <paramref name="known"/>.</exception>
    public static IEnumerable<(string Type, string Path)> Modules(ReadOnlyMemory<byte> json, ModuleReader reader, string[] known)
    {
        using JsonDocument document = SmallJson.Parse(FileName, json, JsonValueKind.Array);
        if (document.RootElement.GetArrayLength() > Most)
            throw new ConfigException($"{FileName} names {document.RootElement.GetArrayLength()} modules; at most {Most} are read. Is it damaged?");
        var folders = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement module in document.RootElement.EnumerateArray())
        {
            if (module.ValueKind != JsonValueKind.Object || !module.TryGetProperty("type", out JsonElement type) || ModuleJson.TextOf(type) is not string name)
                throw new ConfigException($"{FileName}: an entry has no \"type\"; each needs one, such as sentence_transformers.models.Pooling.");
            string path = module.TryGetProperty("path", out JsonElement p) ? ModuleJson.TextOf(p) ?? "" : "";
            if (path.Contains('\0', StringComparison.Ordinal) || Path.IsPathRooted(path) || path.Split('/', '\\').Contains(".."))
                throw new ConfigException($"{FileName}: the path \"{path}\" leads out of the checkpoint; a folder inside is needed. " +
                    "Nothing is read from there.");
            path = path is "." or "./" ? "" : path;
            if (path.Length > 0 && !folders.Add(path.TrimEnd('/')))
                throw new ConfigException($"{FileName} names the folder \"{path}\" twice; each module has one of its own. Download the checkpoint again.");
            if (module.TryGetProperty("kwargs", out JsonElement arguments) && arguments is { ValueKind: JsonValueKind.Array } && arguments.GetArrayLength() > 0)
                reader.Warn($"{FileName}: the kwargs {arguments.GetRawText()} of {name} are not known here and not used.");
            // Both sentence_transformers.models.Pooling and, since 5.4, sentence_transformers.sentence_transformer.modules.pooling.Pooling.
            string last = name[(name.LastIndexOf('.') + 1)..];
            if (!name.StartsWith(Package, StringComparison.Ordinal) || !known.Contains(last))
                throw new ConfigException($"{FileName} names the module {name}, which this runtime does not have here; {string.Join(", ", known)} of " +
                    "sentence_transformers are known. The numbers would not be the model's.");
            yield return (last, path);
        }
    }
}
