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
