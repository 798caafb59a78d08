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

    /// <summary>The criteria that options ask for, in the order of transformers' GenerationMixin._get_stopping_criteria.</summary>
    /// <param name="options">The caller's options over the checkpoint's, validated.</param>
    /// <param name="maxLength">The most tokens, prompt included, as settled.</param>
    /// <param name="eosTokenId">The end tokens.</param>
    internal static StoppingCriterion[] For(GenerationOptions options, int maxLength, IReadOnlyList<int> eosTokenId)
    {
        var criteria = new List<StoppingCriterion> { new MaxLengthCriteria(maxLength) };
        if (options.MaxTime is TimeSpan maxTime)
            criteria.Add(new MaxTimeCriteria(maxTime));
        if (options.StopStrings is { Count: > 0 } strings)
            criteria.Add(new StopStringCriteria(strings));
        if (eosTokenId.Count > 0)
            criteria.Add(new EosTokenCriteria(eosTokenId));
        criteria.AddRange(options.StoppingCriteria ?? []);
        return [.. criteria];
    }
}
