namespace ManagedTransformers.Models;

/// <summary>Makes models: from a checkpoint directory, from bytes, or from a configuration with random weights.</summary>
/// <remarks>transformers' AutoModel classes and from_pretrained.</remarks>
public static class PretrainedModels
{
    /// <summary>The classes that can be loaded, under transformers' names.</summary>
    public static IReadOnlyCollection<string> SupportedArchitectures => ModelFamilies.Architectures;

    /// <summary>Opens a checkpoint directory as the class that its config.json names (architectures); with a warning as the family's class without a head,
    /// where nothing but tensors of the head is missing, as in files of sentence models.</summary>
    /// <param name="directory">A directory with config.json and model.safetensors or pytorch_model.bin, or shards of either with their index.</param>
    /// <param name="options">Kernel level, threads, strictness.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="ConfigException">config.json is missing, broken, impossible, or names what this runtime does not have.</exception>
    /// <exception cref="CheckpointException">A weight file is missing or broken, or the tensors are not those of the architecture.</exception>
    public static PretrainedModel Load(string directory, LoadOptions? options = null) => Open(directory, typeof(PretrainedModel), options);

    /// <summary>Opens a checkpoint directory as a given class: the body of a masked-LM checkpoint as RobertaModel, for example.</summary>
    /// <typeparam name="T">
    /// The model class; or a task such as <see cref="ICausalLM"/>, which the class that config.json names must do; or <see cref="IBaseModel"/> for the
    /// family's class without a head.
    /// </typeparam>
    /// <param name="directory">A directory with config.json and model.safetensors or pytorch_model.bin, or shards of either with their index.</param>
    /// <param name="options">Kernel level, threads, strictness.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="ConfigException">config.json is missing, broken, impossible, or of another family.</exception>
    /// <exception cref="CheckpointException">A weight file is missing or broken, or the tensors are not those of the architecture.</exception>
    public static T Load<T>(string directory, LoadOptions? options = null) where T : class, IPretrainedModel => (T)(object)Open(directory, typeof(T), options);

    /// <summary>Makes a model from files in memory, without a file system.</summary>
    /// <param name="files">config.json and the weight files by name.</param>
    /// <param name="options">Kernel level, threads, strictness.</param>
    /// <exception cref="ConfigException">config.json is missing, broken, impossible, or names what this runtime does not have.</exception>
    /// <exception cref="CheckpointException">A weight file is missing or broken, or the tensors are not those of the architecture.</exception>
    public static PretrainedModel FromBytes(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, LoadOptions? options = null) =>
        Open(files, typeof(PretrainedModel), options);

    /// <summary>Makes a model of a given class from files in memory, without a file system.</summary>
    /// <typeparam name="T">
    /// The model class; or a task such as <see cref="ICausalLM"/>, which the class that config.json names must do; or <see cref="IBaseModel"/> for the
    /// family's class without a head.
    /// </typeparam>
    /// <param name="files">config.json and the weight files by name.</param>
    /// <param name="options">Kernel level, threads, strictness.</param>
    /// <exception cref="ConfigException">config.json is missing, broken, impossible, or of another family.</exception>
    /// <exception cref="CheckpointException">A weight file is missing or broken, or the tensors are not those of the architecture.</exception>
    public static T FromBytes<T>(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, LoadOptions? options = null) where T : class, IPretrainedModel =>
        (T)(object)Open(files, typeof(T), options);

