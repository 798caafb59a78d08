namespace ManagedTransformers.Diagnostics;

/// <summary>How far a model's predictions are from another's on the same text: what quantizing its weights changes, for example. Logarithms are
/// natural.</summary>
/// <remarks>Kullback and Leibler 1951, "On Information and Sufficiency": KL(p ‖ q) = Σ p(t) · (log p(t) − log q(t)) over the tokens t of the vocabulary, with p
/// from the model that is compared with. It is 0 for equal predictions, and near enough what sampling by q instead of p costs, in nats per token.</remarks>
/// <example><code>
/// using var stored = TextScorer.Load("models/demo-codegen");
/// using var int4 = TextScorer.Load("models/demo-codegen", new PipelineOptions { Load = new LoadOptions { WeightFormat = WeightFormat.Int4 } });
/// ModelComparison compared = ModelComparison.Of(int4, stored, "def add(a, b):\n    return a + b\n");
/// Console.WriteLine($"KL {compared.MeanDivergence:F5}, the same likeliest token at {compared.Agreement:P1} of places");
/// </code></example>
public sealed class ModelComparison
{
    // Divergences of 10⁻⁶ would be lost in single precision.
    private static readonly KernelOptions s_inDouble = new() { Level = KernelLevel.Reference };

    private ModelComparison(double[] divergences, int agreed, double logProbability, double againstLogProbability)
    {
        TokenCount = divergences.Length;
        MeanDivergence = divergences.Average();
        Array.Sort(divergences);
        Divergence99 = divergences[(int)Math.Ceiling(0.99 * divergences.Length) - 1];
        Agreement = (double)agreed / divergences.Length;
        Perplexity = Math.Exp(-logProbability / divergences.Length);
        AgainstPerplexity = Math.Exp(-againstLogProbability / divergences.Length);
    }

    /// <summary>The tokens that have a probability, which are the places that are compared.</summary>
    public int TokenCount { get; }

    /// <summary>KL(against ‖ model), the mean of all places.</summary>
    public double MeanDivergence { get; }

    /// <summary>The 99th percentile of KL(against ‖ model): 99 % of the places have no more (nearest rank).</summary>
    public double Divergence99 { get; }

    /// <summary>The share of places, 0 … 1, at which both models have the same likeliest token; of equals the lower id.</summary>
    public double Agreement { get; }

    /// <summary>The text's perplexity under the model.</summary>
    public double Perplexity { get; }

    /// <summary>The text's perplexity under the model that it is compared with.</summary>
    public double AgainstPerplexity { get; }

    /// <summary>Compares two models on a text.</summary>
    /// <param name="model">The model and its tokenizer.</param>
    /// <param name="against">What it is compared with, with the same tokenizer.</param>
    /// <param name="text">The text, of any length.</param>
    /// <param name="options">Window and stride, and whether a token begins the text. The window is by default what both models read.</param>
    /// <param name="progress">Told after each part.</param>
    /// <param name="cancellationToken">Ends the work within 128 tokens.</param>
    /// <exception cref="ModelInputException">The text is empty, or a single token with nothing before it; the tokenizers differ; or the options do not fit a
    /// model.</exception>
    /// <exception cref="CheckpointException">A model's scores are not finite.</exception>
    public static ModelComparison Of(
        TextScorer model, TextScorer against, string text, ScoringOptions? options = null, IProgress<ScoringProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(against);
        options ??= ScoringOptions.Default;
        TokenizerFit.CheckCompared(against, model);
        (int[] ids, int firstTarget) = model.IdsOf(text, options);
        // The same vocabulary with other merges or another normalizer cuts a text in other places.
        if (!against.IdsOf(text, options).Ids.AsSpan().SequenceEqual(ids))
            throw new ModelInputException("The two tokenizers have the same vocabulary and cut the text into different tokens. " +
                "Compare two forms of one model.");
        return Of(model.CausalLM, against.CausalLM, ids, firstTarget, options, progress, cancellationToken);
    }

