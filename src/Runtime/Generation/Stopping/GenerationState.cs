namespace ManagedTransformers;

/// <summary>One row, after a token was appended to it: what a <see cref="StoppingCriterion"/> looks at.</summary>
public readonly ref struct GenerationState
{
    private readonly GeneratedText? _text;

    /// <summary>A state of your own making, to try a criterion with.</summary>
    /// <param name="inputIds">The row's tokens: prompt and generated.</param>
    /// <param name="promptLength">How many of them are the prompt's.</param>
    /// <param name="elapsed">Time since the generation began.</param>
    /// <param name="tokenizer">Decodes the row; null where there is none.</param>
    public GenerationState(ReadOnlySpan<int> inputIds, int promptLength, TimeSpan elapsed, Tokenizer? tokenizer = null)
        : this(inputIds, promptLength, elapsed, tokenizer is null ? null : new GeneratedText(tokenizer))
    {
    }

    internal GenerationState(ReadOnlySpan<int> inputIds, int promptLength, TimeSpan elapsed, GeneratedText? text)
    {
        InputIds = inputIds;
        PromptLength = promptLength;
        Elapsed = elapsed;
        _text = text;
    }

    /// <summary>The row's tokens: prompt and generated.</summary>
    public ReadOnlySpan<int> InputIds { get; }

    /// <summary>How many of <see cref="InputIds"/> are the prompt's.</summary>
    public int PromptLength { get; }

    /// <summary>The generated tokens; the last one is new.</summary>
    public ReadOnlySpan<int> NewTokens => InputIds[PromptLength..];

    /// <summary>Time since the generation began.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>The text of the generated tokens, without a last character that is still incomplete. Decoded when it is asked for.</summary>
    /// <exception cref="ModelInputException">There is no tokenizer.</exception>
    public ReadOnlySpan<char> Text => _text is not null
        ? _text.Of(NewTokens)
        : throw new ModelInputException("A stopping criterion (StopStrings is one) asks for the text, and a model alone has no tokenizer. " +
            "Generate with TextGenerator, or leave the criterion out.");
}
