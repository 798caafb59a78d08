using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>The configuration of SantaCoder and StarCoder; names and defaults of transformers' GPTBigCodeConfig.</summary>
internal sealed record GPTBigCodeConfig : PretrainedConfig
{
    /// <inheritdoc/>
    public override string ModelType => "gpt_bigcode";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 50257;

    /// <summary>Rows of the position table.</summary>
    public int NPositions { get; set; } = 1024;

    /// <summary>Width of a hidden state.</summary>
    public int NEmbd { get; set; } = 768;

    /// <summary>Number of layers.</summary>
    public int NLayer { get; set; } = 12;

    /// <summary>Heads of queries per layer; each is n_embd / n_head wide.</summary>
    public int NHead { get; set; } = 12;

    /// <summary>Width inside the MLP; 4 · n_embd when null.</summary>
    public int? NInner { get; set; }

    /// <summary>Activation of the MLP.</summary>
    public string ActivationFunction { get; set; } = "gelu_pytorch_tanh";

    /// <summary>Added to the variance in LayerNorm.</summary>
    public double LayerNormEpsilon { get; set; } = 1e-5;

    /// <summary>Whether scores are divided by √head_dim.</summary>
    public bool ScaleAttnWeights { get; set; } = true;

    /// <summary>Whether all heads share one head of keys and values.</summary>
    public bool MultiQuery { get; set; } = true;

    /// <summary>Whether callers want keys and values by default; a session keeps them in any case.</summary>
    public bool UseCache { get; set; } = true;

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
    public override PositionLimit Positions => new("n_positions", NPositions) { CountsVisible = true };

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

    /// <inheritdoc/>
    [JsonIgnore]
    public override int KeyValueHeads => MultiQuery ? 1 : NHead;

    /// <summary><see cref="ActivationFunction"/> as a kernel knows it.</summary>
    [JsonIgnore]
    internal ActivationFunction Activation => ParseActivation("activation_function", ActivationFunction);

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
        _ = Activation;
    }
}
