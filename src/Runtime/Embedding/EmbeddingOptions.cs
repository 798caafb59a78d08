namespace ManagedTransformers;

/// <summary>How sentences are embedded.</summary>
public sealed record EmbeddingOptions
{
    /// <summary>What the checkpoint itself says.</summary>
    public static EmbeddingOptions Default { get; } = new();

    /// <summary>How tokens become one vector, several joined; null: what modules.json says, mean where there is none.</summary>
    public IReadOnlyList<Pooling>? Pooling { get; init; }

    /// <summary>Divide by the vector's length (L2 norm); null: what modules.json says, no where there is none.</summary>
    public bool? Normalize { get; init; }

    /// <summary>The name of the checkpoint's prompt to put before every text; null: its default_prompt_name, if it has one.</summary>
    public string? PromptName { get; init; }

    /// <summary>What to put before every text in place of the checkpoint's prompts; empty: nothing.</summary>
    public string? Prompt { get; init; }

    /// <summary>Cuts a text that is too long at its end, instead of refusing it.</summary>
    public bool Truncation { get; init; }
}