    /// <summary>Makes a model with random weights from a configuration, as transformers' <c>Model(config)</c> does.</summary>
    /// <typeparam name="T">A task such as <see cref="ICausalLM"/>: the first class of the configuration's family that does it; or a class of that
    /// family.</typeparam>
    /// <param name="config">The configuration; initializer_range is the standard deviation of the weights.</param>
    /// <param name="seed">Same seed, same weights.</param>
    /// <param name="options">Kernel level and threads.</param>
    /// <exception cref="ConfigException">The configuration is impossible or of another family.</exception>
    public static T FromConfig<T>(PretrainedConfig config, int seed = 0, LoadOptions? options = null) where T : class, IPretrainedModel
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        var source = new ModelSource(ModelWeights.Random(config, seed, options ?? LoadOptions.Default), options ?? LoadOptions.Default, checkpoint: null);
        string architecture = typeof(T).IsAbstract
            ? ModelFamilies.Of(config).Classes.FirstOrDefault(typeof(T).IsAssignableFrom)?.Name ?? throw new ConfigException($"The family " +
                $"{config.ModelType} has no {typeof(T).Name}.")
            : typeof(T).Name;
        PretrainedModel model = FamilyOf(architecture).Build(architecture, config, source);
        source.Weights.Finish(architecture, source.Options.Strict);
        return (T)(object)model;
    }

    /// <summary>What loading a directory would do with each tensor of its checkpoint, without making any weight.</summary>
    /// <exception cref="ConfigException">config.json is missing, broken, impossible, or names what this runtime does not have.</exception>
    /// <exception cref="CheckpointException">The tensors are not those of the architecture; more of them than it has do no harm.</exception>
    internal static ModelWeights Plan(string directory, Checkpoint checkpoint, LoadOptions options)
    {
        string path = ConfigJson.PathIn(directory);
        PretrainedConfig config = ConfigJson.Parse(ConfigJson.ReadFile(directory).Span, path);
        string architecture = ArchitectureOf(config, path);
        try
        {
            return Plan(architecture);
        }
        catch (CheckpointException e) when (BodyOf(architecture, config, e) is string body)
        {
            return Plan(body);
        }

        ModelWeights Plan(string architecture)
        {
            var weights = ModelWeights.Plan(checkpoint, config, options);
            FamilyOf(architecture).Build(architecture, config, new ModelSource(weights, options, checkpoint: null)).Dispose();
            weights.Finish(architecture, strict: false);
            return weights;
        }
    }

    private static PretrainedModel Open(string directory, Type wanted, LoadOptions? options)
    {
        directory = MissingDirectory.Require(directory);
        options ??= LoadOptions.Default;
        try
        {
            string path = ConfigJson.PathIn(directory);
            PretrainedConfig config = ConfigJson.Parse(ConfigJson.ReadFile(directory).Span, path);
            string architecture = ClassOf(wanted, config, path);
            if (options.SkipWeights)
                return WithoutWeights(config, architecture, options);
            return Build(config, architecture, wanted, Checkpoint.OpenDirectory(directory, options.MapWeights), options);
        }
        catch (ManagedTransformersException e) when (e.IsOf(directory))
        {
            throw;
        }
    }

    private static PretrainedModel Open(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, Type wanted, LoadOptions? options)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (!files.TryGetValue(ConfigJson.FileName, out ReadOnlyMemory<byte> json))
            throw new ConfigException($"config.json is not among the {files.Count} files given; it is needed to know the architecture.");
        PretrainedConfig config = ConfigJson.Parse(json.Span);
        string architecture = ClassOf(wanted, config, ConfigJson.FileName);
        options ??= LoadOptions.Default;
        return options.SkipWeights ? WithoutWeights(config, architecture, options) : Build(config, architecture, wanted, Checkpoint.FromBytes(files), options);
    }

    private static PretrainedModel WithoutWeights(PretrainedConfig config, string architecture, LoadOptions options) =>
        FamilyOf(architecture).Build(architecture, config, new ModelSource(ModelWeights.Meta(config, options), options, checkpoint: null));

    private static PretrainedModel Build(PretrainedConfig config, string architecture, Type wanted, Checkpoint checkpoint, LoadOptions options)
    {
        try
        {
            try
            {
                return Build(config, architecture, checkpoint, options, warning: null);
            }
            catch (CheckpointException e) when (wanted == typeof(PretrainedModel) && !options.Strict && BodyOf(architecture, config, e) is not null)
            {
                // Sentence models are saved so: all-mpnet-base-v2 names MPNetForMaskedLM and has no lm_head.
                string body = BodyOf(architecture, config, e)!;
                return Build(config, body, checkpoint, options, $"{ConfigJson.FileName} names {architecture}, but the files lack tensors of its head " +
                    $"({string.Join(", ", e.MissingTensors)}): the checkpoint is opened as {body}, without a head.");
            }
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    private static PretrainedModel Build(PretrainedConfig config, string architecture, Checkpoint checkpoint, LoadOptions options, string? warning)
    {
        var source = new ModelSource(ModelWeights.From(checkpoint, config, options), options, checkpoint);
        PretrainedModel model = FamilyOf(architecture).Build(architecture, config, source);
        source.Weights.Finish(architecture, options.Strict, warning);
        return model;
    }

    /// <summary>The class without a head, where all that a class lacks is its head; else null.</summary>
    private static string? BodyOf(string architecture, PretrainedConfig config, CheckpointException lacking)
    {
        ModelFamily family = ModelFamilies.Of(config);
        bool headAlone = lacking.MissingTensors.Count > 0
            && lacking.MissingTensors.All(name => !name.StartsWith($"{family.BaseModelPrefix}.", StringComparison.Ordinal));
        return headAlone && family.BaseModel?.Name is string body && body != architecture ? body : null;
    }

    /// <summary>The class to build where a class, a task, the base model or just a model is wanted.</summary>
    private static string ClassOf(Type wanted, PretrainedConfig config, string file)
    {
        if (wanted == typeof(IBaseModel))
            return ModelFamilies.Of(config).BaseModel?.Name ?? throw new ConfigException($"{file}: the family {config.ModelType} has no class without a head.");
        if (!wanted.IsAbstract)
        {
            string needed = FamilyOf(wanted.Name).ModelType;
            return needed == config.ModelType ? wanted.Name : throw new ConfigException($"{file} has model_type {config.ModelType}; {needed} is needed for " +
                $"{wanted.Name}. Load the class of this checkpoint, such as {ModelFamilies.Of(config).Classes[0].Name}.");
        }
        string architecture = ArchitectureOf(config, file);
        return FamilyOf(architecture).Classes.Any(type => type.Name == architecture && wanted.IsAssignableFrom(type))
            ? architecture
            : throw new ConfigException($"{file}: {architecture} is no {wanted.Name}; {ModelFamilies.NamesOfTask(wanted)} is needed (architectures).");
    }

    private static string ArchitectureOf(PretrainedConfig config, string file)
    {
        if (config.Architectures.Count == 0)
            throw new ConfigException($"{file} names no architectures, so it does not say which head the checkpoint has. Name it there (one of " +
                $"{string.Join(", ", ModelFamilies.Architectures)}), or load the checkpoint for a task, such as PretrainedModels.Load<IBaseModel>.");
        return config.Architectures.FirstOrDefault(name => ModelFamilies.Find(name) is not null)
            ?? throw new ConfigException($"{file}: architectures is [{string.Join(", ", config.Architectures)}]; this runtime has " +
                $"{string.Join(", ", ModelFamilies.Architectures)}.");
    }

    private static ModelFamily FamilyOf(string architecture) => ModelFamilies.Find(architecture)
        ?? throw new ConfigException($"{architecture} is not a class that can be loaded; there are {string.Join(", ", ModelFamilies.Architectures)}.");
}
