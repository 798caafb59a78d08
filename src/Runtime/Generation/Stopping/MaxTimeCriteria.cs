namespace ManagedTransformers;

/// <summary>Ends all texts when so much time has passed since the generation began.</summary>
/// <remarks>transformers' MaxTimeCriteria.</remarks>
/// <param name="maxTime">The time.</param>
public sealed class MaxTimeCriteria(TimeSpan maxTime) : StoppingCriterion
{
    /// <inheritdoc/>
    public override bool IsMet(GenerationState state) => state.Elapsed > maxTime;
}
