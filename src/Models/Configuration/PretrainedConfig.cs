using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>What every config.json has; the names and defaults are those of transformers' PretrainedConfig.</summary>
/// <remarks>Properties have setters, not init accessors, because source-generated JSON would lose the defaults of keys that a file lacks.</remarks>
[DebuggerDisplay("{ModelType,nq}: {Sizes,nq}")]
public abstract record PretrainedConfig
{
    /// <summary>The architecture family, such as <c>roberta</c>.</summary>
    public abstract string ModelType { get; }

    /// <summary>The classes that the checkpoint was saved from, such as <c>RobertaForMaskedLM</c>.</summary>
    [AllowNull]
    public IReadOnlyList<string> Architectures { get; set => field = value ?? []; } = [];

    /// <summary>Rows of the token embedding.</summary>
    public abstract int VocabSize { get; set; }

    /// <summary>Standard deviation of random weights.</summary>
    public double InitializerRange { get; set; } = 0.02;

    /// <summary>Names of the classes by their number; LABEL_0, LABEL_1, … as many as the file's num_labels says (2 without it) where it names none.</summary>
    [JsonPropertyName("id2label")]
    [JsonConverter(typeof(LabelsConverter))]
    [AllowNull]
    public IReadOnlyDictionary<string, string> Id2Label { get => field ??= UnnamedLabels(); set; }

