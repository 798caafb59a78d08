namespace ManagedTransformers;

/// <summary>Ends a text that has so many tokens, the prompt's included.</summary>
/// <remarks>transformers' MaxLengthCriteria.</remarks>
/// <param name="maxLength">The most tokens.</param>
internal sealed class MaxLengthCriteria(int maxLength) : StoppingCriterion
{
    internal override FinishReason Reason => FinishReason.Length;

    public override bool IsMet(GenerationState state) => state.InputIds.Length >= maxLength;
}
