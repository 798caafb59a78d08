namespace ManagedTransformers.Serving;

/// <summary>What a model can do.</summary>
[Flags]
public enum ModelTasks
{
    /// <summary>Nothing that is served.</summary>
    None = 0,

    /// <summary>Goes on with a text: <see cref="ModelLease.Generation"/>.</summary>
    Generation = 1,

    /// <summary>Writes what stands between two texts.</summary>
    Infill = 2,

    /// <summary>Fills masks: <see cref="EncoderEngine.FillMaskAsync"/>.</summary>
    FillMask = 4,

    /// <summary>Classifies texts.</summary>
    TextClassification = 8,

    /// <summary>Labels spans: <see cref="EncoderEngine.TagAsync"/>.</summary>
    TokenClassification = 16,

    /// <summary>Gives a vector for a text: <see cref="EncoderEngine.EmbedAsync"/>.</summary>
    Embedding = 32,

    /// <summary>Gives a vector for each token: <see cref="EncoderEngine.ExtractAsync"/>.</summary>
    FeatureExtraction = 64,

    /// <summary>Orders documents for a query: <see cref="EncoderEngine.RerankAsync"/>.</summary>
    Rerank = 128,
}

/// <summary>What a checkpoint's files say before it is loaded.</summary>
/// <param name="Tasks">What it can do.</param>
/// <param name="WeightBytes">Bytes of its weight files.</param>
internal sealed record CheckpointSummary(ModelTasks Tasks, long WeightBytes)
{
    /// <exception cref="ManagedTransformersException">config.json is missing, broken, or names what this runtime does not have.</exception>
    public static CheckpointSummary Read(string directory)
    {
        bool isOfSentences = File.Exists(Path.Combine(directory, "modules.json"));
        // Older ones of these have config.json in a folder; and cross-encoders, which are classifiers, may have modules.json as well.
        ModelTasks tasks = isOfSentences && !File.Exists(ConfigJson.PathIn(directory)) ? ModelTasks.None : OfConfig(directory);
        if (isOfSentences && !tasks.HasFlag(ModelTasks.TextClassification))
            tasks = ModelTasks.Embedding | ModelTasks.FeatureExtraction;
        return new CheckpointSummary(tasks, WeightBytesOf(directory));
    }

    public static PretrainedConfig ReadConfig(string directory) => ConfigJson.Parse(ConfigJson.ReadFile(directory).Span, ConfigJson.PathIn(directory));

    private static ModelTasks OfConfig(string directory)
    {
        string path = ConfigJson.PathIn(directory);
        PretrainedConfig config = ReadConfig(directory);
        string architecture = config.Architectures.Count > 0 ? config.Architectures[0] : throw new ConfigException(
            $"{path} names no architectures, so it does not say what the model can do. Name its class there, such as RobertaForMaskedLM.");
        Type type = ModelFamilies.Find(architecture)?.Classes.First(one => one.Name == architecture) ?? throw new ConfigException(
            $"{path} names the architecture {architecture}, which is unknown; the nearest are {NearestNames.Of(architecture, ModelFamilies.Architectures)}.");
        return Of(type, config) | (Is<ICausalLM>(type) && HasInfill(directory, config) ? ModelTasks.Infill : ModelTasks.None);
    }

    private static ModelTasks Of(Type type, PretrainedConfig config) =>
        Is<ICausalLM>(type) ? ModelTasks.Generation
        : Is<IMaskedLM>(type) ? ModelTasks.FillMask | ModelTasks.Embedding | ModelTasks.FeatureExtraction
        : Is<ISequenceClassifier>(type) ? ModelTasks.TextClassification | (config.NumLabels == 1 ? ModelTasks.Rerank : ModelTasks.None)
        : Is<ITokenClassifier>(type) ? ModelTasks.TokenClassification
        : Is<IBaseModel>(type) ? ModelTasks.Embedding | ModelTasks.FeatureExtraction
        : ModelTasks.None;

    private static bool Is<T>(Type type) => typeof(T).IsAssignableFrom(type);

    private static bool HasInfill(string directory, PretrainedConfig config)
    {
        try
        {
            _ = new InfillFormat(ModelFiles.In(directory).LoadTokenizer(null), config.ModelType);
            return true;
        }
        catch (ManagedTransformersException)            // it has not the tokens; what is wrong with a tokenizer is said when the model is loaded
        {
            return false;
        }
    }

    /// <summary>Of weights that are there twice, those that are read: safetensors.</summary>
    private static long WeightBytesOf(string directory)
    {
        var folders = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, AttributesToSkip = FileAttributes.None };
        string[] Files(string pattern) => Directory.GetFiles(directory, pattern, folders);
        string[] files = Files("*.safetensors");
        return (files.Length > 0 ? files : Files("pytorch_model*.bin")).Sum(LengthOf);
    }

    // A snapshot of the hub's cache has links.
    private static long LengthOf(string path) =>
        new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : new FileInfo(path).Length;
}
