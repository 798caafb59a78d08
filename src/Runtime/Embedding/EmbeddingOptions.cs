namespace ManagedTransformers;

/// <summary>How the vectors of a text's tokens become one.</summary>
public enum Pooling
{
    /// <summary>The first token's.</summary>
    Cls,

    /// <summary>Their mean, special tokens included.</summary>
    Mean,

    /// <summary>The greatest value of each component.</summary>
    Max,
}

/// <summary>How sentences are embedded.</summary>
public sealed record EmbeddingOptions
{
    /// <summary>What the checkpoint itself says.</summary>
    public static EmbeddingOptions Default { get; } = new();

    /// <summary>How tokens become one vector; null: what modules.json says, mean where there is none.</summary>
    public Pooling? Pooling { get; init; }

    /// <summary>Divide by the vector's length (L2 norm); null: what modules.json says, no where there is none.</summary>
    public bool? Normalize { get; init; }

    /// <summary>Cuts a text that is too long at its end, instead of refusing it.</summary>
    public bool Truncation { get; init; }
}
