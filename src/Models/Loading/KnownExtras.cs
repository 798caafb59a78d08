namespace ManagedTransformers.Models;

/// <summary>Tensors that checkpoints hold and a model may leave unread: buffers that are computed, and heads of sibling classes.</summary>
internal static class KnownExtras
{
    private static readonly string[] Buffers =
    [
        "embeddings.position_ids", "embeddings.token_type_ids",                                     // BERT, RoBERTa
        ".attn.causal_mask", ".attn.bias", ".attn.masked_bias", ".attn.embed_positions", ".attn.rotary_emb.inv_freq",     // CodeGen
    ];

    private static readonly string[] Heads = ["cls.", "lm_head.", "classifier.", "qa_outputs.", "pooler.", "bert.pooler.", "roberta.pooler."];

    /// <summary>Whether a tensor that nobody read is one of those.</summary>
    public static bool Contains(string name) => IsBufferName(name) || Heads.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>Whether a tensor is a buffer that the model computes: the names, but for a vector attn.bias, which is the parameter of another architecture's layer.</summary>
    public static bool IsBuffer(Weight weight) => IsBufferName(weight.Name) && !(weight.Shape.Count == 1 && weight.Name.EndsWith(".attn.bias", StringComparison.Ordinal));

    private static bool IsBufferName(string name) => Buffers.Any(suffix => name.EndsWith(suffix, StringComparison.Ordinal));
}
