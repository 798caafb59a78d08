using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ManagedTransformers.Models;

/// <summary>A family of models under one model_type: everything that the runtime has to know about it, in one registration.</summary>
/// <remarks>Make a <see cref="ModelFamily{TConfig}"/>, and give it to <see cref="ModelFamilies.Register"/>; CONTRIBUTING.md, "Adding a model", has an
/// example.</remarks>
[DebuggerDisplay("{ModelType,nq}: {string.Join(\", \", Architectures),nq}")]
public abstract class ModelFamily
{
    private protected ModelFamily(string modelType) => ModelType = modelType;

    /// <summary>model_type of config.json, such as <c>roberta</c>.</summary>
    public string ModelType { get; }

    /// <summary>What the names of the base model's tensors begin with in files of models with a head, without the dot: transformers'
    /// base_model_prefix.</summary>
    public required string BaseModelPrefix { get; init; }

    /// <summary>The classes; config.json's <c>architectures</c> has their names.</summary>
    public abstract IReadOnlyList<Type> Classes { get; }

    /// <summary>The names of the classes.</summary>
    public IEnumerable<string> Architectures => Classes.Select(type => type.Name);

    /// <summary>The class without a head, such as RobertaModel; null: the family has none.</summary>
    internal Type? BaseModel => Classes.FirstOrDefault(typeof(IBaseModel).IsAssignableFrom);

    /// <summary>What the names of tensors end with that files hold and the model computes itself (buffers), such as <c>embeddings.position_ids</c>.</summary>
    public IReadOnlyList<string> KnownBuffers { get; init; } = [];

    /// <summary>What the names of tensors begin with that belong to heads of the family's other classes, such as <c>lm_head.</c>.</summary>
    public IReadOnlyList<string> OtherHeads { get; init; } = [];

    /// <summary>Endings that parameters had in older files, each with today's; those of TensorFlow's time, which transformers reads in every model, by
    /// default.</summary>
    /// <remarks>modeling_utils.py, _fix_state_dict_key_on_load.</remarks>
    public IReadOnlyList<(string Old, string New)> OldNames { get; init; } = DefaultOldNames;

    /// <summary>tokenizer_class names of the family's own, each with the known class that reads the same files and brings the same special tokens.</summary>
    public IReadOnlyDictionary<string, string> TokenizerClasses { get; init; } = new Dictionary<string, string>();

    internal static IReadOnlyList<(string Old, string New)> DefaultOldNames { get; } = [(".gamma", ".weight"), (".beta", ".bias")];

    /// <summary>The names that files may give a parameter: today's, then older ones.</summary>
    internal IEnumerable<string> NamesOf(string name) =>
        OldNames.Where(pair => name.EndsWith(pair.New, StringComparison.Ordinal)).Select(pair => name[..^pair.New.Length] + pair.Old).Prepend(name);

    /// <summary>Whether a tensor is a buffer of this family by its name.</summary>
    internal bool IsBuffer(string name) => KnownBuffers.Any(suffix => name.EndsWith(suffix, StringComparison.Ordinal));

    /// <summary>Whether a tensor belongs to a head that this family's other classes have.</summary>
    internal bool IsOtherHead(string name) => OtherHeads.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>What a registration needs by itself.</summary>
    /// <exception cref="ArgumentException">model_type is blank, there is no class, or one is there twice or is no model.</exception>
    internal void Check(string parameter)
    {
        if (string.IsNullOrWhiteSpace(ModelType))
            throw new ArgumentException("The family has no model_type; a name is needed, such as that of its config.json.", parameter);
        if (Classes.Count == 0)
            throw new ArgumentException($"The family {ModelType} has no class; give each with what builds it (Builders).", parameter);
        if (Classes.GroupBy(type => type.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"The family {ModelType} has the class {twice.Key} twice; each is built in one way.", parameter);
        if (Classes.FirstOrDefault(type => !type.IsSubclassOf(typeof(PretrainedModel))) is Type stranger)
            throw new ArgumentException($"{stranger.Name} of the family {ModelType} is no PretrainedModel. Derive it from that class, or from one of a task " +
                "such as EncoderForMaskedLM.", parameter);
    }

    /// <summary>The types that config.json is read into.</summary>
    internal abstract JsonTypeInfo ConfigTypes { get; }

    /// <summary>Reads a configuration; null where the JSON is the value null.</summary>
    internal abstract PretrainedConfig? ReadConfig(ReadOnlySpan<byte> json);

    internal abstract byte[] WriteConfig(PretrainedConfig config);

    /// <summary>Builds a model of one of the family's classes.</summary>
    internal abstract PretrainedModel Build(string architecture, PretrainedConfig config, ModelSource source);
}

/// <summary>A family whose configuration is a <typeparamref name="TConfig"/>.</summary>
/// <typeparam name="TConfig">The record that its config.json is read into.</typeparam>
/// <param name="modelType">model_type of config.json.</param>
/// <param name="configJson">How the configuration is read and written: the type's property of a source-generated JsonSerializerContext (snake_case
/// names).</param>
public sealed class ModelFamily<TConfig>(string modelType, JsonTypeInfo<TConfig> configJson) : ModelFamily(modelType)
    where TConfig : PretrainedConfig
{
    /// <summary>The classes, each with what builds it from a configuration and weights.</summary>
    public required IReadOnlyList<(Type Class, Func<TConfig, ModelSource, PretrainedModel> Build)> Builders { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<Type> Classes => [.. Builders.Select(builder => builder.Class)];

    internal override JsonTypeInfo ConfigTypes => configJson;

    internal override PretrainedConfig? ReadConfig(ReadOnlySpan<byte> json)
    {
        TConfig? config = JsonSerializer.Deserialize(ConfigNulls.Resolve(json, configJson), configJson);
        return config is null || config.ModelType == ModelType ? config : throw new ConfigException(
            $"The family {ModelType} is registered with {typeof(TConfig).Name}, whose ModelType is {config.ModelType}; both must be the same. Rename one.");
    }

    internal override byte[] WriteConfig(PretrainedConfig config) => JsonSerializer.SerializeToUtf8Bytes((TConfig)config, configJson);

    internal override PretrainedModel Build(string architecture, PretrainedConfig config, ModelSource source) =>
        config.GetType() == typeof(TConfig)
            ? Checked(architecture, Builders.First(builder => builder.Class.Name == architecture).Build((TConfig)config, source))
            : throw new ConfigException($"config.json has model_type {config.ModelType}; {typeof(TConfig).Name} ({ModelType}) is needed for {architecture}.");

    private PretrainedModel Checked(string architecture, PretrainedModel model) => model.Architecture == architecture ? model : throw new ConfigException(
        $"The family {ModelType} builds a {model.Architecture} where {architecture} is asked for. Correct that line of its Builders.");
}
