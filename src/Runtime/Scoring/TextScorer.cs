namespace ManagedTransformers;


/// <summary>Calculates the likelihood of texts under a causal language model: log probabilities, whole and per token, and perplexity of texts of any
/// length.</summary>
/// <remarks>log p(x₁ … xₙ) = Σ log softmax(logitsᵢ₋₁)[xᵢ]. Texts longer than a window follow transformers' guide "Perplexity of fixed-length models": windows
/// that begin a stride after each other, each token scored once. Each call has its own KV cache; many may run at once.</remarks>
/// <example><code>
/// using var scorer = TextScorer.Load("models/demo-codegen");
/// TextScore score = scorer.Score("def add(a, b):\n    return a + b\n");
/// Console.WriteLine($"{score.LogProbability:F2} over {score.TokenCount} tokens, {score.BitsPerByte:F3} bits per byte");
/// </code></example>
public sealed class TextScorer : Pipeline
{
    private readonly ICausalLM _model;

    private TextScorer(PretrainedModel model, Tokenizer tokenizer, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        _model = model.Require<ICausalLM>("gives no probability of a text");
    }

    internal ICausalLM CausalLM => _model;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static TextScorer Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static TextScorer FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create(PretrainedModel, Tokenizer)"/>
    public static TextScorer Create(ICausalLM model, Tokenizer tokenizer) => new((PretrainedModel)model, tokenizer, ownsModel: false);

    /// <inheritdoc cref="FillMaskPipeline.Create(Pipeline)"/>
    public static TextScorer Create(Pipeline other) => Share(other, (model, tokenizer) => new TextScorer(model, tokenizer, ownsModel: false));

    /// <summary>How likely a text is, whole and per token.</summary>
    /// <param name="text">The text, of any length.</param>
    /// <param name="options">Window and stride, whether a token begins the text, what is told of each token.</param>
    /// <param name="progress">Told after each part how many tokens are scored.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <exception cref="ModelInputException">The text is empty, or a single token with nothing before it; or the options do not fit the model.</exception>
    /// <exception cref="CheckpointException">The model's scores are not finite.</exception>
    public TextScore Score(
        string text, ScoringOptions? options = null, IProgress<ScoringProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= ScoringOptions.Default;
        return Score(BeginOfText(options), text, Encode(text, "text", cancellationToken), options, progress, cancellationToken);
    }

    /// <summary>exp(−1/n · Σ log p(xᵢ | what is before it in its window)): perplexity of a text of any length.</summary>
    /// <remarks>Jelinek et al. 1977; windows as transformers' guide "Perplexity of fixed-length models" has them. Its sample subtracts one token per window
    /// from the count that weights a window's loss, though only the first window has a token without a probability; here every token has the same
    /// weight.</remarks>
    /// <inheritdoc cref="Score(string, ScoringOptions?, IProgress{ScoringProgress}?, CancellationToken)"/>
    public double Perplexity(
        string text, ScoringOptions? options = null, IProgress<ScoringProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Score(text, (options ?? ScoringOptions.Default) with { OutputTokens = false }, progress, cancellationToken).Perplexity;

    /// <summary>How likely a text is after another one: log p(continuation | context). Offsets of tokens are places in the continuation.</summary>
    /// <param name="context">What stands before; it may be empty where a token begins the text.</param>
    /// <param name="continuation">What is scored. Context and continuation become tokens each for itself, as when a prompt is continued. Vocabularies
    /// write a space together with the word after it, so a space between the two belongs to the continuation.</param>
    /// <param name="options">Window and stride, whether a token begins the context, what is told of each token.</param>
    /// <param name="progress">Told after each part how many tokens are scored.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <exception cref="ModelInputException">The continuation is empty, or nothing is before it; or the options do not fit the model.</exception>
    /// <exception cref="CheckpointException">The model's scores are not finite.</exception>
    public TextScore ScoreContinuation(
        string context, string continuation, ScoringOptions? options = null, IProgress<ScoringProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options ??= ScoringOptions.Default;
        int[] before = ContextIds(context, options, cancellationToken);
        return Score(before, continuation, Encode(continuation, "continuation", cancellationToken), options, progress, cancellationToken);
    }

    /// <summary>Scores several continuations of one context. The context is read once where it fits a window together with the longest of them.</summary>
    /// <param name="context">What stands before.</param>
    /// <param name="continuations">What is scored, as <see cref="ScoreContinuation"/> does it.</param>
    /// <param name="options">Window and stride, whether a token begins the context, what is told of each token.</param>
    /// <param name="progress">Told after each part how many tokens of all continuations are scored.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <returns>The likeliest first, of equals in the order given. Longer continuations are less likely: order by
    /// <see cref="TextScore.MeanLogProbability"/> where that should not count.</returns>
    /// <inheritdoc cref="ScoreContinuation"/>
    public IReadOnlyList<ContinuationScore> Rank(
        string context, IReadOnlyList<string> continuations, ScoringOptions? options = null, IProgress<ScoringProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(continuations);
        if (continuations.Count == 0)
            return [];
        options ??= ScoringOptions.Default;
        int[] before = ContextIds(context, options, cancellationToken);
        TokenEncoding[] encodings = [.. continuations.Select((text, i) => Encode(text, $"continuation {i}", cancellationToken))];
        int longest = before.Length + encodings.Max(encoding => encoding.Length);
        using LogitsReader? shared = longest <= options.WindowsOf(_model.Config).Window ? new LogitsReader(_model, longest) : null;
        var tally = new Tally(progress, encodings.Sum(encoding => encoding.Length));
        var scores = new ContinuationScore[encodings.Length];
        for (int i = 0; i < scores.Length; i++)
        {
            TextScore score = shared is null
                ? Score(before, continuations[i], encodings[i], options, tally, cancellationToken)
                : ScoreAfter(before, continuations[i], encodings[i], shared, options, tally, cancellationToken);
            scores[i] = new ContinuationScore(i, continuations[i], score);
            tally.Next(encodings[i].Length);
        }
        return [.. scores.OrderByDescending(one => one.Score.LogProbability)];
    }

    /// <summary>Refuses options, and a context, with which every text would be refused.</summary>
    /// <returns>How many ids are read before a text.</returns>
    internal int Require(string? context, ScoringOptions options)
    {
        _ = options.WindowsOf(_model.Config);
        return (context is null ? BeginOfText(options) : ContextIds(context, options, CancellationToken.None)).Length;
    }

    /// <summary>Refuses a text that would be refused, without a pass of the model.</summary>
    internal void Require(string? context, string text, ScoringOptions options, CancellationToken cancellationToken) =>
        RequireContext(Require(context, options) + Encode(text, "text", cancellationToken).Length);

    /// <summary>The ids that are read for a text, and the first of them that has a probability.</summary>
    internal (int[] Ids, int FirstTarget) IdsOf(string text, ScoringOptions options)
    {
        int[] before = BeginOfText(options);
        int[] ids = [.. before, .. Encode(text, "text", CancellationToken.None).Ids];
        RequireContext(ids.Length);
        return (ids, Math.Max(1, before.Length));
    }

    private static TextScorer Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new TextScorer(model, tokenizer, ownsModel: true));

