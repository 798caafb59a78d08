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
internal sealed class ModelConfiguration
{
    private readonly List<string> _errors = [];

    /// <exception cref="OptionsValidationException">A key is unknown or missing, or a value is none; the message has all of them, with their paths.</exception>
    public static IReadOnlyList<ConfiguredModel> Read(IConfiguration configuration)
    {
        var reader = new ModelConfiguration();
        IReadOnlyList<ConfiguredModel> models = reader.Models(configuration);
        return reader._errors.Count == 0 ? models
            : throw new OptionsValidationException("ManagedTransformers", typeof(HostedModelOptions), reader._errors);
    }

    /// <summary>Options that an app reads for itself.</summary>
    /// <exception cref="OptionsValidationException">A key is unknown, or a value is none; the message has all of them, with their paths.</exception>
    public static PipelineOptions ReadPipeline(IConfiguration configuration) => ReadAlone(configuration, (reader, keys) => reader.Pipeline(keys));

    /// <inheritdoc cref="ReadPipeline"/>
    public static EmbeddingOptions ReadEmbedding(IConfiguration configuration) => ReadAlone(configuration, (reader, keys) => reader.Embedding(keys));

    private static T ReadAlone<T>(IConfiguration configuration, Func<ModelConfiguration, Keys, T> read)
    {
        var reader = new ModelConfiguration();
        var keys = new Keys(configuration, reader._errors);
        T options = read(reader, keys);
        keys.RefuseOthers();
        return reader._errors.Count == 0 ? options : throw new OptionsValidationException("ManagedTransformers", typeof(T), reader._errors);
    }

