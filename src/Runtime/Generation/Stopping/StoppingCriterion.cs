using System.Buffers;
using System.Runtime.InteropServices;

namespace ManagedTransformers;


/// <summary>A reason to end a text. Derive from it for reasons of your own: <see cref="GenerationOptions.StoppingCriteria"/>.</summary>
/// <remarks>transformers' StoppingCriteria. An instance serves all rows, and many generations at once: it must keep nothing between calls.</remarks>
/// <example><code>
/// sealed class ThreeLines : StoppingCriterion
/// {
///     public override bool IsMet(GenerationState state) => state.Text.Count('\n') >= 3;
/// }
/// </code></example>
public abstract class StoppingCriterion
{
    /// <summary>Does the text end with the token that it was just given?</summary>
    /// <param name="state">The row, that token included.</param>
    public abstract bool IsMet(GenerationState state);

    /// <summary>What is told of a text that ends by it.</summary>
    internal virtual FinishReason Reason => FinishReason.Criterion;

    /// <summary>The criteria of a plan. What the text says stands before any limit: the last token that there is room for may complete a stop string.</summary>
    internal static StoppingCriterion[] For(GenerationPlan plan, int maxLength)
    {
        var criteria = new List<StoppingCriterion>();
        if (plan.EosTokenId.Count > 0)
            criteria.Add(new EosTokenCriteria(plan.EosTokenId));
        if (plan.Options.StopStrings is { Count: > 0 } strings)
            criteria.Add(new StopStringCriteria(strings));
        if (plan.EndingRecipe is TruncationRecipe recipe)
            criteria.Add(new TruncationCriteria(recipe, plan.Tokenizer!));
        criteria.AddRange(plan.Options.StoppingCriteria ?? []);
        criteria.Add(new MaxLengthCriteria(maxLength));
        if (plan.Options.MaxTime is TimeSpan maxTime)
            criteria.Add(new MaxTimeCriteria(maxTime));
        return [.. criteria];
    }
}

/// <summary>Ends a text at an end token.</summary>
/// <remarks>transformers' EosTokenCriteria.</remarks>
internal sealed class EosTokenCriteria(IReadOnlyList<int> eosTokenId) : StoppingCriterion
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    internal override FinishReason Reason => FinishReason.EndToken;

    public override bool IsMet(GenerationState state) => state.NewTokens is [.., int last] && _eosTokenId.AsSpan().Contains(last);
}

/// <summary>Ends a text when one of some strings is in it.</summary>
/// <remarks>transformers' StopStringCriteria, which looks at tokens; here it is the text, so that a string may begin and end inside tokens. Only the generated
/// text counts: a string that begins in the prompt does not end it.</remarks>
internal sealed class StopStringCriteria(IReadOnlyList<string> stopStrings) : StoppingCriterion
{
    internal override FinishReason Reason => FinishReason.StopString;

    public override bool IsMet(GenerationState state)
    {
        ReadOnlySpan<char> text = state.Text;
        foreach (string stop in stopStrings)
        {
            if (text.Contains(stop, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}

/// <summary>Ends a text once it is certain where a recipe cuts it, so that nothing is generated that would be cut off.</summary>
/// <remarks>The text itself is not cut: that is <see cref="TruncationRecipe.Apply"/>, which gives the same of this text as of one that went on.</remarks>
internal sealed class TruncationCriteria(TruncationRecipe recipe, Tokenizer tokenizer) : StoppingCriterion
{
    // A criterion keeps nothing between calls and serves all rows: the prompt is decoded where it is needed.
    public override bool IsMet(GenerationState state) =>
        recipe.Find(CompletedText.PromptFor(recipe, state.InputIds[..state.PromptLength], tokenizer), state.Text.ToString(), complete: false).IsCertain;
}

/// <summary>Ends a text of the greatest length, the prompt included.</summary>
/// <remarks>transformers' MaxLengthCriteria.</remarks>
internal sealed class MaxLengthCriteria(int maxLength) : StoppingCriterion
{
    internal override FinishReason Reason => FinishReason.Length;

    public override bool IsMet(GenerationState state) => state.InputIds.Length >= maxLength;
}

/// <summary>Ends all texts after some time since the generation began.</summary>
/// <remarks>transformers' MaxTimeCriteria.</remarks>
internal sealed class MaxTimeCriteria(TimeSpan maxTime) : StoppingCriterion
{
    internal override FinishReason Reason => FinishReason.MaxTime;

    public override bool IsMet(GenerationState state) => state.Elapsed > maxTime;
}

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
/// <param name="decoder">Decodes them; special tokens give their text, as <see cref="Tokenizer.Decode"/> has it by default.</param>
internal sealed class GeneratedText(DecodeStream decoder)
{
    private readonly DecodeStream _decoder = decoder;
    private readonly ArrayBufferWriter<char> _text = new();
    private readonly List<int> _decoded = [];

    /// <summary>The text of tokens that go on after others.</summary>
    public GeneratedText(Tokenizer tokenizer)
        : this(tokenizer.ContinueDecoding())
    {
    }

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
