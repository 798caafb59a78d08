using System.Buffers;
using System.Runtime.InteropServices;

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

/// <summary>The text of one row while it grows: each token is decoded once. Not thread-safe.</summary>
/// <param name="tokenizer">What decodes; special tokens give their text, as <see cref="Tokenizer.Decode"/> has it by default.</param>
internal sealed class GeneratedText(Tokenizer tokenizer)
{
    private readonly DecodeStream _decoder = tokenizer.CreateDecodeStream();
    private readonly ArrayBufferWriter<char> _text = new();
    private readonly List<int> _decoded = [];

    /// <summary>The text of tokens, without a last character that is still incomplete. Good until the next call.</summary>
    /// <param name="tokens">All generated tokens of the row. Where they do not go on from those of the last call (a beam took another's place), all
    /// are decoded.</param>
    public ReadOnlySpan<char> Of(ReadOnlySpan<int> tokens)
    {
        if (!tokens.StartsWith(CollectionsMarshal.AsSpan(_decoded)))
        {
            _decoder.Flush();
            _text.ResetWrittenCount();
            _decoded.Clear();
        }
        foreach (int token in tokens[_decoded.Count..])
        {
            _text.Write(_decoder.Append(token));
            _decoded.Add(token);
        }
        return _text.WrittenSpan;
    }
}
