namespace ManagedTransformers;

/// <summary>Changes the scores of the next token, before it is chosen. Derive from it for rules of your own:
/// <see cref="GenerationOptions.LogitsProcessors"/>.</summary>
/// <remarks>transformers' LogitsProcessor (and LogitsWarper: one that only sampling uses). An instance serves all rows, and many generations at once: it must
/// keep nothing between calls.</remarks>
/// <example><code>
/// sealed class OnlyEvenTokens : LogitsProcessor
/// {
///     public override void Process(ReadOnlySpan&lt;int> inputIds, Span&lt;float> scores)
///     {
///         for (int token = 1; token &lt; scores.Length; token += 2)
///             scores[token] = float.NegativeInfinity;
///     }
/// }
/// </code></example>
public abstract class LogitsProcessor
{
    /// <summary>Changes the scores of one row in place.</summary>
    /// <param name="inputIds">The row's tokens so far: prompt and generated.</param>
    /// <param name="scores">The score of each token, [vocab_size]; −∞ makes a token impossible. NaN may not be put in.</param>
    public abstract void Process(ReadOnlySpan<int> inputIds, Span<float> scores);

    // An end token may lie outside the vocabulary (config.json may be wrong); it has no score then.
    private protected static void Remove(ReadOnlySpan<int> tokens, Span<float> scores)
    {
        foreach (int token in tokens)
        {
            if ((uint)token < (uint)scores.Length)
                scores[token] = float.NegativeInfinity;
        }
    }
}