    private List<ConfiguredModel> Models(IConfiguration configuration)
    {
        var top = new Keys(configuration, _errors);
        var models = new List<ConfiguredModel>();
        if (top.Section("Models") is not IConfigurationSection list)
            _errors.Add($"{top.PathOf("Models")} is missing. It has one section per model, whose name is the model's service key.");
        else
        {
            if (list.Value is not null)
                _errors.Add($"{list.Path} is {Shown(list.Value)}; a section is needed, with one section per model, whose name is the model's service key.");
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
        var keys = new Keys(section, _errors);
        string? path = keys.Text("Path"), task = keys.Text("Task");
        PipelineKind? kind = PipelineKind.All.FirstOrDefault(one => one.Task.Equals(task, StringComparison.OrdinalIgnoreCase));
        if (string.IsNullOrEmpty(path))
            _errors.Add($"{keys.PathOf("Path")} is missing; the directory of a checkpoint is needed.");
        if (kind is null)
            _errors.Add($"{keys.PathOf("Task")} is {Shown(task)}; one of {string.Join(", ", PipelineKind.All.Select(one => one.Task))} is needed.");
        var defaults = new HostedModelOptions();
        var options = new HostedModelOptions
        {
            Pipeline = Nested(keys, "Pipeline", Pipeline),
            Embedding = Nested(keys, "Embedding", Embedding),
            WarmUp = keys.Enum<WarmUp>("WarmUp") ?? defaults.WarmUp,
            MaxConcurrency = keys.Count("MaxConcurrency"),
            MaxBatchSize = keys.Count("MaxBatchSize") ?? defaults.MaxBatchSize,
        };
        if (options.Embedding is not null && kind is not null && kind.Type != typeof(SentenceEmbeddingPipeline))
            _errors.Add($"{keys.PathOf("Embedding")} is for sentence-embedding; {section.Path} has the task {kind.Task}.");
        keys.RefuseOthers();
        return path is null || kind is null ? null : new ConfiguredModel(section.Key, path, kind, options);
    }

    private PipelineOptions Pipeline(Keys keys) => new()
    {
        Load = Nested(keys, "Load", Load) ?? LoadOptions.Default, Tokenizer = Nested(keys, "Tokenizer", Tokenizer),
        ModelId = keys.Name("ModelId"),
    };

    private LoadOptions Load(Keys keys) => LoadOptions.Default with
    {
        Kernels = Nested(keys, "Kernels", Kernels) ?? KernelOptions.Default,
        Strict = keys.Flag("Strict") ?? false,
        WeightFormat = keys.Enum<WeightFormat>("WeightFormat") ?? default,
        QuantizeHead = keys.Flag("QuantizeHead") ?? false,
        MapWeights = keys.Flag("MapWeights") ?? true,
        WidenWeights = keys.Flag("WidenWeights") ?? LoadOptions.Default.WidenWeights,
    };

    private KernelOptions Kernels(Keys keys)
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

    private TokenizerLoadOptions Tokenizer(Keys keys) => new()
    {
        ModelType = keys.Name("ModelType"),
        IgnoreTokenizerJson = keys.Flag("IgnoreTokenizerJson") ?? false,
        ClassAliases = keys.Texts("ClassAliases"),
    };

    private EmbeddingOptions Embedding(Keys keys)
    {
        EmbeddingOptions options = EmbeddingOf(keys);
        if (options is { Prompt: not null, PromptName: not null })
            _errors.Add($"{keys.PathOf("Prompt")} and {keys.PathOf("PromptName")} are both set; one of them is needed.");
        return options;
    }

    private static EmbeddingOptions EmbeddingOf(Keys keys) => new()
    {
        Pooling = keys.Enums<Pooling>("Pooling"),
        Normalize = keys.Flag("Normalize"),
        PromptName = keys.Text("PromptName"),
        Prompt = keys.Text("Prompt"),
        Truncation = keys.Flag("Truncation") ?? true,
        TruncateDim = keys.Count("TruncateDim"),
    };

    private T? Nested<T>(Keys keys, string name, Func<Keys, T> read) where T : class
    {
        if (keys.Section(name) is not IConfigurationSection section)
            return null;
        var inner = new Keys(section, _errors);
        T value = read(inner);
        inner.RefuseOthers();
        return value;
    }

    private static string Shown(string? value) => value is null ? "missing" : $"\"{value}\"";

    /// <summary>The keys of a section, each to be read once; what nobody read is unknown.</summary>
    private sealed class Keys(IConfiguration section, List<string> errors)
    {
        private readonly List<string> _known = [];

        public string PathOf(string key) => section is IConfigurationSection { Path: string path } ? ConfigurationPath.Combine(path, key) : key;

        public IConfigurationSection? Section(string key)
        {
            _known.Add(key);
            IConfigurationSection child = section.GetSection(key);
            return child.Exists() ? child : null;
        }

        public string? Text(string key)
        {
            if (Section(key) is { Value: null } inner)
                errors.Add($"{inner.Path} is a section; a text is needed.");
            return section.GetSection(key).Value;
        }

        /// <summary>A text that has a character at least.</summary>
        public string? Name(string key)
        {
            string? text = Text(key);
            if (text is { Length: 0 })
                errors.Add($"{PathOf(key)} is empty; a name is needed, or no such key.");
            return text;
        }

        /// <summary>Names that are the configuration's own, each with a text.</summary>
        public Dictionary<string, string> Texts(string key)
        {
            if (Section(key) is not IConfigurationSection all)
                return [];
            if (all.Value is string value)
                errors.Add($"{all.Path} is {Shown(value)}; a section is needed, with a text per name.");
            var inner = new Keys(all, errors);
            return all.GetChildren().ToDictionary(one => one.Key, one => inner.Name(one.Key) ?? "");
        }

        public bool? Flag(string key) => Parse<bool>(key, (string text, out bool value) => bool.TryParse(text, out value), "true or false");

        public int? Count(string key) => Parse<int>(key,
            (string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value > 0,
            "a whole number from 1 on");

        public T? Enum<T>(string key) where T : struct, Enum => Parse<T>(key, TryName, $"one of {string.Join(", ", System.Enum.GetNames<T>())}");

        /// <summary>One value, or a list of them.</summary>
        public IReadOnlyList<T>? Enums<T>(string key) where T : struct, Enum
        {
            if (Section(key) is not IConfigurationSection { Value: null } list)
                return Enum<T>(key) is T one ? [one] : null;
            var elements = new Keys(list, errors);
            T?[] values = [.. list.GetChildren().Select(child => elements.Enum<T>(child.Key))];
            return [.. values.OfType<T>()];
        }

        public void RefuseOthers()
        {
            if (section is IConfigurationSection { Value: string value } own)
                errors.Add($"{own.Path} is {Shown(value)}; a section is needed, with {string.Join(", ", _known.Distinct())}.");
            foreach (IConfigurationSection child in section.GetChildren())
            {
                if (!_known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                    errors.Add($"{child.Path} is no option; there are {string.Join(", ", _known.Distinct())}.");
            }
        }

        // A name alone: Enum.TryParse also takes numbers, and several names, whose values it combines to another one.
        private static bool TryName<T>(string text, out T value) where T : struct, Enum
        {
            value = default;
            return System.Enum.GetNames<T>().Contains(text, StringComparer.OrdinalIgnoreCase) && System.Enum.TryParse(text, ignoreCase: true, out value);
        }

        private T? Parse<T>(string key, TryParse<T> parse, string needed) where T : struct
        {
            if (Section(key) is not IConfigurationSection one)
                return null;
            if (one.Value is string text && parse(text, out T value))
                return value;
            errors.Add($"{one.Path} is {(one.Value is null ? "a section" : Shown(one.Value))}; {needed} is needed.");
            return null;
        }

        private delegate bool TryParse<T>(string text, out T value);
    }
}
