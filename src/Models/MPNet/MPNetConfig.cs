using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>MPNet's configuration; names and defaults of transformers' MPNetConfig. It is RoBERTa's without segments, and with a bias by distance.</summary>
internal sealed record MPNetConfig : RobertaConfig
{
    /// <summary>Rows of the bias table that are used, whatever relative_attention_num_buckets says.</summary>
    /// <remarks>transformers MPNetEncoder.compute_position_bias.</remarks>
    internal const int Buckets = 32;

    /// <inheritdoc/>
    public override string ModelType => "mpnet";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 30527;

    /// <summary>Rows of the table of biases: distances between tokens fall into so many buckets.</summary>
    public int RelativeAttentionNumBuckets { get; set; } = Buckets;

    /// <summary>MPNet has no segments.</summary>
    [JsonIgnore]
    public override (string Key, int Count)? TokenTypes => null;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Require(RelativeAttentionNumBuckets is >= Buckets and <= MaxSize, "relative_attention_num_buckets", RelativeAttentionNumBuckets,
            $"a number in {Buckets} … {MaxSize} (the first {Buckets} are used)");
    }
}
