namespace ManagedTransformers;

/// <summary>Reads the files of sentence-transformers' modules, and collects what of them is not honoured.</summary>
internal sealed class ModuleReader(ModelFiles files)
{
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>The config.json of a module's folder.</summary>
    public static string ConfigIn(string path) => path.Length == 0 ? ConfigJson.FileName : $"{path.TrimEnd('/')}/{ConfigJson.FileName}";

    public void Warn(string warning) => _warnings.Add(warning);

    /// <summary>Reads a file that must be there.</summary>
    /// <exception cref="ConfigException">It is missing, or wrong.</exception>
    public T Json<T>(string file, Func<ModuleJson, T> read)
    {
        ReadOnlyMemory<byte> bytes = files.Find(file)
            ?? throw new ConfigException($"modules.json names {file}, which is missing. Download it with the checkpoint.");
        using var json = new ModuleJson(file, bytes);
        T result = read(json);
        if (json.Unread() is string warning)
            _warnings.Add(warning);
        return result;
    }

    /// <summary>A Dense module: its config.json and weights.</summary>
    /// <exception cref="ConfigException">The file is wrong, or names an activation that this runtime does not have.</exception>
    /// <exception cref="CheckpointException">The weights are missing, broken, or of other sizes.</exception>
    public SentenceLayer Dense(string path) => Json<SentenceLayer>(ConfigIn(path), json =>
    {
        RequireSentence(json);
        (int inFeatures, int outFeatures) = (Needed(json, "in_features"), Needed(json, "out_features"));
        bool hasBias = json.Flag("bias", otherwise: true), hasResidual = json.Flag("use_residual", otherwise: false);
        ActivationFunction activation = ReadActivation(json);
        using var tensors = new ModuleTensors(files, path, _warnings);
        float[] weight = tensors.Take("linear.weight", outFeatures, inFeatures), bias = hasBias ? tensors.Take("linear.bias", outFeatures) : [];
        float[]? residual = !hasResidual ? null : inFeatures == outFeatures ? [] : tensors.Take("residual.weight", outFeatures, inFeatures);
        return new DenseLayer(json.File, weight, bias, activation, residual, inFeatures, outFeatures);
    });

    /// <summary>A LayerNorm module: its config.json and weights.</summary>
    /// <inheritdoc cref="Dense" path="/exception"/>
    public SentenceLayer LayerNorm(string path) => Json<SentenceLayer>(ConfigIn(path), json =>
    {
        int dimension = Needed(json, "dimension");
        using var tensors = new ModuleTensors(files, path, _warnings);
        return new LayerNormLayer(json.File, tensors.Take("norm.weight", dimension), tensors.Take("norm.bias", dimension));
    });

    /// <summary>Since 5.4 a Normalize module may have a file, which must say what it means without one.</summary>
    /// <exception cref="ConfigException">It normalises something else.</exception>
    public void CheckNormalize(string path)
    {
        if (path.Length > 0 && files.Find(ConfigIn(path)) is not null)
            Json(ConfigIn(path), json => { RequireSentence(json); return true; });
    }

    private static void RequireSentence(ModuleJson json)
    {
        json.Require("module_input_name", "sentence_embedding");
        json.Require("module_output_name", "sentence_embedding");
    }

    private static int Needed(ModuleJson json, string key) =>
        json.Size(key) ?? throw new ConfigException($"{json.File}: {key} is missing; a positive number is needed.");

    private static ActivationFunction ReadActivation(ModuleJson json) => json.Text("activation_function") switch
    {
        null or "torch.nn.modules.activation.Tanh" => ActivationFunction.Tanh,              // Dense's default
        "torch.nn.modules.linear.Identity" => ActivationFunction.None,
        "torch.nn.modules.activation.GELU" => ActivationFunction.Gelu,
        "torch.nn.modules.activation.ReLU" => ActivationFunction.Relu,
        "torch.nn.modules.activation.SiLU" => ActivationFunction.Silu,
        "torch.nn.modules.activation.Sigmoid" => ActivationFunction.Sigmoid,
        string other => throw new ConfigException($"{json.File}: activation_function is {other}, which this runtime does not have; " +
            "there are torch.nn.modules.activation.Tanh, GELU, ReLU, SiLU and Sigmoid, and torch.nn.modules.linear.Identity."),
    };
}

/// <summary>The weights of a module, in its folder.</summary>
internal sealed class ModuleTensors : IDisposable
{
    private readonly string _path;
    private readonly Checkpoint _checkpoint;
    private readonly List<string> _warnings;
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    public ModuleTensors(ModelFiles files, string path, List<string> warnings)
    {
        (_path, _warnings) = (path, warnings);
        _checkpoint = (path.Length == 0 ? files : files.Folder(path)).OpenCheckpoint();
    }

    /// <summary>A tensor as float32.</summary>
    /// <exception cref="CheckpointException">It is missing, or of another type or shape.</exception>
    public float[] Take(string name, params long[] shape)
    {
        string needed = $"{_path}/{ConfigJson.FileName} needs it as {TensorEntry.Describe(shape)}";
        if (!_checkpoint.Weights.TryGetValue(name, out Weight? weight))
            throw new CheckpointException($"{name} is missing in {_path}; {needed}.") { TensorName = name };
        if (!weight.Shape.SequenceEqual(shape) || weight.Type is not (ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64))
        {
            throw new CheckpointException($"{name} in {_path}/{weight.File} is {weight.Type} {weight.ShapeText}; {needed} of F32, F16, BF16 or F64.")
            {
                TensorName = name,
                FileName = weight.File,
            };
        }
        _taken.Add(name);
        return weight.ToSingle();
    }

    public void Dispose()
    {
        string[] left = [.. _checkpoint.Weights.Keys.Where(name => !_taken.Contains(name))];
        if (left.Length > 0)
            _warnings.Add($"{_path} has tensors that the module does not know and does not use: {string.Join(", ", left)}.");
        _checkpoint.Dispose();
    }
}
