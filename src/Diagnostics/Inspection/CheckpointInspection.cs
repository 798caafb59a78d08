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
        catch (Exception e) when (e is ManagedTransformersException or IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problems.Add(e.Message);
            if (e is CheckpointException checkpoint)
                missing.AddRange(checkpoint.MissingTensors);
            return null;
        }
    }
}

/// <summary>What the model of a checkpoint does with one of its tensors.</summary>
public enum TensorUse
{
    /// <summary>It is not known: there is no model to ask.</summary>
    NotKnown,

    /// <summary>It is a weight.</summary>
    Read,

    /// <summary>It is a weight, under the name that old files give it: gamma for weight, beta for bias.</summary>
    ReadByOldName,

    /// <summary>It is left, because another tensor that is read is the same: a tied decoder.</summary>
    Tied,

    /// <summary>It is left, because the model computes it: masks, position numbers, rotary tables.</summary>
    Buffer,

    /// <summary>It is left: the head of another class of the family, in a checkpoint that is opened without it.</summary>
    OtherHead,

    /// <summary>The architecture has no such tensor. Loading warns of it, and refuses it where LoadOptions.Strict is true.</summary>
    NotOfArchitecture,
}

/// <summary>A tensor of a checkpoint, and what becomes of it.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">How its elements are stored; U8 where they are quantized.</param>
/// <param name="Shape">The dimensions, slowest first; those of the matrix where it is quantized.</param>
/// <param name="Elements">Their product.</param>
/// <param name="Bytes">What it takes in the file.</param>
/// <param name="File">The file that holds it.</param>
/// <param name="Use">What the model does with it.</param>
public sealed record InspectedTensor(string Name, ElementType Type, IReadOnlyList<long> Shape, long Elements, long Bytes, string File, TensorUse Use)
{
    /// <summary>The blocks of integers that a quantized matrix is stored in; null where elements are stored one by one.</summary>
    public WeightType? BlockType { get; init; }

    /// <summary>How its elements are stored, in a word: F16, I64, Int8 …</summary>
    public string Format => BlockType?.ToString() ?? Type.SafetensorsName();

    /// <summary>Whether it counts as a parameter; where there is no model to ask, every tensor does but buffers.</summary>
    public bool IsParameter => Use is TensorUse.NotKnown or TensorUse.Read or TensorUse.ReadByOldName;
}

/// <summary>Which tensors of a checkpoint are the matrices of linear layers, whose format can be chosen: names in the checkpoint.</summary>
/// <param name="All">All of them, heads over the vocabulary too.</param>
/// <param name="Quantized">Those that become blocks of integers.</param>
/// <param name="QuantizedWithHead">Those that do with <see cref="LoadOptions.QuantizeHead"/>.</param>
internal sealed record LinearMatrices(IReadOnlyCollection<string> All, IReadOnlyCollection<string> Quantized, IReadOnlyCollection<string> QuantizedWithHead)
{
    /// <summary>The table of embeddings from which a tied head is then quantized, and held in addition to it; null: there is none.</summary>
    public string? TiedHead { get; private init; }

    /// <summary>What loading would do with a checkpoint that is not quantized yet: the answer of the code that does it.</summary>
    /// <exception cref="ConfigException">config.json does not say which class it is of.</exception>
    /// <exception cref="CheckpointException">The tensors are not those of the class.</exception>
    public static LinearMatrices Of(string directory, Checkpoint checkpoint)
    {
        // Int8 and Int4 are the same to it: both take whole pairs of blocks.
        ModelWeights plan = PretrainedModels.Plan(directory, checkpoint, new LoadOptions { WeightFormat = WeightFormat.Int8 });
        ModelWeights withHead = PretrainedModels.Plan(directory, checkpoint, new LoadOptions { WeightFormat = WeightFormat.Int8, QuantizeHead = true });
        return new LinearMatrices(plan.Linear, plan.Quantized, withHead.Quantized) { TiedHead = withHead.TiedHead };
    }

