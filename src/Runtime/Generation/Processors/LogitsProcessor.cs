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
    /// <param name="scores">The score of each token, [vocab_size]; −∞ makes a token impossible. NaN and +∞ may not be put in: the
    /// generation ends with a <see cref="ModelInputException"/> that names the processor.</param>
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

/// <summary>The processors that options ask for, in the order of transformers 4.46's GenerationMixin._get_logits_processor.</summary>
internal static class LogitsProcessors
{
    /// <summary>Makes the processors of one generation, of validated options over the checkpoint's (<see cref="GenerationOptions.Over"/>).</summary>
    public static LogitsProcessor[] For(GenerationOptions options, int promptLength, int maxLength, IReadOnlyList<int> eosTokenId, KernelOptions kernels)
    {
        var processors = new List<LogitsProcessor>();
        if (options.SequenceBias is { } biases)
            processors.Add(new SequenceBiasLogitsProcessor(biases));
        if (options.RepetitionPenalty is double penalty and not 1)
            processors.Add(new RepetitionPenaltyLogitsProcessor(penalty));
        if (options.NoRepeatNgramSize is int size and > 0)
            processors.Add(new NoRepeatNGramLogitsProcessor(size));
        if (options.BadWordsIds is { } words)
            processors.Add(new NoBadWordsLogitsProcessor(words, eosTokenId));
        // Where both minima are given, transformers takes the one of new tokens.
        if (options.MinNewTokens is null && options.MinLength is int minLength and > 0 && eosTokenId.Count > 0)
            processors.Add(new MinLengthLogitsProcessor(minLength, eosTokenId));
        if (options.MinNewTokens is int minNewTokens and > 0 && eosTokenId.Count > 0)
            processors.Add(new MinNewTokensLengthLogitsProcessor(promptLength, minNewTokens, eosTokenId));
        if (options.ForcedEosTokenId is { Count: > 0 } forced)
            processors.Add(new ForcedEosTokenLogitsProcessor(maxLength, forced));
        if (options.SuppressTokens is { Count: > 0 } suppressed)
            processors.Add(new SuppressTokensLogitsProcessor(suppressed));
        if (options.BeginSuppressTokens is { Count: > 0 } notFirst)
            processors.Add(new SuppressTokensAtBeginLogitsProcessor(notFirst, promptLength));
        processors.AddRange(options.LogitsProcessors ?? []);
        if (options.DoSample == true)
            AddWarpers(processors, options, eosTokenId, kernels);
        if (options.RenormalizeLogits == true)
            processors.Add(new LogitNormalization(kernels));
        return [.. processors];
    }

    /// <summary>Runs them one after the other.</summary>
    /// <exception cref="ModelInputException">One gives NaN or +∞, or all of them leave no token possible.</exception>
    public static void Process(LogitsProcessor[] processors, ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (processors.Length == 0)
            return;
        foreach (LogitsProcessor processor in processors)
        {
            processor.Process(inputIds, scores);
            // The built-in ones keep numbers numbers.
            if (processor.GetType().Assembly != typeof(LogitsProcessors).Assembly
                && scores.IndexOfAnyExceptInRange(float.NegativeInfinity, float.MaxValue) is >= 0 and int token)
                throw new ModelInputException($"{processor.GetType().Name} made the score of token {token} {(float.IsNaN(scores[token]) ? "NaN" : "+∞")}; " +
                    "numbers are needed, or −∞ for what may not come.");
        }
        if (!scores.ContainsAnyExcept(float.NegativeInfinity))
            throw new ModelInputException($"The options leave no token possible after {inputIds.Length} tokens: all {scores.Length} scores are −∞. " +
                "Suppress or bias fewer tokens.");
    }

    private static void AddWarpers(List<LogitsProcessor> processors, GenerationOptions options, IReadOnlyList<int> eosTokenId, KernelOptions kernels)
    {
        // Beams need a token that goes on beside all that end; transformers keeps two also where none ends.
        int keep = options.NumBeams > 1 ? Math.Max(eosTokenId.Count, 1) + 1 : 1;
        if (options.Temperature is double temperature and not 1)
            processors.Add(new TemperatureLogitsWarper(temperature));
        if ((options.TopK ?? GenerationOptionTable.UsualTopK) is int topK and > 0)
            processors.Add(new TopKLogitsWarper(topK, keep));
        if (options.TopP is double topP and < 1)
            processors.Add(new TopPLogitsWarper(topP, keep, kernels));
        if (options.MinP is double minP)
            processors.Add(new MinPLogitsWarper(minP, keep, kernels));
        if (options.TypicalP is double typicalP and < 1)
            processors.Add(new TypicalLogitsWarper(typicalP, keep, kernels));
        if (options.EpsilonCutoff is double epsilon and > 0)
            processors.Add(new EpsilonLogitsWarper(epsilon, keep, kernels));
        if (options.EtaCutoff is double eta and > 0)
            processors.Add(new EtaLogitsWarper(eta, keep, kernels));
    }
}