    /// <summary>num_labels as older files give it; it counts only where there is no id2label.</summary>
    [JsonPropertyName("num_labels")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? GivenNumLabels { get; set; }

    /// <summary>How labels become a loss: regression, single_label_classification or multi_label_classification; decided by the labels when null.</summary>
    public string? ProblemType { get; set; }

    /// <summary>The padding token.</summary>
    public virtual int? PadTokenId { get; set; }

    /// <summary>The token that starts a text.</summary>
    public virtual int? BosTokenId { get; set; }

    /// <summary>The tokens that end a text; a number or a list in the file.</summary>
    [JsonConverter(typeof(TokenIdsConverter))]
    public virtual IReadOnlyList<int> EosTokenId { get; set; } = [];

    /// <summary>Keys of the file that this runtime does not read; kept so that saving loses nothing.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement> OtherKeys { get; set; } = new Dictionary<string, JsonElement>();

    /// <summary>What errors call the file that this was read from.</summary>
    [JsonIgnore]
    internal string File { get; set; } = ConfigJson.FileName;

    /// <summary>The number of classes, num_labels.</summary>
    [JsonIgnore]
    public int NumLabels => Id2Label.Count;

    /// <summary>Whether a token sees only itself and those before it: a decoder, whose sessions have a KV cache.</summary>
    [JsonIgnore]
    public virtual bool IsCausal => false;

    /// <summary>How many positions there are, and how tokens are numbered.</summary>
    [JsonIgnore]
    public abstract PositionLimit Positions { get; }

    /// <summary>The key of config.json that counts the segments, and their number: token_type_ids name 0 … Count − 1; null: the model has none, and refuses
    /// them.</summary>
    [JsonIgnore]
    public virtual (string Key, int Count)? TokenTypes => null;

    /// <summary>Whether pipelines say which of two texts a token belongs to. Decoders get no segments: they would add the embedding of "segment 0" to every
    /// token.</summary>
    [JsonIgnore]
    internal bool UsesTokenTypes => !IsCausal && TokenTypes is { Count: > 1 };

    /// <summary>The most tokens that the model reads at once.</summary>
    [JsonIgnore]
    public int MaxTokens => Positions.MaxTokens;

    /// <summary>Width of a hidden state.</summary>
    [JsonIgnore]
    public abstract int HiddenWidth { get; }

    /// <summary>Number of layers.</summary>
    [JsonIgnore]
    public abstract int Layers { get; }

    /// <summary>Attention heads per layer.</summary>
    [JsonIgnore]
    public abstract int Heads { get; }

    /// <summary>Heads of keys and values per layer: fewer than <see cref="Heads"/> where several queries share one.</summary>
    [JsonIgnore]
    public virtual int KeyValueHeads => Heads;

    /// <summary>Width of a head.</summary>
    [JsonIgnore]
    public virtual int HeadWidth => HiddenWidth / Heads;

    /// <summary>The sizes in a line, for debugger views.</summary>
    [JsonIgnore]
    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    internal string Sizes => $"{Layers} layers of {HiddenWidth}, {Heads} heads, vocabulary {VocabSize}, at most {MaxTokens} tokens";

    /// <summary>The name of class <paramref name="id"/>.</summary>
    public string Label(int id) =>
        Id2Label.TryGetValue(id.ToString(System.Globalization.CultureInfo.InvariantCulture), out string? label) ? label : $"LABEL_{id}";

    /// <summary>Checks that the numbers are possible and agree with one another.</summary>
    /// <exception cref="ConfigException">They do not.</exception>
    public virtual void Validate()
    {
        RequireSupportedKeys();
        RequireSize("vocab_size", VocabSize);
        Require(double.IsFinite(InitializerRange) && InitializerRange >= 0, "initializer_range", InitializerRange, "a number of at least 0");
        Require(ProblemType is null or "regression" or "single_label_classification" or "multi_label_classification", "problem_type", ProblemType,
            "regression, single_label_classification or multi_label_classification");
        Require(GivenNumLabels is null or (> 0 and <= MaxUnnamedLabels), "num_labels", GivenNumLabels, $"a number in 1 … {MaxUnnamedLabels}");
        // The elements of a list may be null whatever their type says.
        Require(Architectures.All(name => name is not null), "architectures", "a list with null in it", "a list of class names");
        for (int id = 0; id < NumLabels; id++)
            Require(Id2Label.ContainsKey($"{id}"), "id2label", $"{NumLabels} labels without number {id}", "the numbers 0 … count − 1, each once");
    }

    private Dictionary<string, string> UnnamedLabels() => Enumerable.Range(0, GivenNumLabels ?? 2).ToDictionary(id => $"{id}", id => $"LABEL_{id}");

    private const int MaxUnnamedLabels = 1 << 16;

    /// <summary>No size in a configuration is larger: it bounds what a hostile file can make this process allocate.</summary>
    protected const int MaxSize = 1 << 24;

    /// <summary>Refuses a value that is impossible.</summary>
    /// <param name="holds">What must hold.</param>
    /// <param name="key">The key of config.json.</param>
    /// <param name="found">What it says.</param>
    /// <param name="needed">What is possible.</param>
    /// <exception cref="ConfigException">It does not hold.</exception>
    protected void Require(bool holds, string key, object? found, string needed)
    {
        if (!holds)
            throw new ConfigException($"{File} ({ModelType}): {key} is {Shown(found)}; {needed} is needed.");
    }

    /// <summary>A value as JSON writes it.</summary>
    private static string Shown(object? value) => value switch
    {
        null => "null",
        bool holds => holds ? "true" : "false",
        _ => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{value}"),
    };

    /// <summary>A size in 1 … <paramref name="most"/>.</summary>
    /// <exception cref="ConfigException">It is not.</exception>
    protected void RequireSize(string key, int value, int most = MaxSize) => Require(value > 0 && value <= most, key, value, $"a number in 1 … {most}");

    /// <summary>A size that is shared out evenly, such as hidden_size among heads.</summary>
    /// <exception cref="ConfigException">It cannot be.</exception>
    protected void RequireSharedBy(string key, int value, string byKey, int by) =>
        Require(value % by == 0, key, value, $"a multiple of {byKey} {by}");

    /// <summary>Heads, and heads of keys and values that each serve as many of them.</summary>
    /// <exception cref="ConfigException">There are none, or they do not divide each other.</exception>
    private protected void RequireHeads(string headsKey, string keyValueHeadsKey)
    {
        RequireSize(headsKey, Heads);
        RequireSize(keyValueHeadsKey, KeyValueHeads);
        Require(Heads % KeyValueHeads == 0, keyValueHeadsKey, KeyValueHeads, $"a divisor of {headsKey} {Heads}");
    }

    /// <summary>The base of rotary frequencies, their scaling, and how much of a head turns.</summary>
    /// <exception cref="ConfigException">The base is no number over 1, the scaling is unknown or impossible, or other keys say otherwise.</exception>
    private protected void RequireRope(string thetaKey, double theta, RopeScaling? scaling, int rotaryDim, string scalingKey = "rope_scaling")
    {
        Require(double.IsFinite(theta) && theta > 1, thetaKey, theta, "a number over 1");
        Require(scaling?.Kind != "dynamic" || rotaryDim > 2, $"{scalingKey}.rope_type", "dynamic",
            $"another one for the {rotaryDim} values of a head that turn");
        if (scaling?.Problem() is (string, _, string) problem)
            Require(false, $"{scalingKey}.{problem.Key}", problem.Found, problem.Needed);
        Require(scaling?.RopeTheta is null || scaling.RopeTheta == theta, $"{scalingKey}.rope_theta", scaling?.RopeTheta,
            FormattableString.Invariant($"the same as {thetaKey} ({theta})"));
        RequireTurning(rotaryDim);
    }

    /// <summary>partial_rotary_factor, which newer files have: it may say only what other keys say already.</summary>
    /// <exception cref="ConfigException">It says something else.</exception>
    private protected void RequireTurning(int rotaryDim) => Require(
        !OtherKeys.TryGetValue("partial_rotary_factor", out JsonElement share) || share.ValueKind == JsonValueKind.Null
            || (share.ValueKind == JsonValueKind.Number && (int)(HeadWidth * share.GetDouble()) == rotaryDim),
        "partial_rotary_factor", share.ValueKind == JsonValueKind.Undefined ? null : share.GetRawText(),
        $"the share of a head's {HeadWidth} values that turn here, {rotaryDim} of them,");

    /// <summary>Keys that change what a model computes in ways that this runtime does not have, whatever the family, each with what is read.</summary>
    private static readonly (string Key, string Needed)[] s_unsupported =
    [
        ("quantization_config", "a checkpoint without it: weights in F32, F16 or BF16, which LoadOptions.WeightFormat or mtx convert quantize,"),
        ("vision_config", "a model of text alone"),
        ("rope_scaling", "null (this family turns by position alone, or not at all)"),
        ("rope_parameters", "rope_theta and rope_scaling, as transformers 4 writes them,"),
        ("num_local_experts", "a model without experts"),
        ("num_experts", "a model without experts"),
        ("n_routed_experts", "a model without experts"),
    ];

    private void RequireSupportedKeys()
    {
        if (OtherKeys.TryGetValue("layer_types", out JsonElement types) && types.ValueKind != JsonValueKind.Null)
        {
            Require(types.ValueKind == JsonValueKind.Array, "layer_types", types.GetRawText(), "a list with full_attention for every layer");
            JsonElement other = types.EnumerateArray().FirstOrDefault(type => type.ValueKind != JsonValueKind.String || !type.ValueEquals("full_attention"));
            Require(other.ValueKind == JsonValueKind.Undefined, "layer_types",
                other.ValueKind == JsonValueKind.Undefined ? null : $"a list with {other.GetRawText()} in it", "full_attention for every layer");
        }
        foreach ((string key, string needed) in s_unsupported)
        {
            if (OtherKeys.TryGetValue(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null)
                Require(false, key, value.ValueKind == JsonValueKind.Object ? "an object" : value.GetRawText(), needed);
        }
    }

    /// <summary>The activation that transformers calls <paramref name="name"/> (ACT2FN).</summary>
    /// <exception cref="ConfigException">There is none of that name.</exception>
    protected ActivationFunction ParseActivation(string key, string name) => name switch
    {
        "gelu" or "gelu_python" => ActivationFunction.Gelu,
        "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" or "gelu_accurate" => ActivationFunction.GeluTanh,
        "quick_gelu" => ActivationFunction.QuickGelu,
        "relu" => ActivationFunction.Relu,
        "relu2" => ActivationFunction.Relu2,
        "silu" or "swish" => ActivationFunction.Silu,
        "mish" => ActivationFunction.Mish,
        "tanh" => ActivationFunction.Tanh,
        "sigmoid" => ActivationFunction.Sigmoid,
        _ => throw new ConfigException($"{File} ({ModelType}): {key} is \"{name}\"; known are gelu (gelu_python), gelu_new (gelu_fast, " +
            "gelu_pytorch_tanh, gelu_accurate), quick_gelu, relu, relu2, silu (swish), mish, tanh, sigmoid."),
    };
}

/// <summary>The positions that a model has, and how tokens are numbered by them.</summary>
/// <param name="Key">The key of config.json that says how many there are, such as <c>n_positions</c>.</param>
/// <param name="Count">Rows of the position table, or the most positions that rotary angles are made for.</param>
public readonly record struct PositionLimit(string Key, int Count)
{
    /// <summary>
    /// RoBERTa's way of counting: padding stands at this position, and the other tokens count from the next one on, whatever the attention mask says.
    /// Null: a token's position is its column.
    /// </summary>
    public int? PaddingIdx { get; init; }

    /// <summary>
    /// Whether the count is what sessions and pipelines take by default and no more than that: rotary angles are made for any position, and longer texts run
    /// where a session is longer (<see cref="SessionOptions.MaxLength"/>).
    /// </summary>
    public bool IsSoft { get; init; }

    /// <summary>GPTBigCode's way of counting: a token's position is the number of tokens before it that the attention mask shows;
    /// hidden ones stand at 1.</summary>
    public bool CountsVisible { get; init; }

    /// <summary>Texts of more tokens have other rotary angles, from the first token on, for every length (rope_scaling dynamic): what was read of one serves no
    /// other. Null: angles are those of positions alone.</summary>
    internal int? AnglesChangeAfter { get; init; }

    /// <summary>The most tokens that fit, or are taken by default where the limit is soft.</summary>
    public int MaxTokens => PaddingIdx is int padding ? Count - padding - 1 : Count;

    /// <summary>The most tokens of any session. A soft limit has one, too: it bounds the memory that hostile position_ids take.</summary>
    public int MostTokens => IsSoft ? Math.Max(Count, 1 << 20) : MaxTokens;

    /// <summary>Where the limit comes from, for messages: <c>max_position_embeddings 514, padding_idx 1</c>.</summary>
    public override string ToString() => PaddingIdx is int padding ? $"{Key} {Count}, padding_idx {padding}" : Key;
}
