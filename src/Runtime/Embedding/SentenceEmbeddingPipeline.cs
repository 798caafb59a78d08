using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using Microsoft.Extensions.AI;

namespace ManagedTransformers;

/// <summary>One vector per text, so that texts of like meaning have like vectors.</summary>
/// <remarks>
/// sentence-transformers' SentenceTransformer, whose modules.json, pooling config.json and sentence_bert_config.json are honoured; any
/// other checkpoint is pooled by mean. Also an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> of Microsoft.Extensions.AI.
/// </remarks>
public sealed class SentenceEmbeddingPipeline : EncoderPipeline, IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly SentenceModules _modules;

    private SentenceEmbeddingPipeline(PretrainedModel model, Tokenizer tokenizer, SentenceModules modules, bool ownsModel)
        : base(model, tokenizer, ownsModel, modules.MaxSeqLength)
    {
        RequireBody(model);
        _modules = modules;
    }

    /// <summary>The pooling that the checkpoint asks for.</summary>
    public Pooling Pooling => _modules.Pooling;

    /// <summary>Whether the checkpoint asks for vectors of length 1.</summary>
    public bool Normalize => _modules.Normalize;

    /// <summary>Numbers per vector.</summary>
    public int Dimensions => Model.Config.HiddenWidth;

    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static SentenceEmbeddingPipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <summary>Opens a checkpoint whose files are in memory, by their path below the directory (<c>1_Pooling/config.json</c>); no file system is
    /// used.</summary>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static SentenceEmbeddingPipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <summary>Makes the pipeline of parts, which stay the caller's.</summary>
    /// <param name="model">A BertModel, RobertaModel or CodeGenModel.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="pooling">How tokens become one vector, where the options of a call do not say.</param>
    /// <param name="normalize">Whether vectors get length 1, where the options of a call do not say.</param>
    /// <exception cref="ConfigException">The model has a head, or the tokenizer does not fit it.</exception>
    public static SentenceEmbeddingPipeline Create(PretrainedModel model, Tokenizer tokenizer, Pooling pooling = Pooling.Mean, bool normalize = false) =>
        new(model, tokenizer, new SentenceModules("", pooling, normalize, MaxSeqLength: null), ownsModel: false);

    /// <summary>Embeds a text.</summary>
    /// <returns>[hidden].</returns>
    /// <exception cref="ModelInputException">The text is empty, or too long and <see cref="EmbeddingOptions.Truncation"/> is off.</exception>
    public float[] Embed(string text, EmbeddingOptions? options = null, CancellationToken cancellationToken = default) =>
        Embed([text], options, progress: null, cancellationToken)[0];

    /// <summary>Embeds many texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="options">Pooling and normalisation, where they are to differ from the checkpoint's.</param>
    /// <param name="progress">Told how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work between two batches.</param>
    /// <returns>For every text, [hidden].</returns>
    /// <exception cref="ModelInputException">A text is empty, or too long and <see cref="EmbeddingOptions.Truncation"/> is off.</exception>
    public IReadOnlyList<float[]> Embed(
        IReadOnlyList<string> texts, EmbeddingOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= EmbeddingOptions.Default;
        Encoding[] rows = [.. texts.Select(text => Texts.Encode(text, pair: null, options.Truncation))];
        var vectors = new float[rows.Length][];
        RunBody(rows, (row, hidden) =>
        {
            vectors[row] = SentencePooling.Pool(hidden, Dimensions, options.Pooling ?? Pooling);
            if (options.Normalize ?? Normalize)
                SentencePooling.Normalize(vectors[row]);
            Scores.RequireNumbers(vectors[row], "vector's component", Model);
        }, progress, cancellationToken);
        return vectors;
    }

    /// <summary>Embeds texts as Microsoft.Extensions.AI asks for it; what is too long is cut, as sentence-transformers does.</summary>
    /// <exception cref="NotSupportedException">The options ask for another number of dimensions than the model has.</exception>
    async Task<GeneratedEmbeddings<Embedding<float>>> IEmbeddingGenerator<string, Embedding<float>>.GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options, CancellationToken cancellationToken)
    {
        if (options?.Dimensions is int dimensions && dimensions != Dimensions)
            throw new NotSupportedException($"Embeddings of {dimensions} dimensions were asked for; {Model.Architecture} has {Dimensions}.");
        string[] texts = [.. values];
        var cut = new EmbeddingOptions { Truncation = true };
        IReadOnlyList<float[]> vectors = await Task.Run(() => Embed(texts, cut, progress: null, cancellationToken), cancellationToken).ConfigureAwait(false);
        return new GeneratedEmbeddings<Embedding<float>>(vectors.Select(vector => new Embedding<float>(vector)));
    }

    /// <inheritdoc/>
    object? IEmbeddingGenerator.GetService(Type serviceType, object? serviceKey)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        if (serviceType == typeof(EmbeddingGeneratorMetadata))
            return new EmbeddingGeneratorMetadata("ManagedTransformers", defaultModelDimensions: Dimensions);
        return serviceType.IsInstanceOfType(this) ? this : null;
    }

    private static SentenceEmbeddingPipeline Open(ModelFiles files, PipelineOptions? options)
    {
        SentenceModules modules = SentenceModules.Read(files);
        ModelFiles modelFiles = modules.ModelFolder.Length == 0 ? files : files.Folder(modules.ModelFolder);
        return modelFiles.Open(options, modelFiles.LoadBody, (model, tokenizer) => new SentenceEmbeddingPipeline(model, tokenizer, modules, ownsModel: true));
    }
}