    /// <summary>A guess where there is no model to ask: by shapes and names.</summary>
    public static LinearMatrices Guess(IEnumerable<InspectedTensor> tensors)
    {
        InspectedTensor[] all = [.. tensors.Where(tensor => tensor.Shape.Count == 2 && IsFloat(tensor.Type) && !IsEmbedding(tensor.Name))];
        InspectedTensor[] withHead = [.. all.Where(tensor =>
            tensor.Elements > 0 && tensor.Shape[1] is <= int.MaxValue and long columns && columns % StoredBlocks.PairColumns == 0)];
        return new LinearMatrices(Names(all), Names(withHead.Where(tensor => !IsHead(tensor.Name))), Names(withHead));
    }

    private static HashSet<string> Names(IEnumerable<InspectedTensor> tensors) => [.. tensors.Select(tensor => tensor.Name)];

    private static bool IsFloat(ElementType type) => type is ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64;

    private static bool IsEmbedding(string name) =>
        name.Contains("embeddings.", StringComparison.Ordinal)
        || name.EndsWith("wte.weight", StringComparison.Ordinal) || name.EndsWith("wpe.weight", StringComparison.Ordinal);

    private static bool IsHead(string name) =>
        name.EndsWith("lm_head.weight", StringComparison.Ordinal) || name.EndsWith(".decoder.weight", StringComparison.Ordinal);
}

/// <summary>What a model's weights take with the matrices of its linear layers in one format; embeddings, LayerNorms and biases stay as they are
/// stored.</summary>
/// <param name="Format">F32, F16, BF16, Int8 or Int4.</param>
/// <param name="Bytes">Of all weights together; in Int8 and Int4 what <see cref="LoadOptions.WeightFormat"/> makes of them. The head over the vocabulary and
/// matrices that cannot be quantized stay as they are stored there.</param>
public sealed record MemoryEstimate(string Format, long Bytes)
{
    private static readonly WeightType[] Formats = [WeightType.F32, WeightType.F16, WeightType.BF16, WeightType.Int8, WeightType.Int4];

    /// <summary>The same with <see cref="LoadOptions.QuantizeHead"/>, which is more where the head is tied to the embeddings; null where that changes nothing:
    /// there is no head over the vocabulary, or the format is not Int8 or Int4.</summary>
    public long? BytesWithHead { get; private init; }

    /// <summary>The estimates for all formats; of a quantized checkpoint for its own, in which alone it can be loaded.</summary>
    /// <param name="tensors">All tensors of the checkpoint.</param>
    /// <param name="linear">Which of them are matrices of linear layers; null where there is no model to ask.</param>
    internal static IReadOnlyList<MemoryEstimate> Of(IEnumerable<InspectedTensor> tensors, LinearMatrices? linear)
    {
        InspectedTensor[] parameters = [.. tensors.Where(tensor => tensor.IsParameter)];
        if (parameters.Select(tensor => tensor.BlockType).FirstOrDefault(type => type is not null) is WeightType blocks)
            return [new MemoryEstimate($"{blocks}", parameters.Sum(tensor => tensor.Bytes))];
        linear ??= LinearMatrices.Guess(parameters);
        return [.. Formats.Select(format => In(format, parameters, linear))];
    }

    private static MemoryEstimate In(WeightType format, InspectedTensor[] parameters, LinearMatrices linear)
    {
        if (!WeightMatrix.IsBlocked(format))
            return new MemoryEstimate($"{format}", BytesWith(linear.All, tensor => tensor.Elements * WeightMatrix.ElementSize(format)));
        long bytes = BytesWith(linear.Quantized, InBlocks);
        long withHead = BytesWith(linear.QuantizedWithHead, InBlocks) + parameters.Where(tensor => tensor.Name == linear.TiedHead).Sum(InBlocks);
        return new MemoryEstimate($"{format}", bytes) { BytesWithHead = withHead == bytes ? null : withHead };

        // Rows are whole pairs of blocks, whichever axis they are.
        long InBlocks(InspectedTensor matrix) => matrix.Elements / Blocks.Pair * WeightMatrix.BytesOfRow(format, Blocks.Pair);
        long BytesWith(IReadOnlyCollection<string> matrices, Func<InspectedTensor, long> size) =>
            parameters.Sum(tensor => matrices.Contains(tensor.Name) ? size(tensor) : tensor.Bytes);
    }
}
