using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>GPT-J's configuration; names and defaults of transformers' GPTJConfig.</summary>
internal sealed record GPTJConfig : PretrainedConfig
{
    /// <inheritdoc/>
    public override string ModelType => "gptj";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 50400;

    /// <summary>The most tokens of a sequence.</summary>
    public int NPositions { get; set; } = 2048;

    /// <summary>Width of a hidden state.</summary>
    public int NEmbd { get; set; } = 4096;

    /// <summary>Number of layers.</summary>
    public int NLayer { get; set; } = 28;

    /// <summary>Heads per layer; each is n_embd / n_head wide.</summary>
    public int NHead { get; set; } = 16;

    /// <summary>How much of each head is rotated. Null is refused: transformers cannot run it either.</summary>
    public int? RotaryDim { get; set; } = 64;

    /// <summary>Width inside the MLP; 4 · n_embd when null.</summary>
    public int? NInner { get; set; }

    /// <summary>Activation of the MLP.</summary>
    public string ActivationFunction { get; set; } = "gelu_new";

    /// <summary>Added to the variance in LayerNorm.</summary>
    public double LayerNormEpsilon { get; set; } = 1e-5;

    /// <inheritdoc/>
    public override int? BosTokenId { get; set; } = 50256;

    /// <inheritdoc/>
    [JsonConverter(typeof(TokenIdsConverter))]
    public override IReadOnlyList<int> EosTokenId { get; set; } = [50256];

    /// <summary>Whether lm_head is the token embedding itself; GPT-J's is not.</summary>
    public bool TieWordEmbeddings { get; set; }

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

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        RequireSize("n_positions", NPositions, most: 1 << 18);
        RequireSize("n_embd", NEmbd);
        RequireSize("n_layer", NLayer, most: 4096);
        RequireSize("n_head", NHead);
        RequireSize("n_inner", InnerWidth);
        RequireSharedBy("n_embd", NEmbd, "n_head", NHead);
        Require(RotaryDim is int rotary && rotary > 0 && rotary <= HeadWidth && rotary % 2 == 0, "rotary_dim", RotaryDim,
            $"an even number in 2 … n_embd / n_head = {HeadWidth}");
        RequireTurning(RotaryDim!.Value);
        Require(double.IsFinite(LayerNormEpsilon) && LayerNormEpsilon >= 0, "layer_norm_epsilon", LayerNormEpsilon, "a number of at least 0");
        _ = Activation;
    }
}
