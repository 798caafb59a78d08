using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>RoBERTa's configuration; names and defaults of transformers' RobertaConfig.</summary>
internal record RobertaConfig : BertConfig
{
    /// <inheritdoc/>
    public override string ModelType => "roberta";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 50265;

    /// <inheritdoc/>
    public override int? PadTokenId { get; set; } = 1;

    /// <inheritdoc/>
    public override int? BosTokenId { get; set; } = 0;

    /// <inheritdoc/>
    [JsonConverter(typeof(TokenIdsConverter))]
    public override IReadOnlyList<int> EosTokenId { get; set; } = [2];

    /// <summary>The padding token, whose number also shifts the positions: they start at padding_idx + 1.</summary>
    [JsonIgnore]
    public int PaddingIdx => PadTokenId ?? 1;

    /// <inheritdoc/>
    [JsonIgnore]
    public override PositionLimit Positions => new("max_position_embeddings", MaxPositionEmbeddings) { PaddingIdx = PaddingIdx };

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Require(PaddingIdx >= 0 && PaddingIdx < VocabSize, "pad_token_id", PaddingIdx, $"an id in 0 … vocab_size − 1 = {VocabSize - 1}");
        Require(MaxTokens > 0, "max_position_embeddings", MaxPositionEmbeddings,
            $"more than pad_token_id + 1 = {PaddingIdx + 1}, where RoBERTa's positions start,");
    }
}
