namespace ManagedTransformers;

/// <summary>What the files of a sentence-transformers checkpoint say about its embeddings; what another checkpoint means by having none of them.</summary>
internal sealed record SentenceModules
{
    private const string FileName = "modules.json";
    private const string Package = "sentence_transformers.";
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

    /// <summary>The length of the vectors, for tokens' vectors of <paramref name="hidden"/> numbers.</summary>
    /// <exception cref="ConfigException">The modules do not fit together, or not this model.</exception>
    public int CheckedWidth(int hidden)
    {
        if (Pooling.Width is int width && width != hidden)
            throw new ConfigException($"{Pooling.File} says that tokens' vectors have {width} numbers; the model's have {hidden}. " +
                "Are the files of one checkpoint?");
        int pooled = Layers.Aggregate(hidden * Pooling.Modes.Count, (length, layer) => layer.OutWidth(length));
        return Math.Min(pooled, Config.TruncateDim ?? pooled);
    }

    private static SentenceModules ReadModules(ReadOnlyMemory<byte> json, ModuleReader reader)
    {
        var modules = new SentenceModules();
        var layers = new List<SentenceLayer>();
        (string Type, string Path)[] named = [.. Modules(json, reader)];
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
        RequireOrder([.. named.Select(module => module.Type)]);
        bool normalize = layers is [.., NormalizeLayer];
        return modules with { Layers = normalize ? layers[..^1] : layers, Normalize = normalize };
    }

    private static void RequireOrder(string[] types)
    {
        if (types is not ["Transformer", "Pooling", ..] || types.Count(type => type is "Transformer" or "Pooling") != 2)
            throw new ConfigException($"{FileName} names the modules [{string.Join(", ", types)}]; a Transformer, a Pooling, and then others are needed. " +
                "Download the checkpoint again.");
    }

    private static IEnumerable<(string Type, string Path)> Modules(ReadOnlyMemory<byte> json, ModuleReader reader)
    {
        using JsonDocument document = SmallJson.Parse(FileName, json, JsonValueKind.Array);
        foreach (JsonElement module in document.RootElement.EnumerateArray())
        {
            if (module.ValueKind != JsonValueKind.Object || !module.TryGetProperty("type", out JsonElement type) || ModuleJson.TextOf(type) is not string name)
                throw new ConfigException($"{FileName}: an entry has no \"type\"; each needs one, such as sentence_transformers.models.Pooling.");
            string path = module.TryGetProperty("path", out JsonElement p) ? ModuleJson.TextOf(p) ?? "" : "";
            if (path.Contains('\0', StringComparison.Ordinal) || Path.IsPathRooted(path) || path.Split('/', '\\').Contains(".."))
                throw new ConfigException($"{FileName}: the path \"{path}\" leads out of the checkpoint; a folder inside is needed. " +
                    "Nothing is read from there.");
            if (module.TryGetProperty("kwargs", out JsonElement arguments) && arguments is { ValueKind: JsonValueKind.Array } && arguments.GetArrayLength() > 0)
                reader.Warn($"{FileName}: the kwargs {arguments.GetRawText()} of {name} are not known here and not used.");
            // Both sentence_transformers.models.Pooling and, since 5.4, sentence_transformers.sentence_transformer.modules.pooling.Pooling.
            string last = name[(name.LastIndexOf('.') + 1)..];
            if (!name.StartsWith(Package, StringComparison.Ordinal) || !Known.Contains(last))
                throw new ConfigException($"{FileName} names the module {name}, which this runtime does not have; {string.Join(", ", Known)} of " +
                    "sentence_transformers are known. The embeddings would not be the model's.");
            yield return (last, path is "." or "./" ? "" : path);
        }
    }
}
