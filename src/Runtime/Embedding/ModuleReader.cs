namespace ManagedTransformers;


/// <summary>Reads the files of sentence-transformers' modules, and collects what of them is not honoured.</summary>
internal sealed class ModuleReader(ModelFiles files)
{
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>The config.json of a module's folder.</summary>
    public static string ConfigIn(string path) => path.Length == 0 ? ConfigJson.FileName : $"{path.TrimEnd('/')}/{ConfigJson.FileName}";

    public void Warn(string warning) => _warnings.Add(warning);

    /// <summary>Tells a caller what of the files is not honoured.</summary>
    /// <exception cref="ConfigException">There is something, and loading is strict.</exception>
    public static void Report(IReadOnlyList<string> warnings, LoadOptions options)
    {
        if (options.Strict && warnings.Count > 0)
            throw new ConfigException($"{string.Join(" ", warnings)} LoadOptions.Strict (--strict) refuses that.");
        foreach (string warning in warnings)
            options.OnWarning?.Invoke(warning);
    }

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

/// <summary>A JSON object in a file of sentence-transformers. It remembers which keys were asked for, so that what nobody honours is told by name and never
/// ignored.</summary>
internal sealed class ModuleJson : IDisposable
{
    private readonly JsonDocument _document;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    /// <param name="file">Its path below the checkpoint, for messages.</param>
    /// <param name="json">What it holds.</param>
    /// <exception cref="ConfigException">It is no JSON object.</exception>
    public ModuleJson(string file, ReadOnlyMemory<byte> json)
    {
        File = file;
        _document = SmallJson.Parse(file, json, JsonValueKind.Object);
    }

    /// <summary>Its path below the checkpoint.</summary>
    public string File { get; }

    /// <summary>A value; null where the key is not there, or its value is null.</summary>
    public JsonElement? Find(string key)
    {
        _asked.Add(key);
        return _document.RootElement.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <exception cref="ConfigException">The value is no text.</exception>
    public string? Text(string key) => Find(key) is not JsonElement value ? null : TextOf(value) ?? throw Unexpected(key, value, "a text");

    /// <exception cref="ConfigException">The value is neither true nor false.</exception>
    public bool Flag(string key, bool otherwise) => Find(key) is not JsonElement value ? otherwise : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Unexpected(key, value, "true or false"),
    };

    /// <exception cref="ConfigException">The value is no whole number above 0.</exception>
    public int? Size(string key) => Find(key) is not JsonElement value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) && size > 0 ? size
        : throw Unexpected(key, value, "a positive number or null");

    /// <exception cref="ConfigException">The value is there, and is another.</exception>
    public void Require(string key, string needed)
    {
        if (Find(key) is JsonElement value && TextOf(value) != needed)
            throw new ConfigException($"{File}: {key} is {value.GetRawText()}; this runtime has {needed} only. The embeddings would not be the model's.");
    }

    /// <summary>The texts of an object by key; null values are left out.</summary>
    /// <exception cref="ConfigException">The value is no such object.</exception>
    public IReadOnlyDictionary<string, string> Texts(string key)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Find(key) is not JsonElement value)
            return texts;
        if (value.ValueKind != JsonValueKind.Object)
            throw Unexpected(key, value, "an object of texts");
        foreach (JsonProperty property in value.EnumerateObject().Where(property => property.Value.ValueKind != JsonValueKind.Null))
            texts[property.Name] = TextOf(property.Value) ?? throw Unexpected($"{key}.{property.Name}", property.Value, "a text");
        return texts;
    }

    /// <summary>The error of a value that is none of what its key can have.</summary>
    public ConfigException Unexpected(string key, JsonElement value, string needed) => new($"{File}: {key} is {value.GetRawText()}; {needed} is needed.");

    /// <summary>What says that there are keys that nobody asked for, with values that mean something; null: there are none.</summary>
    public string? Unread()
    {
        string[] keys = [.. _document.RootElement.EnumerateObject()
            .Where(property => !_asked.Contains(property.Name) && Says(property.Value))
            .Select(property => property.Name)];
        return keys.Length == 0 ? null : $"{File}: {string.Join(", ", keys)} {(keys.Length == 1 ? "is" : "are")} not known here and not used.";
    }

    /// <summary>The keys of the object, in its order.</summary>
    public IEnumerable<string> Keys => _document.RootElement.EnumerateObject().Select(property => property.Name);

    public void Dispose() => _document.Dispose();

    /// <summary>A value that is a text.</summary>
    public static string? TextOf(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool Says(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => false,
        JsonValueKind.Object => value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() > 0,
        _ => true,
    };
}
