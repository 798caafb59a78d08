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
    /// <param name="plan">The plan.</param>
    /// <param name="maxLength">The most tokens, prompt included.</param>
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
