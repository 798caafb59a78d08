namespace ManagedTransformers;

/// <summary>Ends a text at an end token.</summary>
/// <remarks>transformers' EosTokenCriteria.</remarks>
/// <param name="eosTokenId">The end tokens.</param>
internal sealed class EosTokenCriteria(IReadOnlyList<int> eosTokenId) : StoppingCriterion
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    internal override FinishReason Reason => FinishReason.EndToken;

    public override bool IsMet(GenerationState state) => state.NewTokens is [.., int last] && _eosTokenId.AsSpan().Contains(last);
}
