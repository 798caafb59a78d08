namespace ManagedTransformers;

/// <summary>Likelihoods of token ids, for models without a tokenizer.</summary>
public static class CausalLMScoring
{
    /// <summary>log p(idᵢ | the ids before it) for every id but the first, which has none before it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ids">At least two ids, of any number: what is longer than a window is read in windows. To score the first id too, put the
    /// beginning-of-text token before it.</param>
    /// <param name="options">Window and stride; the other options are of texts.</param>
    /// <param name="progress">Told after each part.</param>
    /// <param name="cancellationToken">Ends the work within 128 tokens.</param>
    /// <returns>[ids − 1] natural logarithms; the mean of their negatives is the loss that transformers gives for labels = ids, where they fit one
    /// window.</returns>
    /// <exception cref="ModelInputException">There are fewer than two ids, one is outside the vocabulary, or the window is longer than n_positions.</exception>
    /// <exception cref="CheckpointException">A score is not finite.</exception>
    public static double[] LogProbabilities(
        this ICausalLM model, ReadOnlySpan<int> ids, ScoringOptions? options = null, IProgress<ScoringProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (ids.Length < 2)
            throw new ModelInputException($"{ids.Length} ids were given; at least 2 are needed: an id has a probability after those before it. " +
                "Put the beginning-of-text token first.");
        var logProbabilities = new double[ids.Length - 1];
        Visit(model, ids, firstTarget: 1, options ?? ScoringOptions.Default, (index, _, logProbability) => logProbabilities[index - 1] = logProbability,
            progress, cancellationToken);
        return logProbabilities;
    }

    /// <summary>Visits every id from <paramref name="firstTarget"/> on once, in windows where there are more ids than fit one.</summary>
    internal static void Visit(
        ICausalLM model, ReadOnlySpan<int> ids, int firstTarget, ScoringOptions options, TokenVisitor visit, IProgress<ScoringProgress>? progress,
        CancellationToken cancellationToken, int partTokens = LogitsReader.PartTokens)
    {
        (int window, int stride) = options.WindowsOf(model.Config);
        using var reader = new LogitsReader(model, Math.Min(window, ids.Length), partTokens);
        (int scored, int total) = (0, ids.Length - firstTarget);
        foreach (SlidingWindow part in SlidingWindow.Over(ids.Length, firstTarget, window, stride))
        {
            reader.Keep(0);          // what a window has read counts from its own beginning
            void VisitInText(int index, ReadOnlySpan<float> logits, double logProbability)
            {
                visit(part.Begin + index, logits, logProbability);
                scored++;
            }
            void Report() => progress?.Report(new ScoringProgress(scored, total));
            reader.Read(ids[part.Begin..part.End], part.FirstTarget - part.Begin, VisitInText, Report, cancellationToken);
        }
    }
}