    /// <summary>Compares two models on token ids; the first id is only read.</summary>
    /// <param name="model">The model.</param>
    /// <param name="against">What it is compared with, with the same vocabulary.</param>
    /// <param name="ids">At least two ids, of any number.</param>
    /// <param name="options">Window and stride. The window is by default what both models read.</param>
    /// <param name="progress">Told after each part.</param>
    /// <param name="cancellationToken">Ends the work within 128 tokens.</param>
    /// <exception cref="ModelInputException">There are fewer than two ids, one is outside the vocabulary, the vocabularies differ, or the options do not fit a
    /// model.</exception>
    /// <exception cref="CheckpointException">A model's scores are not finite.</exception>
    public static ModelComparison Of(
        ICausalLM model, ICausalLM against, ReadOnlySpan<int> ids, ScoringOptions? options = null,
        IProgress<ScoringProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(against);
        if (ids.Length < 2)
            throw new ModelInputException($"{ids.Length} ids were given; at least 2 are needed: an id has a probability after those before it. " +
                "Put the beginning-of-text token first.");
        if (model.Config.VocabSize != against.Config.VocabSize)
            throw new ModelInputException($"The model to compare with has a vocabulary of {against.Config.VocabSize} tokens, the model one of " +
                $"{model.Config.VocabSize}. Probabilities compare over the same vocabulary only: compare two forms of one model.");
        return Of(model, against, ids, firstTarget: 1, options ?? ScoringOptions.Default, progress, cancellationToken);
    }

    private static ModelComparison Of(
        ICausalLM model, ICausalLM against, ReadOnlySpan<int> ids, int firstTarget, ScoringOptions options,
        IProgress<ScoringProgress>? progress, CancellationToken cancellationToken)
    {
        (int window, int stride) = options.WindowsOf(model.Config.MaxTokens < against.Config.MaxTokens ? model.Config : against.Config);
        using var reader = new LogitsReader(model, Math.Min(window, ids.Length));
        using var other = new LogitsReader(against, Math.Min(window, ids.Length));
        reader.CheckIds(ids);
        (double sum, double againstSum, int agreed, int count) = (0, 0, 0, 0);
        var divergences = new double[ids.Length - firstTarget];
        foreach (SlidingWindow part in SlidingWindow.Over(ids.Length, firstTarget, window, stride))
        {
            reader.Keep(0);
            other.Keep(0);
            ReadOnlySpan<int> read = ids[part.Begin..part.End];
            while (reader.Length < read.Length - 1)
            {
                cancellationToken.ThrowIfCancellationRequested();
                LogitsPart q = reader.ReadPart(read, part.FirstTarget - part.Begin), p = other.ReadPart(read, part.FirstTarget - part.Begin);
                for (int i = 0; i < q.Count; i++)
                {
                    Place place = Compare(p.Logits.Row(i), q.Logits.Row(i), read[q.FirstIndex + i]);
                    if (!double.IsFinite(place.Divergence))
                    {
                        Scores.RequireFinite(q.Logits.Row(i), "score of token", model);
                        Scores.RequireFinite(p.Logits.Row(i), "score of token", against);
                    }
                    (divergences[count++], sum, againstSum) = (place.Divergence, sum + place.LogQ, againstSum + place.LogP);
                    agreed += place.Agree ? 1 : 0;
                }
                progress?.Report(new ScoringProgress(count, divergences.Length));
            }
        }
        return new ModelComparison(divergences, agreed, sum, againstSum);
    }

    /// <summary>KL(softmax(p) ‖ softmax(q)) and what else is told of a place, from the scores of all tokens, [vocab_size] each.</summary>
    private static Place Compare(ReadOnlySpan<float> p, ReadOnlySpan<float> q, int id)
    {
        (double logZP, double logZQ) = (Softmax.LogSumExp(p, s_inDouble), Softmax.LogSumExp(q, s_inDouble));
        double divergence = 0;
        for (int t = 0; t < p.Length; t++)
        {
            double logP = p[t] - logZP, logQ = q[t] - logZQ;
            divergence += Math.Exp(logP) * (logP - logQ);
        }
        // Never negative but for rounding; Math.Max keeps NaN.
        return new Place(Math.Max(0, divergence), TokenNoise.Best(p) == TokenNoise.Best(q), p[id] - logZP, q[id] - logZQ);
    }

    private readonly record struct Place(double Divergence, bool Agree, double LogP, double LogQ);
}
