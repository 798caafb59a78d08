using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>GPT-NeoX's configuration, and Pythia's; names and defaults of transformers' GPTNeoXConfig.</summary>
internal sealed record GPTNeoXConfig : PretrainedConfig
{
    /// <inheritdoc/>
    public override string ModelType => "gpt_neox";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 50432;

    /// <summary>Width of a hidden state.</summary>
    public int HiddenSize { get; set; } = 6144;

    /// <summary>Number of layers.</summary>
    public int NumHiddenLayers { get; set; } = 44;

    /// <summary>Heads per layer; each is hidden_size / num_attention_heads wide.</summary>
    public int NumAttentionHeads { get; set; } = 64;

    /// <summary>Width inside the feed-forward block.</summary>
    public int IntermediateSize { get; set; } = 24576;

    /// <summary>Activation of the feed-forward block.</summary>
    public string HiddenAct { get; set; } = "gelu";

    /// <summary>The share of each head that turns.</summary>
    public double RotaryPct { get; set; } = 0.25;

    /// <summary>The base of the rotary frequencies, as older files name it.</summary>
    public double RotaryEmbBase { get; set; } = 10000;

    /// <summary>The base of the rotary frequencies; rotary_emb_base when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? RopeTheta { get; set; }

    /// <summary>How the frequencies are changed for long texts; null: not at all.</summary>
    public RopeScaling? RopeScaling { get; set; }

    /// <summary>Positions of training: what sessions and pipelines take by default; longer texts run where a session is longer.</summary>
    public int MaxPositionEmbeddings { get; set; } = 2048;

    /// <summary>Added to the variance in LayerNorm.</summary>
    public double LayerNormEps { get; set; } = 1e-5;

    /// <summary>Whether callers want keys and values by default; a session keeps them in any case.</summary>
    public bool UseCache { get; set; } = true;

    /// <summary>Whether attention and feed-forward block both read the stream before the layer.</summary>
    public bool UseParallelResidual { get; set; } = true;

    /// <summary>Whether the projections of an attention have biases; those of the feed-forward block always do.</summary>
    public bool AttentionBias { get; set; } = true;

    /// <inheritdoc/>
    public override int? BosTokenId { get; set; } = 0;

    /// <inheritdoc/>
    [JsonConverter(typeof(TokenIdsConverter))]
    public override IReadOnlyList<int> EosTokenId { get; set; } = [2];

    /// <summary>Whether embed_out is the token embedding itself.</summary>
    public bool TieWordEmbeddings { get; set; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool IsCausal => true;

    /// <inheritdoc/>
    [JsonIgnore]
    public override PositionLimit Positions => new("max_position_embeddings", MaxPositionEmbeddings)
    {
        IsSoft = true,
        AnglesChangeAfter = RopeScaling?.Kind == "dynamic" ? MaxPositionEmbeddings : null,
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

    /// <summary>How many values of a head turn.</summary>
    [JsonIgnore]
    internal int RotaryWidth => (int)(HeadWidth * RotaryPct);

    /// <summary>The base of the rotary frequencies.</summary>
    [JsonIgnore]
    internal double Theta => RopeTheta ?? RotaryEmbBase;

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
        RequireSize("num_attention_heads", NumAttentionHeads);
        RequireSharedBy("hidden_size", HiddenSize, "num_attention_heads", NumAttentionHeads);
        Require(RotaryPct is > 0 and <= 1 && RotaryWidth > 0 && RotaryWidth % 2 == 0, "rotary_pct", RotaryPct,
            $"a share of the {HeadWidth} values of a head that is an even number of them");
        Require(double.IsFinite(LayerNormEps) && LayerNormEps >= 0, "layer_norm_eps", LayerNormEps, "a number of at least 0");
        RequireRope(RopeTheta is null ? "rotary_emb_base" : "rope_theta", Theta, RopeScaling, RotaryWidth);
        _ = Activation;
    }
}
