namespace ManagedTransformers.Diagnostics;

/// <summary>What a checkpoint holds and whether it can run: its tensors and what becomes of each, what is missing, the memory that it takes, and whether its
/// tokenizer fits. Problems are collected, not thrown, so that a checkpoint that cannot run can be looked at.</summary>
public sealed record CheckpointInspection
{
    private CheckpointInspection(string path, IReadOnlyList<InspectedTensor> tensors, LinearMatrices? linear)
    {
        (Path, Tensors) = (path, tensors);
        Memory = MemoryEstimate.Of(tensors, linear);
    }

    /// <summary>The directory or file.</summary>
    public string Path { get; }

    /// <summary>All tensors, in the order of the files.</summary>
    public IReadOnlyList<InspectedTensor> Tensors { get; }

    /// <summary>What the weights take by the format of the matrices.</summary>
    public IReadOnlyList<MemoryEstimate> Memory { get; }

    /// <summary>config.json; null for a single file, or where it cannot be read.</summary>
    public PretrainedConfig? Config { get; private init; }

    /// <summary>config.json as it is, also where it is no configuration of this runtime; null for a single file, or where it is no JSON.</summary>
    public JsonElement? ConfigFile { get; private init; }

    /// <summary>The class that config.json names and this runtime has; null where there is none. Whether it can run is another matter.</summary>
    public string? RecognisedArchitecture { get; private init; }

    /// <summary>The class that runs; null where the checkpoint cannot be loaded.</summary>
    public string? Architecture { get; private init; }

    /// <summary>Tensors that the architecture needs and the checkpoint lacks.</summary>
    public IReadOnlyList<string> MissingTensors { get; private init; } = [];

    /// <summary>The tokenizer beside the weights.</summary>
    public TokenizerInspection Tokenizer { get; private init; } = TokenizerInspection.None(config: null);

    /// <summary>Why it cannot run, in sentences; empty where it can, and for a single file, of which that is not asked.</summary>
    public IReadOnlyList<string> Problems { get; private init; } = [];

    /// <summary>What is odd about it and harms nothing, in sentences; <see cref="LoadOptions.Strict"/> makes them problems.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>The elements of the tensors that the model reads.</summary>
    public long Parameters => Tensors.Where(tensor => tensor.IsParameter).Sum(tensor => tensor.Elements);

    /// <summary>The bytes of all tensors.</summary>
    public long Bytes => Tensors.Sum(tensor => tensor.Bytes);

    /// <summary>Looks at a checkpoint directory, or at a single .safetensors file.</summary>
    /// <param name="path">The directory or file.</param>
    /// <param name="options">How it would be loaded.</param>
    /// <exception cref="CheckpointException">There are no weights, or a weight file cannot be read.</exception>
    public static CheckpointInspection Of(string path, LoadOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return File.Exists(path) ? OfFile(path) : OfDirectory(path, options ?? LoadOptions.Default);
    }

    private static CheckpointInspection OfFile(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        return new CheckpointInspection(path, [.. file.Weights.Values.Select(weight => Inspected(weight, model: null, read: []))], linear: null);
    }

    private static CheckpointInspection OfDirectory(string directory, LoadOptions options)
    {
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        var problems = new List<string>();
        var missing = new List<string>();
        JsonDocument? file = Try(() => JsonText.Parse(ConfigJson.FileName, ConfigJson.ReadFile(directory), ConfigException.Of), problems, missing);
        PretrainedConfig? config = file is null ? null : Try(() => ConfigJson.Parse(ConfigJson.ReadFile(directory).Span), problems, missing);
        using PretrainedModel? model = config is null ? null : Try(() => PretrainedModels.Load(directory, options), problems, missing);
        // A model that only has tensors too many still tells what becomes of the others.
        using PretrainedModel? lenient = model is not null || config is null ? null
            : Try(() => PretrainedModels.Load(directory, options with { Strict = false }), [], []);
        PretrainedModel? asked = model ?? lenient;
        HashSet<string> read = asked is null ? [] : [.. asked.Weights.Select(weight => weight.Name)];
        bool isQuantized = checkpoint.Weights.Values.Any(weight => weight.BlockType is not null);
        LinearMatrices? linear = asked is null || isQuantized ? null : LinearMatrices.Of(directory, checkpoint);
        return new CheckpointInspection(directory, [.. checkpoint.Weights.Values.Select(weight => Inspected(weight, asked, read))], linear)
        {
            Config = config,
            ConfigFile = file?.RootElement,
            RecognisedArchitecture = config?.Architectures.FirstOrDefault(PretrainedModels.SupportedArchitectures.Contains),
            Architecture = model?.Architecture,
            MissingTensors = missing,
            Tokenizer = TokenizerInspection.Of(directory, config, problems),
            Problems = problems,
            Warnings = model?.Warnings ?? [],
        };
    }

    private static InspectedTensor Inspected(Weight weight, PretrainedModel? model, HashSet<string> read)
    {
        IReadOnlyList<long> shape = StoredBlocks.MatrixShape(weight) ?? weight.Shape;
        return new(weight.Name, weight.Type, shape, shape.Aggregate(1L, (a, b) => a * b), weight.ByteLength, weight.File, UseOf(weight, model, read))
        {
            BlockType = StoredBlocks.MatrixShape(weight) is null ? null : weight.BlockType,
        };
    }

    private static TensorUse UseOf(Weight weight, PretrainedModel? model, HashSet<string> read)
    {
        string name = weight.Name;
        if (read.Contains(name))
            return name.EndsWith(".gamma", StringComparison.Ordinal) || name.EndsWith(".beta", StringComparison.Ordinal)
                ? TensorUse.ReadByOldName
                : TensorUse.Read;
        if (ModelFamilies.IsBuffer(weight))
            return TensorUse.Buffer;
        if (model is null)
            return TensorUse.NotKnown;
        if (model.TiedTensors.ContainsKey(name))
            return TensorUse.Tied;
        return model.UnknownTensors.Contains(name) ? TensorUse.NotOfArchitecture : TensorUse.OtherHead;
    }

    private static T? Try<T>(Func<T> load, List<string> problems, List<string> missing) where T : class
    {
        try
        {
            return load();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or ArgumentException or NotSupportedException)
        {
            problems.Add(e.Message);
            if (e is CheckpointException checkpoint)
                missing.AddRange(checkpoint.MissingTensors);
            return null;
        }
    }
}
