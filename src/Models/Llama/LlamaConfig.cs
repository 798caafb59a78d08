using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>Llama's configuration; names and defaults of transformers' LlamaConfig.</summary>
internal record LlamaConfig : PretrainedConfig
{
    /// <inheritdoc/>
    public override string ModelType => "llama";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 32000;

    /// <summary>Width of a hidden state.</summary>
    public int HiddenSize { get; set; } = 4096;

    /// <summary>Width inside the feed-forward block.</summary>
    public virtual int IntermediateSize { get; set; } = 11008;

    /// <summary>Number of layers.</summary>
    public int NumHiddenLayers { get; set; } = 32;

    /// <summary>Heads of queries per layer.</summary>
    public int NumAttentionHeads { get; set; } = 32;

    /// <summary>Heads of keys and values per layer; as many as of queries when null.</summary>
    public virtual int? NumKeyValueHeads { get; set; }

    /// <summary>Width of a head; hidden_size / num_attention_heads when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? HeadDim { get; set; }

    /// <summary>Activation of the gate in the feed-forward block.</summary>
    public string HiddenAct { get; set; } = "silu";

    /// <summary>Positions of training: what sessions and pipelines take by default; longer texts run where a session is longer.</summary>
    public virtual int MaxPositionEmbeddings { get; set; } = 2048;

    /// <summary>Added to the mean square in RMSNorm.</summary>
    public double RmsNormEps { get; set; } = 1e-6;

    /// <summary>Whether callers want keys and values by default; a session keeps them in any case.</summary>
    public bool UseCache { get; set; } = true;

    /// <inheritdoc/>
    public override int? BosTokenId { get; set; } = 1;

    /// <inheritdoc/>
    [JsonConverter(typeof(TokenIdsConverter))]
    public override IReadOnlyList<int> EosTokenId { get; set; } = [2];

    /// <summary>Whether lm_head is the token embedding itself.</summary>
    public bool TieWordEmbeddings { get; set; }

    /// <summary>The base of the rotary frequencies; that in rope_parameters where the key is missing, else 10000.</summary>
    public double RopeTheta { get => _ropeTheta ?? RopeParameters?.RopeTheta ?? RopeScaling?.RopeTheta ?? 10000; set => _ropeTheta = value; }

    private double? _ropeTheta;

    /// <summary>How the frequencies are changed for long texts; null: not at all.</summary>
    public RopeScaling? RopeScaling { get; set; }

    /// <summary>The same, with rope_theta inside, as newer files have it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RopeScaling? RopeParameters { get; set; }

    /// <summary>Whether the projections of an attention have biases.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool AttentionBias { get; set; }

    /// <summary>Whether the layers of the feed-forward block have biases.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool MlpBias { get; set; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool IsCausal => true;

    /// <inheritdoc/>
    [JsonIgnore]
    public override PositionLimit Positions => new("max_position_embeddings", MaxPositionEmbeddings)
    {
        IsSoft = true,
        AnglesChangeAfter = Rope?.Kind == "dynamic" ? MaxPositionEmbeddings : null,
    };

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HiddenWidth => HiddenSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Layers => NumHiddenLayers;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Heads => NumAttentionHeads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int KeyValueHeads => NumKeyValueHeads ?? NumAttentionHeads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HeadWidth => HeadDim ?? HiddenSize / NumAttentionHeads;

    /// <summary>Whether q_proj, k_proj and v_proj have biases.</summary>
    [JsonIgnore]
    internal virtual bool HasQkvBias => AttentionBias;

    /// <summary>Whether o_proj has one.</summary>
    [JsonIgnore]
    internal virtual bool HasOutputBias => AttentionBias;

    /// <summary>Whether the layers of the feed-forward block have biases.</summary>
    [JsonIgnore]
    internal virtual bool HasMlpBias => MlpBias;

    /// <summary>The rotary frequencies.</summary>
    [JsonIgnore]
    internal RopeScaling? Rope => RopeScaling ?? RopeParameters;

    /// <summary><see cref="HiddenAct"/> as a kernel knows it.</summary>
    [JsonIgnore]
    internal ActivationFunction Activation => ParseActivation("hidden_act", HiddenAct);

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        RequireSize("max_position_embeddings", MaxPositionEmbeddings);
        RequireSize("hidden_size", HiddenSize);
        RequireSize("intermediate_size", IntermediateSize);
        RequireSize("num_hidden_layers", NumHiddenLayers, most: 4096);
        RequireHeads("num_attention_heads", "num_key_value_heads");
        if (HeadDim is null)
            RequireSharedBy("hidden_size", HiddenSize, "num_attention_heads", NumAttentionHeads);
        Require(HeadWidth is > 0 and <= MaxSize && HeadWidth % 2 == 0, "head_dim", HeadWidth, "an even number of at least 2");
        RequireSize("head_dim · num_attention_heads", (int)Math.Min((long)HeadWidth * Heads, int.MaxValue));
        Require(double.IsFinite(RmsNormEps) && RmsNormEps >= 0, "rms_norm_eps", RmsNormEps, "a number of at least 0");
        RequireRope("rope_theta", RopeTheta, RopeScaling, HeadWidth);
        RequireRope("rope_theta", RopeTheta, RopeParameters, HeadWidth, "rope_parameters");
        Require(RopeScaling is null || RopeParameters is null || RopeScaling.Effect == RopeParameters.Effect, "rope_parameters",
            $"{RopeParameters?.Kind}, and rope_scaling is {RopeScaling?.Kind}, with numbers of its own", "the same in both, or one of them null,");
        _ = Activation;
    }
}
