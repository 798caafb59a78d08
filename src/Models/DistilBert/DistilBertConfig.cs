using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>DistilBERT's configuration; names and defaults of transformers' DistilBertConfig.</summary>
internal sealed record DistilBertConfig : PretrainedConfig
{
    /// <summary>What transformers adds to the variance in every LayerNorm of this family; no key says it.</summary>
    internal const double LayerNormEps = 1e-12;

    /// <inheritdoc/>
    public override string ModelType => "distilbert";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 30522;

    /// <summary>Rows of the position table.</summary>
    public int MaxPositionEmbeddings { get; set; } = 512;

    /// <summary>
    /// Whether the position table began as sines and cosines. Files hold it in any case, and it is read from there; models that are made from a
    /// configuration draw
    /// it at random.
    /// </summary>
    public bool SinusoidalPosEmbds { get; set; }

    /// <summary>Number of layers.</summary>
    public int NLayers { get; set; } = 6;

    /// <summary>Heads per layer; each is dim / n_heads wide.</summary>
    public int NHeads { get; set; } = 12;

    /// <summary>Width of a hidden state.</summary>
    public int Dim { get; set; } = 768;

    /// <summary>Width inside the feed-forward block.</summary>
    public int HiddenDim { get; set; } = 4 * 768;

    /// <summary>Activation of the feed-forward block and of the masked-LM head.</summary>
    public string Activation { get; set; } = "gelu";

    /// <inheritdoc/>
    public override int? PadTokenId { get; set; } = 0;

    /// <summary>Whether the masked-LM decoder is the token embedding itself.</summary>
    public bool TieWordEmbeddings { get; set; } = true;

    /// <inheritdoc/>
    [JsonIgnore]
    public override PositionLimit Positions => new("max_position_embeddings", MaxPositionEmbeddings);

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HiddenWidth => Dim;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Layers => NLayers;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Heads => NHeads;

    /// <summary><see cref="Activation"/> as a kernel knows it.</summary>
    [JsonIgnore]
    internal ActivationFunction ActivationFunction => ParseActivation("activation", Activation);

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        RequireSize("max_position_embeddings", MaxPositionEmbeddings);
        RequireSize("n_layers", NLayers, most: 4096);
        RequireSize("n_heads", NHeads);
        RequireSize("dim", Dim);
        RequireSize("hidden_dim", HiddenDim);
        RequireSharedBy("dim", Dim, "n_heads", NHeads);
        _ = ActivationFunction;
    }
}
