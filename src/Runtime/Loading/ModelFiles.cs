using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;


/// <summary>Where a pipeline comes from: a checkpoint directory, or its files in memory by name.</summary>
internal abstract class ModelFiles
{
    private readonly CheckpointSource _source;

    private ModelFiles(CheckpointSource source)
    {
        _source = source;
    }

    /// <summary>A directory on disk; nothing outside it is read.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    public static ModelFiles In(string directory) => new OnDisk(MissingDirectory.Require(directory));

    /// <summary>Files in memory; no file system is used.</summary>
    public static ModelFiles Of(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return new InMemory(files);
    }

    /// <summary>What the checkpoint is called: <c>org/name</c> of a snapshot in the hub's cache, else the directory's name; null where there is none.</summary>
    public virtual string? Name => null;

    /// <summary>Its absolute path; null: it is in memory.</summary>
    public virtual string? Place => null;

    /// <summary>A small file beside the weights, such as generation_config.json; null where there is none.</summary>
    /// <param name="file">Its path below the directory, with slashes.</param>
    /// <exception cref="CheckpointException">The file lies outside the directory, or cannot be read.</exception>
    public ReadOnlyMemory<byte>? Find(string file) => _source.Contains(file) ? _source.ReadWhole(file) : default(ReadOnlyMemory<byte>?);

    /// <summary>Opens the model as the class that config.json names.</summary>
    public abstract PretrainedModel LoadModel(LoadOptions options);

    /// <summary>Opens the model as a given class.</summary>
    public abstract T LoadModel<T>(LoadOptions options) where T : class, IPretrainedModel;

    /// <summary>Opens the model without its head, which is what features are read from.</summary>
    /// <exception cref="ConfigException">config.json is missing or broken.</exception>
    public PretrainedModel LoadBody(LoadOptions options) => (PretrainedModel)LoadModel<IBaseModel>(options);

    /// <summary>Opens the weights alone, without a model: those of a module of sentence-transformers.</summary>
    /// <exception cref="CheckpointException">There are none, or they are broken.</exception>
    public abstract Checkpoint OpenCheckpoint();

    /// <summary>Reads the tokenizer.</summary>
    public abstract Tokenizer LoadTokenizer(TokenizerLoadOptions? options);

    /// <summary>The files of a folder below this one, as sentence-transformers' older layout has the model in <c>0_Transformer</c>.</summary>
    /// <exception cref="CheckpointException">The folder lies outside the directory.</exception>
    public abstract ModelFiles Folder(string path);

    /// <summary>Loads model and tokenizer and makes a pipeline of them, which then owns the model; on failure nothing stays open.</summary>
    public T Open<T>(PipelineOptions? options, Func<LoadOptions, PretrainedModel> loadModel, Func<PretrainedModel, Tokenizer, T> create) where T : Pipeline
    {
        options ??= PipelineOptions.Default;
        PretrainedModel? model = null;
        try
        {
            Tokenizer tokenizer = LoadTokenizer(WithFamilies(options.Tokenizer));
            model = loadModel(options.Load);
            T pipeline = create(model, tokenizer);
            pipeline.ComesFrom(this, options.ModelId);
            return pipeline;
        }
        catch (Exception e)
        {
            model?.Dispose();
            (e as ManagedTransformersException)?.IsOf(Place);
            throw;
        }
    }

    /// <summary>What families say of their own tokenizer classes, where the caller does not say otherwise.</summary>
    private static TokenizerLoadOptions WithFamilies(TokenizerLoadOptions? options)
    {
        options ??= new TokenizerLoadOptions();
        Dictionary<string, string> aliases = AliasesOf(ModelFamilies.All);
        foreach ((string name, string known) in options.ClassAliases)
            aliases[name] = known;
        return options with { ClassAliases = aliases };
    }

    /// <summary>The tokenizer classes of some families, each with the known one that it is.</summary>
    /// <exception cref="TokenizerException">A family says of a known class that it is another, or names one that is not there.</exception>
    internal static Dictionary<string, string> AliasesOf(IEnumerable<ModelFamily> families)
    {
        var aliases = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (ModelFamily family in families)
        {
            foreach ((string name, string known) in family.TokenizerClasses)
            {
                if (TokenizerClass.AliasProblem(name, known) is string problem)
                    throw new TokenizerException($"The family {family.ModelType} says that {name} is a {known} (TokenizerClasses), but {problem}");
                aliases[name] = known;
            }
        }
        return aliases;
    }

    private sealed class OnDisk(string directory) : ModelFiles(new DirectorySource(directory))
    {
        public override string? Place => directory;

        public override string? Name => DirectoryRoots.HubName(directory) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(directory));

        public override PretrainedModel LoadModel(LoadOptions options) => PretrainedModels.Load(directory, options);

        public override T LoadModel<T>(LoadOptions options) => PretrainedModels.Load<T>(directory, options);

        public override Checkpoint OpenCheckpoint() => Checkpoint.Open(directory);

        public override Tokenizer LoadTokenizer(TokenizerLoadOptions? options) => Tokenizer.Load(directory, options);

        public override ModelFiles Folder(string path)
        {
            string folder = Path.Combine(directory, path);
            if (!RealPath.IsInside(RealPath.Of(folder), RealPath.Of(directory)))
                throw new CheckpointException($"The folder \"{path}\" that modules.json names lies outside {directory}. Nothing is read from there: " +
                    "modules are folders of the checkpoint itself.");
            return In(folder);
        }
    }

    private sealed class InMemory(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files) : ModelFiles(new BytesSource(files))
    {
        public override PretrainedModel LoadModel(LoadOptions options) => PretrainedModels.FromBytes(files, options);

        public override T LoadModel<T>(LoadOptions options) => PretrainedModels.FromBytes<T>(files, options);

        public override Checkpoint OpenCheckpoint() => Checkpoint.FromBytes(files);

        public override Tokenizer LoadTokenizer(TokenizerLoadOptions? options) => Tokenizer.FromFiles(files, options);

        public override ModelFiles Folder(string path)
        {
            string prefix = path.TrimEnd('/') + "/";
            return Of(files
                .Where(file => file.Key.StartsWith(prefix, StringComparison.Ordinal))
                .ToDictionary(file => file.Key[prefix.Length..], file => file.Value));
        }
    }
}

/// <summary>The small JSON files beside a checkpoint's weights.</summary>
internal static class SmallJson
{
    /// <summary>Parses a file whose top must be of a kind.</summary>
    /// <exception cref="ConfigException">The JSON is broken, or its top is something else.</exception>
    public static JsonDocument Parse(string file, ReadOnlyMemory<byte> json, JsonValueKind top)
    {
        JsonDocument document = JsonText.Parse(file, json, ConfigException.Of);
        if (document.RootElement.ValueKind == top)
            return document;
        JsonValueKind found = document.RootElement.ValueKind;
        document.Dispose();
        throw new ConfigException($"{file} is a JSON {found}; a JSON {top} is needed.");
    }
}
