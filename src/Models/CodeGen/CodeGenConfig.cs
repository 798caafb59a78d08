using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>CodeGen's and CodeGen2's configuration; names and defaults of transformers' CodeGenConfig.</summary>
internal sealed record CodeGenConfig : PretrainedConfig
{
    /// <summary>Unlike the other sizes, these two are held by no tensor of the checkpoint. (CodeGen has 64 · 2048.)</summary>
    private const int MaxRotaryTable = 1 << 26;

    /// <inheritdoc/>
    public override string ModelType => "codegen";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 50400;

    /// <summary>The most tokens of a sequence.</summary>
    public int NPositions { get; set; } = 2048;

    /// <summary>The most tokens of a sequence, as older files say it; not used.</summary>
    public int NCtx { get; set; } = 2048;

    /// <summary>Width of a hidden state.</summary>
    public int NEmbd { get; set; } = 4096;

    /// <summary>Number of layers.</summary>
    public int NLayer { get; set; } = 28;

    /// <summary>Heads per layer; each is n_embd / n_head wide.</summary>
    public int NHead { get; set; } = 16;

    /// <summary>How much of each head is rotated; all of it when null.</summary>
    public int? RotaryDim { get; set; } = 64;

    /// <summary>Width inside the MLP; 4 · n_embd when null.</summary>
    public int? NInner { get; set; }

    /// <summary>Activation of the MLP.</summary>
    public string ActivationFunction { get; set; } = "gelu_new";

    /// <summary>Dropout in training; not used in inference.</summary>
    public double ResidPdrop { get; set; }

    /// <summary>Dropout in training; not used in inference.</summary>
    public double EmbdPdrop { get; set; }

    /// <summary>Dropout in training; not used in inference.</summary>
    public double AttnPdrop { get; set; }

    /// <summary>Added to the variance in LayerNorm.</summary>
    public double LayerNormEpsilon { get; set; } = 1e-5;

    /// <summary>Whether callers want keys and values by default; a session keeps them in any case.</summary>
    public bool UseCache { get; set; } = true;

    /// <inheritdoc/>
    public override int? BosTokenId { get; set; } = 50256;

    /// <inheritdoc/>
    [JsonConverter(typeof(TokenIdsConverter))]
    public override IReadOnlyList<int> EosTokenId { get; set; } = [50256];

    /// <summary>Whether lm_head is the token embedding itself; CodeGen's are not.</summary>
    public bool TieWordEmbeddings { get; set; }

    /// <summary>Width of a head as CodeGen2-1B and -3.7B state it; it tells their QKV layout from CodeGen's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? HeadDim { get; set; }

    /// <summary>Blocks of [query | value | key] in which the rows of qkv_proj lie; derived when null (see <see cref="QkvBlocks"/>).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? MpNum { get; set; }

    /// <summary>mp_num where given; else 8 where head_dim is 128 or 256 (CodeGen2-1B and -3.7B), else 4 (CodeGen, CodeGen2-7B and -16B).</summary>
    /// <remarks>The files do not say it; the rule is CTranslate2's. transformers assumes 4 throughout.</remarks>
    [JsonIgnore]
    public int QkvBlocks => MpNum ?? (HeadDim is 128 or 256 ? 8 : 4);

    /// <summary>How much of each head is rotated.</summary>
    [JsonIgnore]
    public int RotaryWidth => RotaryDim ?? HeadWidth;

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
        Require(QkvBlocks > 0 && NHead % QkvBlocks == 0, "n_head", NHead,
            $"a multiple of the {QkvBlocks} blocks of qkv_proj (set mp_num where the checkpoint has another number)");
        Require(RotaryWidth > 0 && RotaryWidth <= HeadWidth && RotaryWidth % 2 == 0, "rotary_dim", RotaryWidth,
            $"an even number in 2 … n_embd / n_head = {HeadWidth}");
        Require((long)RotaryWidth * NPositions <= MaxRotaryTable, "rotary_dim · n_positions", $"{RotaryWidth} · {NPositions}",
            $"at most {MaxRotaryTable}, the largest table of angles,");
        RequireTurning(RotaryWidth);
        Require(double.IsFinite(LayerNormEpsilon) && LayerNormEpsilon >= 0, "layer_norm_epsilon", LayerNormEpsilon, "a number of at least 0");
        _ = Activation;
    }
}
