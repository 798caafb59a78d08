namespace ManagedTransformers;


/// <summary>Tells which classes a text, or a pair of texts, belongs to.</summary>
/// <remarks>transformers' TextClassificationPipeline: sigmoid for one label or problem_type multi_label_classification, the plain score for regression, softmax
/// otherwise.</remarks>
public sealed class TextClassificationPipeline : EncoderPipeline
{
    private readonly ISequenceClassifier _model;

    private TextClassificationPipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        _model = model.Require<ISequenceClassifier>("does not classify texts");
    }

    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static TextClassificationPipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static TextClassificationPipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create(PretrainedModel, Tokenizer)"/>
    public static TextClassificationPipeline Create(PretrainedModel model, Tokenizer tokenizer) => new(model, tokenizer, ownsModel: false);

    /// <inheritdoc cref="FillMaskPipeline.Create(Pipeline)"/>
    public static TextClassificationPipeline Create(Pipeline other) => Share(other, Create);

    /// <summary>Classifies a text, or a pair such as a question and an answer.</summary>
    /// <returns>Classes and scores, best first.</returns>
    /// <exception cref="ModelInputException">A text is empty, or too long and <see cref="TextClassificationOptions.Truncation"/> is off.</exception>
    public IReadOnlyList<LabelScore> Classify(
        string text, string? pair = null, TextClassificationOptions? options = null, CancellationToken cancellationToken = default) =>
        Classify([(text, pair)], options, progress: null, cancellationToken)[0];

    /// <summary>Classifies many texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="options">What to return.</param>
    /// <param name="progress">Told how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <inheritdoc cref="Classify(string, string?, TextClassificationOptions?, CancellationToken)"/>
    public IReadOnlyList<IReadOnlyList<LabelScore>> Classify(
        IReadOnlyList<string> texts, TextClassificationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return Classify([.. texts.Select(text => (text, (string?)null))], options, progress, cancellationToken);
    }

    /// <summary>Classifies many pairs of texts.</summary>
    /// <inheritdoc cref="Classify(IReadOnlyList{string}, TextClassificationOptions?, IProgress{int}?, CancellationToken)"/>
    public IReadOnlyList<IReadOnlyList<LabelScore>> Classify(
        IReadOnlyList<(string Text, string? Pair)> pairs, TextClassificationOptions? options = null, IProgress<int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        options ??= TextClassificationOptions.Default;
        ClassificationFunction function = options.Function ?? DefaultFunction(Model.Config);
        var results = new IReadOnlyList<LabelScore>[pairs.Count];
        EncoderRow Encode(int i) => Texts.Row(pairs[i].Text, pairs[i].Pair, options.Truncation, cancellationToken: cancellationToken);
        RunTexts(results.Length, Encode, (batch, inputs, session) =>
        {
            FloatTensor logits = _model.Forward(inputs, session).Logits;           // [rows, labels]
            for (int r = 0; r < batch.Count; r++)
                results[batch[r].Text] = Rank(logits.Row(r), function, options.TopK ?? Model.Config.NumLabels, session.Kernels);
        }, progress, cancellationToken);
        return results;
    }

    /// <summary>Refuses a text that would be refused, without a pass of the model.</summary>
    internal void Require(string text, TextClassificationOptions options, CancellationToken cancellationToken) =>
        Texts.Row(text, pair: null, options.Truncation, cancellationToken: cancellationToken);

    internal static ClassificationFunction DefaultFunction(PretrainedConfig config) => config.ProblemType switch
    {
        "regression" => ClassificationFunction.None,
        "multi_label_classification" => ClassificationFunction.Sigmoid,
        _ => config.NumLabels == 1 ? ClassificationFunction.Sigmoid : ClassificationFunction.Softmax,
    };

    /// <summary>Opens it from a directory or from files in memory.</summary>
    internal static TextClassificationPipeline Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new TextClassificationPipeline(model, tokenizer, ownsModel: true));

    private LabelScore[] Rank(Span<float> scores, ClassificationFunction function, int topK, KernelOptions kernels)
    {
        if (function == ClassificationFunction.Softmax)
            Softmax.Run(scores, scores, kernels);
        else if (function == ClassificationFunction.Sigmoid)
            Activations.Run(ActivationFunction.Sigmoid, scores, scores, kernels);
        Scores.RequireNumbers(scores, "score of label", Model);
        int[] best = Ranking.Best(scores, topK);
        var ranked = new LabelScore[best.Length];
        for (int i = 0; i < best.Length; i++)
            ranked[i] = new LabelScore(Model.Config.Label(best[i]), scores[best[i]], best[i]);
        return ranked;
    }
}

/// <summary>How scores become probabilities.</summary>
public enum ClassificationFunction
{
    /// <summary>Each class for itself: 1 / (1 + exp(−x)).</summary>
    Sigmoid,

    /// <summary>The classes share a probability of 1.</summary>
    Softmax,

    /// <summary>The scores as they are; regression.</summary>
    None,
}

/// <summary>What text classification returns.</summary>
public sealed record TextClassificationOptions
{
    /// <summary>The defaults.</summary>
    public static TextClassificationOptions Default => new();

    /// <summary>How scores become probabilities; null: as config.json's problem_type and number of labels say (see <see
    /// cref="TextClassificationPipeline"/>).</summary>
    public ClassificationFunction? Function { get; init; }

    /// <summary>How many classes to give, the best ones; null: all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? TopK { get; init => field = OptionRange.Least(1, value); }

    /// <summary>Cuts a text that is too long at its end (of a pair the longer one first), instead of refusing it.</summary>
    public bool Truncation { get; init; }
}

/// <summary>A class and its probability.</summary>
/// <param name="Label">Its name, from id2label.</param>
/// <param name="Score">Its probability, or its score where the function is <see cref="ClassificationFunction.None"/>.</param>
/// <param name="Id">Its number.</param>
public sealed record LabelScore(string Label, float Score, int Id);
