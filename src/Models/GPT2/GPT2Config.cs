using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>GPT-2's configuration; names and defaults of transformers' GPT2Config.</summary>
internal sealed record GPT2Config : PretrainedConfig
{
    /// <inheritdoc/>
    public override string ModelType => "gpt2";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 50257;

    /// <summary>Rows of the position table: the most tokens of a sequence.</summary>
    public int NPositions { get; set; } = 1024;

    /// <summary>Width of a hidden state.</summary>
    public int NEmbd { get; set; } = 768;

    /// <summary>Number of layers.</summary>
    public int NLayer { get; set; } = 12;

    /// <summary>Heads per layer; each is n_embd / n_head wide.</summary>
    public int NHead { get; set; } = 12;

    /// <summary>Width inside the MLP; 4 · n_embd when null.</summary>
    public int? NInner { get; set; }

    /// <summary>Activation of the MLP.</summary>
    public string ActivationFunction { get; set; } = "gelu_new";

    /// <summary>Added to the variance in LayerNorm.</summary>
    public double LayerNormEpsilon { get; set; } = 1e-5;

    /// <summary>Whether scores are divided by √head_dim.</summary>
    public bool ScaleAttnWeights { get; set; } = true;

    /// <summary>Whether scores are also divided by the number of the layer, from 1 on.</summary>
    public bool ScaleAttnByInverseLayerIdx { get; set; }

    /// <summary>Training in half precision computes scores in float32 with it; here they always are, so it changes nothing.</summary>
    public bool ReorderAndUpcastAttn { get; set; }

    /// <summary>Cross attention; not supported.</summary>
    public bool AddCrossAttention { get; set; }

    /// <inheritdoc/>
    public override int? BosTokenId { get; set; } = 50256;

    /// <inheritdoc/>
    [JsonConverter(typeof(TokenIdsConverter))]
    public override IReadOnlyList<int> EosTokenId { get; set; } = [50256];

    /// <summary>Whether lm_head is the token embedding itself.</summary>
    public bool TieWordEmbeddings { get; set; } = true;

    /// <summary>Width inside the MLP.</summary>
    [JsonIgnore]
    public int InnerWidth => NInner ?? 4 * NEmbd;

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool IsCausal => true;

    /// <inheritdoc/>
    [JsonIgnore]
    public override PositionLimit Positions => new("n_positions", NPositions);

    /// <summary>Segments are embedded with the token table itself, as transformers does.</summary>
    [JsonIgnore]
    public override (string Key, int Count)? TokenTypes => ("vocab_size", VocabSize);

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HiddenWidth => NEmbd;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Layers => NLayer;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Heads => NHead;

    /// <summary><see cref="ActivationFunction"/> as a kernel knows it.</summary>
    [JsonIgnore]
    internal ActivationFunction Activation => ParseActivation("activation_function", ActivationFunction);

    /// <summary>What multiplies the scores of a layer.</summary>
    internal float ScoreScale(int layer) => (ScaleAttnWeights ? 1 / MathF.Sqrt(HeadWidth) : 1) / (ScaleAttnByInverseLayerIdx ? layer + 1 : 1);

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        RequireSize("n_positions", NPositions);
        RequireSize("n_embd", NEmbd);
        RequireSize("n_layer", NLayer, most: 4096);
        RequireSize("n_head", NHead);
        RequireSize("n_inner", InnerWidth);
        RequireSharedBy("n_embd", NEmbd, "n_head", NHead);
        Require(double.IsFinite(LayerNormEpsilon) && LayerNormEpsilon >= 0, "layer_norm_epsilon", LayerNormEpsilon, "a number of at least 0");
        Require(!AddCrossAttention, "add_cross_attention", "true", "false (decoders that read an encoder's output are not supported)");
        _ = Activation;
    }
}