    private TextScore Score(
        int[] before, string text, TokenEncoding encoding, ScoringOptions options, IProgress<ScoringProgress>? progress, CancellationToken cancellationToken)
    {
        RequireContext(before.Length + encoding.Length);
        var collector = new ScoreCollector(Tokenizer, text, encoding, before.Length, options);
        CausalLMScoring.Visit(_model, [.. before, .. encoding.Ids], Math.Max(1, before.Length), options, collector.Visit, progress, cancellationToken);
        return collector.ToScore();
    }

    /// <summary>Scores a continuation of a context that the reader holds from the call before.</summary>
    private TextScore ScoreAfter(
        int[] before, string text, TokenEncoding encoding, LogitsReader reader, ScoringOptions options, Tally tally, CancellationToken cancellationToken)
    {
        var collector = new ScoreCollector(Tokenizer, text, encoding, before.Length, options);
        // The context's last token is read again, for the scores after it.
        reader.Keep(Math.Min(reader.Length, before.Length - 1));
        reader.Read([.. before, .. encoding.Ids], before.Length, collector.Visit, onPart: null, cancellationToken);
        tally.Report(new ScoringProgress(encoding.Length, encoding.Length));
        return collector.ToScore();
    }

    private static void RequireContext(int ids)
    {
        if (ids < 2)
            throw new ModelInputException("The text is a single token, and a token has a probability only after another one. " +
                "Set ScoringOptions.AddBeginOfText, or give a longer text.");
    }

    private int[] ContextIds(string context, ScoringOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        int[] ids = [.. BeginOfText(options), .. Tokenizer.EncodeToIds(context, pair: null, EncodeOptions.Plain, cancellationToken)];
        return ids.Length > 0 ? ids : throw new ModelInputException("The context is empty, so the continuation's first token has none before it. " +
            "Set ScoringOptions.AddBeginOfText, or give a context.");
    }

    private int[] BeginOfText(ScoringOptions options)
    {
        if (!options.AddBeginOfText)
            return [];
        return [BeginningOfText
            ?? throw new ModelInputException("Neither tokenizer nor config.json names a token that begins a text. " +
                "Set ScoringOptions.AddBeginOfText to false: the first token then has no probability.")];
    }

    private TokenEncoding Encode(string text, string what, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(text);
        TokenEncoding encoding = Tokenizer.Encode(text, pair: null, EncodeOptions.Plain, cancellationToken);
        return encoding.Length > 0 ? encoding : throw new ModelInputException($"The {what} has no token ({text.Length} characters); at least one is needed.");
    }

    /// <summary>Progress over several texts.</summary>
    private sealed class Tally(IProgress<ScoringProgress>? progress, int total) : IProgress<ScoringProgress>
    {
        private int _done;

        public void Next(int tokens) => _done += tokens;

        public void Report(ScoringProgress value) => progress?.Report(new ScoringProgress(_done + value.Scored, total));
    }
}

/// <summary>Likelihoods of token ids, for models without a tokenizer.</summary>
public static class CausalLMScoring
{
    /// <summary>log p(idᵢ | the ids before it) for every id but the first, which has none before it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ids">At least two ids, of any number: what is longer than a window is read in windows. To score the first id too, put the
    /// beginning-of-text token before it.</param>
    /// <param name="options">Window and stride; the other options are of texts.</param>
    /// <param name="progress">Told after each part.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
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
