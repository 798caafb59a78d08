namespace ManagedTransformers;

/// <summary>score − log Σ exp(score): log probabilities, which no longer change what is probable.</summary>
/// <remarks>transformers' LogitNormalization.</remarks>
/// <param name="kernels">Level of the sum.</param>
internal sealed class LogitNormalization(KernelOptions kernels) : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        double denominator = Softmax.LogSumExp(scores, kernels);
        for (int i = 0; i < scores.Length; i++)
            scores[i] = (float)(scores[i] - denominator);
    }
}
