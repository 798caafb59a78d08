namespace ManagedTransformers;

/// <summary>Ends all texts when so much time has passed since the generation began.</summary>
/// <remarks>transformers' MaxTimeCriteria.</remarks>
/// <param name="maxTime">The time.</param>
internal sealed class MaxTimeCriteria(TimeSpan maxTime) : StoppingCriterion
{
    internal override FinishReason Reason => FinishReason.MaxTime;

    public override bool IsMet(GenerationState state) => state.Elapsed > maxTime;
}
