using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace ManagedTransformers.Extensions.AI;

/// <summary>A model as a configuration names it.</summary>
/// <param name="Name">Its service key.</param>
/// <param name="Path">Its directory.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="Options">How it is held.</param>
internal sealed record ConfiguredModel(string Name, string Path, PipelineKind Kind, HostedModelOptions Options);

/// <summary>Reads models from a configuration. Written out, so that it runs trimmed and ahead-of-time compiled, and every wrong key is named with its
/// path.</summary>
internal sealed class ModelConfiguration(List<string> errors)
{
    private readonly List<string> _errors = errors;

    /// <exception cref="OptionsValidationException">A key is unknown or missing, or a value is none; the message has all of them, with their paths.</exception>
    public static IReadOnlyList<ConfiguredModel> Read(IConfiguration configuration)
    {
        var reader = new ModelConfiguration([]);
        IReadOnlyList<ConfiguredModel> models = reader.Models(configuration);
        return reader._errors.Count == 0 ? models
            : throw new OptionsValidationException("ManagedTransformers", typeof(HostedModelOptions), reader._errors);
    }

    /// <summary>Options that an app reads for itself.</summary>
    /// <exception cref="OptionsValidationException">A key is unknown, or a value is none; the message has all of them, with their paths.</exception>
    public static PipelineOptions ReadPipeline(IConfiguration configuration) => ReadAlone(configuration, (reader, keys) => reader.Pipeline(keys));

    /// <inheritdoc cref="ReadPipeline"/>
    public static EmbeddingOptions ReadEmbedding(IConfiguration configuration) => ReadAlone(configuration, (reader, keys) => reader.Embedding(keys));

    private static T ReadAlone<T>(IConfiguration configuration, Func<ModelConfiguration, ConfigurationKeys, T> read)
    {
        var reader = new ModelConfiguration([]);
        var keys = new ConfigurationKeys(configuration, reader._errors);
        T options = read(reader, keys);
        keys.RefuseOthers();
        return reader._errors.Count == 0 ? options : throw new OptionsValidationException("ManagedTransformers", typeof(T), reader._errors);
    }

    private List<ConfiguredModel> Models(IConfiguration configuration)
    {
        var top = new ConfigurationKeys(configuration, _errors);
        var models = new List<ConfiguredModel>();
        if (top.Section("Models") is not IConfigurationSection list)
            _errors.Add($"{top.PathOf("Models")} is missing. It has one section per model, whose name is the model's service key.");
        else
        {
            if (list.Value is not null)
                _errors.Add($"{list.Path} is {ConfigurationKeys.Shown(list.Value)}; a section is needed, with one section per model, whose name is the " +
                    "model's service key.");
            foreach (IConfigurationSection one in list.GetChildren())
            {
                if (Model(one) is ConfiguredModel model)
                    models.Add(model);
            }
        }
        top.RefuseOthers();
        return models;
    }

    private ConfiguredModel? Model(IConfigurationSection section)
    {
        var keys = new ConfigurationKeys(section, _errors);
        string? path = keys.Text("Path"), task = keys.Text("Task");
        PipelineKind? kind = PipelineKind.All.FirstOrDefault(one => one.Task.Equals(task, StringComparison.OrdinalIgnoreCase));
        if (string.IsNullOrEmpty(path))
            _errors.Add($"{keys.PathOf("Path")} is missing; the directory of a checkpoint is needed.");
        if (kind is null)
            _errors.Add($"{keys.PathOf("Task")} is {ConfigurationKeys.Shown(task)}; one of {string.Join(", ", PipelineKind.All.Select(one => one.Task))} " +
                "is needed.");
        var defaults = new HostedModelOptions();
        var options = new HostedModelOptions
        {
            Pipeline = keys.Nested("Pipeline", Pipeline),
            Embedding = keys.Nested("Embedding", Embedding),
            WarmUp = keys.Enum<WarmUp>("WarmUp") ?? defaults.WarmUp,
            MaxConcurrency = keys.Count("MaxConcurrency"),
            MaxBatchSize = keys.Count("MaxBatchSize") ?? defaults.MaxBatchSize,
        };
        if (options.Embedding is not null && kind is not null && kind.Type != typeof(SentenceEmbeddingPipeline))
            _errors.Add($"{keys.PathOf("Embedding")} is for sentence-embedding; {section.Path} has the task {kind.Task}.");
        keys.RefuseOthers();
        return path is null || kind is null ? null : new ConfiguredModel(section.Key, path, kind, options);
    }

    public PipelineOptions Pipeline(ConfigurationKeys keys) => new()
    {
        Load = keys.Nested("Load", Load) ?? LoadOptions.Default, Tokenizer = keys.Nested("Tokenizer", Tokenizer),
        ModelId = keys.Name("ModelId"),
    };

    private LoadOptions Load(ConfigurationKeys keys) => LoadOptions.Default with
    {
        Kernels = keys.Nested("Kernels", Kernels) ?? KernelOptions.Default,
        Strict = keys.Flag("Strict") ?? false,
        WeightFormat = keys.Enum<WeightFormat>("WeightFormat") ?? default,
        QuantizeHead = keys.Flag("QuantizeHead") ?? false,
        MapWeights = keys.Flag("MapWeights") ?? true,
        WidenWeights = keys.Flag("WidenWeights") ?? LoadOptions.Default.WidenWeights,
    };

    private KernelOptions Kernels(ConfigurationKeys keys)
    {
        KernelOptions options = KernelOptions.Default;
        if (keys.Count("MaxThreads") is int threads)
            options = options with { MaxThreads = threads };
        if (keys.Enum<KernelLevel>("Level") is not KernelLevel level)
            return options;
        try
        {
            return options with { Level = level };
        }
        catch (PlatformNotSupportedException e)
        {
            _errors.Add($"{keys.PathOf("Level")}: {e.Message}");
            return options;
        }
    }

    private TokenizerLoadOptions Tokenizer(ConfigurationKeys keys) => new()
    {
        ModelType = keys.Name("ModelType"),
        IgnoreTokenizerJson = keys.Flag("IgnoreTokenizerJson") ?? false,
        ClassAliases = keys.Texts("ClassAliases"),
    };

    private EmbeddingOptions Embedding(ConfigurationKeys keys)
    {
        EmbeddingOptions options = EmbeddingOf(keys);
        if (options is { Prompt: not null, PromptName: not null })
            _errors.Add($"{keys.PathOf("Prompt")} and {keys.PathOf("PromptName")} are both set; one of them is needed.");
        return options;
    }

    private static EmbeddingOptions EmbeddingOf(ConfigurationKeys keys) => new()
    {
        Pooling = keys.Enums<Pooling>("Pooling"),
        Normalize = keys.Flag("Normalize"),
        PromptName = keys.Text("PromptName"),
        Prompt = keys.Text("Prompt"),
        Truncation = keys.Flag("Truncation") ?? true,
        TruncateDim = keys.Count("TruncateDim"),
    };
}
