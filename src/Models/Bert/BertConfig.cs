using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>BERT's configuration; names and defaults of transformers' BertConfig.</summary>
internal record BertConfig : PretrainedConfig
{
    /// <inheritdoc/>
    public override string ModelType => "bert";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 30522;

    /// <summary>Width of a hidden state.</summary>
    public int HiddenSize { get; set; } = 768;

    /// <summary>Number of layers.</summary>
    public int NumHiddenLayers { get; set; } = 12;

    /// <summary>Heads per layer; each is hidden_size / num_attention_heads wide.</summary>
    public int NumAttentionHeads { get; set; } = 12;

    /// <summary>Width inside the feed-forward block.</summary>
    public int IntermediateSize { get; set; } = 3072;

    /// <summary>Activation of the feed-forward block and of the masked-LM head.</summary>
    public string HiddenAct { get; set; } = "gelu";

    /// <summary>Rows of the position table.</summary>
    public int MaxPositionEmbeddings { get; set; } = 512;

    /// <summary>Rows of the segment table.</summary>
    public int TypeVocabSize { get; set; } = 2;

    /// <summary>Added to the variance in LayerNorm.</summary>
    public double LayerNormEps { get; set; } = 1e-12;

    /// <inheritdoc/>
    public override int? PadTokenId { get; set; } = 0;

    /// <summary>Kind of position embedding; only <c>absolute</c> is supported.</summary>
    public string PositionEmbeddingType { get; set; } = "absolute";

    /// <summary>Whether the masked-LM decoder is the token embedding itself.</summary>
    public bool TieWordEmbeddings { get; set; } = true;

    /// <summary>Causal BERT; not supported.</summary>
    public bool IsDecoder { get; set; }

    /// <summary>Cross attention; not supported.</summary>
    public bool AddCrossAttention { get; set; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override PositionLimit Positions => new("max_position_embeddings", MaxPositionEmbeddings);

    /// <inheritdoc/>
    [JsonIgnore]
    public override (string Key, int Count)? TokenTypes => ("type_vocab_size", TypeVocabSize);

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HiddenWidth => HiddenSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Layers => NumHiddenLayers;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Heads => NumAttentionHeads;

    /// <summary><see cref="HiddenAct"/> as a kernel knows it.</summary>
    [JsonIgnore]
    internal ActivationFunction Activation => ParseActivation("hidden_act", HiddenAct);

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        RequireSize("hidden_size", HiddenSize);
        RequireSize("num_hidden_layers", NumHiddenLayers, most: 4096);
        RequireSize("num_attention_heads", NumAttentionHeads);
        RequireSharedBy("hidden_size", HiddenSize, "num_attention_heads", NumAttentionHeads);
        RequireSize("intermediate_size", IntermediateSize);
        RequireSize("max_position_embeddings", MaxPositionEmbeddings);
        RequireSize("type_vocab_size", TypeVocabSize);
        Require(double.IsFinite(LayerNormEps) && LayerNormEps >= 0, "layer_norm_eps", LayerNormEps, "a number of at least 0");
        Require(PositionEmbeddingType == "absolute", "position_embedding_type", PositionEmbeddingType, "absolute (relative positions are not supported)");
        Require(!IsDecoder && !AddCrossAttention, "is_decoder / add_cross_attention", "true", "false (only encoders are supported)");
        _ = Activation;
    }
}
