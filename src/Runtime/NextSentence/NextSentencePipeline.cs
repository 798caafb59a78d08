namespace ManagedTransformers;

/// <summary>Whether a second text follows a first one.</summary>
/// <param name="IsNext">Probability that it follows.</param>
/// <param name="NotNext">Probability that it is from elsewhere; both add up to 1.</param>
public sealed record NextSentenceScore(float IsNext, float NotNext);

/// <summary>Tells how likely one text follows another: the second task of BERT's pre-training, for StarEncoder and its kin.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805, 3.1; transformers' seq_relationship_logits, of which number 0 means "follows".</remarks>
public sealed class NextSentencePipeline : EncoderPipeline
{
    private readonly INextSentence _model;

    private NextSentencePipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        _model = model.Require<INextSentence>("does not score next sentences");
    }

    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static NextSentencePipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static NextSentencePipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create(PretrainedModel, Tokenizer)"/>
    public static NextSentencePipeline Create(PretrainedModel model, Tokenizer tokenizer) => new(model, tokenizer, ownsModel: false);

    /// <inheritdoc cref="FillMaskPipeline.Create(Pipeline)"/>
    public static NextSentencePipeline Create(Pipeline other) => Share(other, Create);

    /// <summary>Scores a pair.</summary>
    /// <param name="first">The first text.</param>
    /// <param name="second">The text that may follow it.</param>
    /// <param name="truncation">Cut the longer text where both are too long for the model, instead of refusing them.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <exception cref="ModelInputException">A text is empty, or both are too long and <paramref name="truncation"/> is off.</exception>
    public NextSentenceScore Score(string first, string second, bool truncation = false, CancellationToken cancellationToken = default) =>
        Score([(first, second)], truncation, progress: null, cancellationToken)[0];

    /// <summary>Scores many pairs.</summary>
    /// <param name="pairs">The pairs.</param>
    /// <param name="truncation">Cut the longer text where both are too long for the model, instead of refusing them.</param>
    /// <param name="progress">Told how many pairs are done.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <exception cref="ModelInputException">A text is empty, or both are too long and <paramref name="truncation"/> is off.</exception>
    public IReadOnlyList<NextSentenceScore> Score(
        IReadOnlyList<(string First, string Second)> pairs, bool truncation = false, IProgress<int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var results = new NextSentenceScore[pairs.Count];
        RunTexts(results.Length, i => Row(pairs[i].First, pairs[i].Second, truncation, cancellationToken), (batch, inputs, session) =>
        {
            FloatTensor logits = _model.NextSentenceLogits(inputs, session);                                 // [rows, 2]
            for (int r = 0; r < batch.Count; r++)
            {
                Span<float> scores = logits.Row(r);
                Softmax.Run(scores, scores, session.Kernels);
                Scores.RequireNumbers(scores, "score of class", Model);
                results[batch[r].Text] = new NextSentenceScore(scores[0], scores[1]);
            }
        }, progress, cancellationToken);
        return results;
    }

    private EncoderRow Row(string first, string second, bool truncation, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(second);
        return Texts.Row(first, second, truncation, cancellationToken: cancellationToken);
    }

    private static NextSentencePipeline Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new NextSentencePipeline(model, tokenizer, ownsModel: true));
}
