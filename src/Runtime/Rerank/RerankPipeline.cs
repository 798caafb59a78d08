using ManagedTransformers.Models;

namespace ManagedTransformers;


/// <summary>Orders documents by how well each answers a query: a cross-encoder, which reads both as one pair of texts.</summary>
/// <remarks>
/// Nogueira &amp; Cho 2019, arXiv:1901.04085; CrossEncoder.rank of sentence-transformers, whose checkpoints are classifiers with one label. A score is the
/// logit's sigmoid unless the checkpoint says Identity: <c>activation_fn</c> of config_sentence_transformers.json, else
/// <c>sentence_transformers.activation_fn</c> of config.json, in older files <c>sbert_ce_default_activation_function</c>. Limit and case are those of
/// sentence_bert_config.json, where there is one.
/// </remarks>
public sealed class RerankPipeline : EncoderPipeline
{
    private readonly ISequenceClassifier _model;
    private readonly CrossEncoderFiles _files;

    private RerankPipeline(PretrainedModel model, Tokenizer tokenizer, CrossEncoderFiles files, bool ownsModel)
        : base(model, tokenizer, ownsModel, files.Transformer.MaxSeqLength)
    {
        _model = model.Require<ISequenceClassifier>("does not score pairs of texts");
        if (model.Config.NumLabels != 1)
            throw new ConfigException($"{model.Architecture} has {model.Config.NumLabels} labels (config.json, id2label); a reranker has 1, whose score " +
                "orders the documents. Use TextClassificationPipeline (mtx classify --pair) for classes of pairs.");
        _files = files;
    }

    /// <summary>What of the checkpoint's files is not honoured, and what is odd about its weights, in sentences for people; <see cref="LoadOptions.Strict"/>
    /// makes it an error.</summary>
    public IReadOnlyList<string> Warnings => [.. Model.Warnings, .. _files.Warnings];

    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static RerankPipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static RerankPipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create(PretrainedModel, Tokenizer)"/>
    public static RerankPipeline Create(PretrainedModel model, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new(model, tokenizer, CrossEncoderFiles.Of(model.Config), ownsModel: false);
    }

    /// <inheritdoc cref="FillMaskPipeline.Create(Pipeline)"/>
    public static RerankPipeline Create(Pipeline other) => Share(other, (model, tokenizer) => new RerankPipeline(
        model, tokenizer, other.Files is { } files ? CrossEncoderFiles.Read(files, model.Config) : CrossEncoderFiles.Of(model.Config), ownsModel: false));

    /// <summary>Orders documents.</summary>
    /// <param name="query">What is looked for.</param>
    /// <param name="documents">What may answer it.</param>
    /// <param name="topN">How many to give, the best ones; null: all.</param>
    /// <param name="truncation">Cut the longer of query and document where both are too long for the model, instead of refusing them.</param>
    /// <param name="progress">Told how many documents are done.</param>
    /// <param name="cancellationToken">Ends the work: between two words, or two modules of the model.</param>
    /// <returns>The documents, best first; of equals the earlier one.</returns>
    /// <exception cref="ModelInputException">Query or document is empty, or both are too long and <paramref name="truncation"/> is off.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="topN"/> is below 1.</exception>
    public IReadOnlyList<RerankScore> Rank(string query, IReadOnlyList<string> documents, int? topN = null, bool truncation = false,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentOutOfRangeException.ThrowIfLessThan(topN ?? 1, 1, nameof(topN));
        float[] scores = ScoreRows(
            documents.Count, i => Row(Cased(query), documents[i], i, truncation, cancellationToken), _files.HasSigmoid, progress, cancellationToken);
        return [.. Ranking.Best(scores, topN ?? scores.Length).Select(i => new RerankScore(i, documents[i], scores[i]))];
    }

    /// <summary>How well each document answers its query. <paramref name="sigmoid"/>: as the logit's sigmoid, or as the logit; null: as the checkpoint
    /// says.</summary>
    internal float[] Score(
        IReadOnlyList<(string Query, string Document)> pairs, bool truncation, bool? sigmoid, CancellationToken cancellationToken) => ScoreRows(
        pairs.Count,
        i => Texts.Row(Cased(pairs[i].Query), Cased(pairs[i].Document), truncation, cancellationToken: cancellationToken),
        sigmoid ?? _files.HasSigmoid,
        progress: null,
        cancellationToken);

    private float[] ScoreRows(int rows, Func<int, EncoderRow> encode, bool sigmoid, IProgress<int>? progress, CancellationToken cancellationToken)
    {
        var scores = new float[rows];
        RunTexts(rows, encode, (batch, inputs, session) =>
        {
            Span<float> logits = _model.Forward(inputs, session).Logits.Span;           // [rows, 1]
            if (sigmoid)
                Activations.Run(ActivationFunction.Sigmoid, logits, logits, session.Kernels);
            for (int r = 0; r < batch.Count; r++)
                scores[batch[r].Text] = logits[r];
        }, progress, cancellationToken);
        Scores.RequireNumbers(scores, "score of document", Model);
        return scores;
    }

    private EncoderRow Row(string query, string document, int number, bool truncation, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(document, $"documents[{number}]");
        try
        {
            return Texts.Row(query, Cased(document), truncation, cancellationToken: cancellationToken);
        }
        catch (ModelInputException e)
        {
            throw new ModelInputException($"The query with document {number}: {e.Message}", e);
        }
    }

    private string Cased(string text) => _files.Transformer.DoLowerCase ? TransformerConfig.Lower(text) : text;

    /// <summary>Opens it from a directory or from files in memory.</summary>
    internal static RerankPipeline Open(ModelFiles files, PipelineOptions? options)
    {
        options ??= PipelineOptions.Default;
        return files.Open(options, files.LoadModel, (model, tokenizer) =>
        {
            CrossEncoderFiles read = CrossEncoderFiles.Read(files, model.Config);
            ModuleReader.Report(read.Warnings, options.Load);
            return new RerankPipeline(model, tokenizer, read, ownsModel: true);
        });
    }
}

/// <summary>How well a document answers a query.</summary>
/// <param name="Index">Its number among the documents, from 0.</param>
/// <param name="Document">The document.</param>
/// <param name="Score">Higher is better; 0 … 1 where the checkpoint's scores are sigmoids.</param>
public sealed record RerankScore(int Index, string Document, float Score);
