namespace ManagedTransformers;

/// <summary>How tokens with labels become entities; names and meanings are those of transformers' AggregationStrategy.</summary>
public enum AggregationStrategy
{
    /// <summary>Every token is an entity, with its label as the model has it (<c>B-NAME</c>).</summary>
    None,

    /// <summary>Neighbours with the same tag are joined; <c>B-</c> starts a new entity. A word may be split between entities.</summary>
    Simple,

    /// <summary>As Simple, each word labelled by its first token.</summary>
    First,

    /// <summary>As Simple, each word labelled by the mean of its tokens' probabilities.</summary>
    Average,

    /// <summary>As Simple, each word labelled by its token with the highest probability.</summary>
    Max,
}

/// <summary>What token classification returns, and how it reads long texts.</summary>
public sealed record TokenClassificationOptions
{
    /// <summary>The defaults.</summary>
    public static TokenClassificationOptions Default { get; } = new();

    /// <summary>How tokens become entities.</summary>
    public AggregationStrategy Aggregation { get; init; } = AggregationStrategy.Simple;

    /// <summary>Labels that are left out, as the model has them or without <c>B-</c> and <c>I-</c>.</summary>
    public IReadOnlyList<string> IgnoreLabels { get; init; } = ["O"];

    /// <summary>Leaves the white space at both ends out of an entity's span. Byte-level tokens carry the space before a word, and where the tokenizer does not
    /// trim it (StarEncoder's), the span begins with it, as in transformers: <c>" ada@example.org"</c>. A span of white space alone stays.</summary>
    public bool TrimOffsets { get; init; }

    /// <summary>Reads a text that is too long in windows that share this many tokens with their neighbour; where windows overlap, their probabilities are
    /// summed and renormalised, as StarPII's inference does. Null: such a text is refused.</summary>
    public int? Stride { get; init; }

    /// <summary>Tokens of a window, special tokens included; null: as many as the model reads. StarPII was used with 512.</summary>
    public int? WindowLength { get; init; }
}

/// <summary>A part of a text with a label.</summary>
/// <param name="Label">The tag (<c>NAME</c>; transformers' entity_group), or the token's whole label (<c>B-NAME</c>) with <see
/// cref="AggregationStrategy.None"/>.</param>
/// <param name="Score">Mean probability of the label over the entity's tokens, or words where they are aggregated.</param>
/// <param name="Start">Where it starts in the .NET string, in UTF-16 units.</param>
/// <param name="End">Where it ends, exclusive.</param>
/// <param name="Text">The text between.</param>
/// <param name="CodePointStart">Start in Unicode code points: transformers' start.</param>
/// <param name="CodePointEnd">End in Unicode code points, exclusive.</param>
public sealed record Entity(string Label, float Score, int Start, int End, string Text, int CodePointStart, int CodePointEnd);
