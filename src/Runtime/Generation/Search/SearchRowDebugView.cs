namespace ManagedTransformers;

/// <summary>A text that is generated, as a debugger opens it: its tokens by name.</summary>
internal sealed class SearchRowDebugView(SearchRow row)
{
    public TokenView[] Prompt => TokenView.Of(row.Tokenizer, row.Prompt.InputIds);

    public TokenView[] Generated => TokenView.Of(row.Tokenizer, row.Generated);

    public string? Text => row.Tokenizer?.Decode(row.InputIds);

    public FinishReason? FinishReason => row.FinishReason;

    /// <summary>The sequence of the KV cache that holds it.</summary>
    public int Slot => row.Slot;

    public IReadOnlyList<TokenProbability>? LogProbabilities => row.LogProbabilities;
}
