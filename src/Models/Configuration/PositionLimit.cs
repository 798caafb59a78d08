namespace ManagedTransformers.Models;

/// <summary>The positions that a model has, and how tokens are numbered by them.</summary>
/// <param name="Key">The key of config.json that says how many there are, such as <c>n_positions</c>.</param>
/// <param name="Count">Rows of the position table, or the most positions that rotary angles are made for.</param>
public readonly record struct PositionLimit(string Key, int Count)
{
    /// <summary>
    /// RoBERTa's way of counting: padding stands at this position, and the other tokens count from the next one on, whatever the attention mask says.
    /// Null: a token's position is its column.
    /// </summary>
    public int? PaddingIdx { get; init; }

    /// <summary>The most tokens that fit.</summary>
    public int MaxTokens => PaddingIdx is int padding ? Count - padding - 1 : Count;

    /// <summary>Where the limit comes from, for messages: <c>max_position_embeddings 514, padding_idx 1</c>.</summary>
    public override string ToString() => PaddingIdx is int padding ? $"{Key} {Count}, padding_idx {padding}" : Key;
}
