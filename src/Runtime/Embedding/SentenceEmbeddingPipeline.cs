using Microsoft.Extensions.AI;

namespace ManagedTransformers;


/// <summary>One vector per text, so that texts of like meaning have like vectors.</summary>
/// <remarks>sentence-transformers' SentenceTransformer, whose files are honoured: modules.json with the modules that it names, sentence_bert_config.json (limit
/// and case) and config_sentence_transformers.json (prompts, similarity, dimensions); docs/embeddings.md has the list. Any other checkpoint is pooled by mean.
/// Also an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> of Microsoft.Extensions.AI.</remarks>
public sealed class SentenceEmbeddingPipeline : EncoderPipeline, IEmbeddingGenerator<string, Embedding<float>>
{
    private const string NoPooling = "Pooling is an empty list; one mode at least is needed, or null for the default.";

    private readonly SentenceModules _modules;
    private readonly int _width;                // of the vectors before they are cut

    private SentenceEmbeddingPipeline(PretrainedModel model, Tokenizer tokenizer, SentenceModules modules, bool ownsModel)
        : base(model, tokenizer, ownsModel, LimitOf(modules, tokenizer))
    {
        RequireBody(model);
        _modules = modules;
        _width = modules.CheckedWidth(model.Config.HiddenWidth);
        Dimensions = Math.Min(_width, modules.Config.TruncateDim ?? _width);
    }

    /// <summary>The pooling that the checkpoint asks for: one, or several whose vectors are joined.</summary>
    public IReadOnlyList<Pooling> Pooling => _modules.Pooling.Modes;

    /// <summary>Whether the checkpoint asks for vectors of length 1.</summary>
    public bool Normalize => _modules.Normalize;

    /// <summary>Numbers per vector, after all modules and truncate_dim.</summary>
    public int Dimensions { get; }

    /// <summary>The prompts that the checkpoint has for its texts, by name; <see cref="EmbeddingOptions.PromptName"/> chooses one.</summary>
    public IReadOnlyDictionary<string, string> Prompts => _modules.Config.Prompts;

    /// <summary>The prompt that is put before texts where the options do not say; null: none is.</summary>
    public string? DefaultPromptName => _modules.Config.DefaultPromptName;

    /// <summary>How the checkpoint's vectors are compared.</summary>
    public SimilarityFunction SimilarityFunction => _modules.Config.Similarity;

    /// <summary>What of the checkpoint's files is not honoured, and what is odd about its weights, in sentences for people; <see cref="LoadOptions.Strict"/>
    /// makes it an error.</summary>
    public IReadOnlyList<string> Warnings => [.. Model.Warnings, .. _modules.Warnings];

    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static SentenceEmbeddingPipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <summary>Opens a checkpoint whose files are in memory, by their path below the directory (<c>1_Pooling/config.json</c>); no file system is
    /// used.</summary>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static SentenceEmbeddingPipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <summary>Makes the pipeline of parts, which stay the caller's.</summary>
    /// <param name="model">A model; of one with a head, what is below the head is used.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="pooling">How tokens become one vector, where the options of a call do not say; null: by mean.</param>
    /// <param name="normalize">Whether vectors get length 1, where the options of a call do not say.</param>
    /// <exception cref="ArgumentException"><paramref name="pooling"/> is empty.</exception>
    /// <exception cref="ConfigException">The model has no hidden states to pool, or the tokenizer does not fit it.</exception>
    public static SentenceEmbeddingPipeline Create(PretrainedModel model, Tokenizer tokenizer, IReadOnlyList<Pooling>? pooling = null, bool normalize = false)
    {
        if (pooling?.Count == 0)
            throw new ArgumentException(NoPooling, nameof(pooling));
        var modules = new SentenceModules { Normalize = normalize };
        modules = pooling is null ? modules : modules with { Pooling = new PoolingConfig(pooling, IncludePrompt: true) };
        return new(BodyOf(model), tokenizer, modules, ownsModel: false);
    }

    /// <inheritdoc cref="FeatureExtractionPipeline.Create(Pipeline)"/>
    public static SentenceEmbeddingPipeline Create(Pipeline other) => Share(other, (model, tokenizer) =>
        new SentenceEmbeddingPipeline(BodyOf(model), tokenizer, other.Files is { } files ? SentenceModules.Read(files) : new(), ownsModel: false));

    /// <summary>Embeds a text.</summary>
    /// <returns>[<see cref="Dimensions"/>], unless the options cut it, or join another number of poolings.</returns>
    /// <exception cref="ArgumentException">The options name a prompt that the checkpoint does not have, a pooling that its modules cannot read, or more
    /// dimensions than its vectors have.</exception>
    /// <exception cref="ModelInputException">The text is too long and <see cref="EmbeddingOptions.Truncation"/> is off, or has no token at all.</exception>
    public float[] Embed(string text, EmbeddingOptions? options = null, CancellationToken cancellationToken = default) =>
        Embed([text], options, progress: null, cancellationToken)[0];

    /// <summary>Embeds many texts. An empty text is its special tokens, as in sentence-transformers.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="options">Prompt, pooling and normalisation, where they are to differ from the checkpoint's.</param>
    /// <param name="progress">Told how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <returns>For every text, [<see cref="Dimensions"/>], unless the options cut it, or join another number of poolings.</returns>
    /// <inheritdoc cref="Embed(string, EmbeddingOptions?, CancellationToken)" path="/exception"/>
    public IReadOnlyList<float[]> Embed(
        IReadOnlyList<string> texts, EmbeddingOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        Embed(texts, options ?? new EmbeddingOptions(), progress, cancellationToken, out _);

    /// <summary>Refuses a text that <see cref="Embed(string, EmbeddingOptions?, CancellationToken)"/> would refuse, without a pass of the model.</summary>
    internal void Require(string text, EmbeddingOptions options, CancellationToken cancellationToken)
    {
        string prompt = _modules.Config.PromptOf(options) ?? "";
        Row(prompt, [text], 0, PooledFrom(prompt), options.Truncation, cancellationToken);
    }

    // tokens: those that each text took, its prompt and the special ones included.
    internal float[][] Embed(
        IReadOnlyList<string> texts, EmbeddingOptions options, IProgress<int>? progress, CancellationToken cancellationToken, out int[] tokens)
    {
        ArgumentNullException.ThrowIfNull(texts);
        RequirePooling(options);
        string prompt = _modules.Config.PromptOf(options) ?? "";
        int first = PooledFrom(prompt);
        var read = new int[texts.Count];
        var vectors = new float[texts.Count][];
        RunBody(vectors.Length, i => Row(prompt, texts, i, first, options.Truncation, cancellationToken), (i, hidden) =>
        {
            read[i] = hidden.Length / Model.Config.HiddenWidth;
            vectors[i] = Finish(SentencePooling.Pool(hidden, Model.Config.HiddenWidth, options.Pooling ?? Pooling, first), options);
            Scores.RequireNumbers(vectors[i], "vector's component", Model);
        }, progress, cancellationToken);
        tokens = read;
        return vectors;
    }

    /// <summary>How alike two vectors are, as the checkpoint compares them (<see cref="SimilarityFunction"/>); more is more alike.</summary>
    /// <exception cref="ArgumentException">They have different lengths.</exception>
    public double Similarity(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => a.Length == b.Length
        ? VectorSimilarity.Of(a, b, SimilarityFunction)
        : throw new ArgumentException($"One vector has {a.Length} numbers, the other {b.Length}; vectors of one length are needed.", nameof(b));

    /// <summary>Embeds texts as Microsoft.Extensions.AI asks for it, like <see cref="Embed(IReadOnlyList{string}, EmbeddingOptions?, IProgress{int}?,
    /// CancellationToken)"/>. An <see cref="EmbeddingOptions"/> that RawRepresentationFactory makes says anything else, such as the prompt.</summary>
    /// <exception cref="ArgumentException">The options ask for another model, or for more dimensions than this one has.</exception>
    async Task<GeneratedEmbeddings<Embedding<float>>> IEmbeddingGenerator<string, Embedding<float>>.GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(values);
        EmbeddingOptions own = OptionsOf(options, this, otherwise: null);
        string[] texts = [.. values];
        int[] read = [];
        float[][] vectors =
            await Task.Run(() => Embed(texts, own, progress: null, cancellationToken, out read), cancellationToken).ConfigureAwait(false);
        return Generated(vectors, read.Sum(count => (long)count));
    }

    /// <summary>The options of a call to a generator over this pipeline.</summary>
    /// <param name="options">The call's.</param>
    /// <param name="generator">The generator that was called.</param>
    /// <param name="otherwise">What holds where the call says nothing.</param>
    /// <exception cref="ArgumentException">They ask for another model.</exception>
    internal EmbeddingOptions OptionsOf(EmbeddingGenerationOptions? options, IEmbeddingGenerator generator, EmbeddingOptions? otherwise)
    {
        if (options?.ModelId is string model && model != ModelId)
            throw new ArgumentException($"The options ask for the model {model}; this generator has {ModelId}. Ask the generator that has it, or leave " +
                "ModelId out.", nameof(options));
        EmbeddingOptions own = options?.RawRepresentationFactory?.Invoke(generator) as EmbeddingOptions ?? otherwise ?? EmbeddingOptions.Default;
        return options?.Dimensions is int dimensions ? own with { TruncateDim = dimensions } : own;
    }

    /// <summary>Vectors as Microsoft.Extensions.AI wants them, of texts that took some tokens together.</summary>
    internal GeneratedEmbeddings<Embedding<float>> Generated(IEnumerable<float[]> vectors, long tokens)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return new GeneratedEmbeddings<Embedding<float>>(vectors.Select(vector => new Embedding<float>(vector) { CreatedAt = now, ModelId = ModelId }))
        {
            Usage = new UsageDetails { InputTokenCount = tokens, TotalTokenCount = tokens },
        };
    }

    /// <inheritdoc/>
    object? IEmbeddingGenerator.GetService(Type serviceType, object? serviceKey)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        if (serviceType == typeof(EmbeddingGeneratorMetadata))
            return new EmbeddingGeneratorMetadata("managed_transformers", providerUri: null, ModelId, Dimensions);
        return Array.Find<object>([this, Model, Tokenizer], serviceType.IsInstanceOfType);
    }

    /// <summary>A text with its prompt, as the tokenizer gets it; <paramref name="promptTokens"/> of its tokens are not pooled.</summary>
    private EncoderRow Row(
        string prompt, IReadOnlyList<string> texts, int index, int promptTokens, bool truncation, CancellationToken cancellationToken)
    {
        string text = texts[index] ?? throw new ArgumentException($"Text {index} is null; a text is needed.", nameof(texts));
        EncoderRow row;
        try
        {
            row = Texts.Row(Cased(prompt + text), pair: null, truncation, allowEmpty: true, cancellationToken: cancellationToken);
        }
        catch (ModelInputException e) when (texts.Count > 1)
        {
            throw new ModelInputException($"Text {index} of {texts.Count}: {e.Message}", e);
        }
        return row.Ids.Length > promptTokens ? row : throw new ModelInputException(
            $"The prompt \"{prompt}\" takes {promptTokens} tokens and the text with it has {row.Ids.Length}: " +
            "nothing is left to be pooled. Use a shorter prompt.");
    }

    private string Cased(string text) => _modules.Transformer.DoLowerCase ? TransformerConfig.Lower(text) : text;

    /// <summary>The first token that is pooled.</summary>
    private int PooledFrom(string prompt) => _modules.Pooling.IncludePrompt || prompt.Length == 0 ? 0 : PromptTokens(prompt);

    /// <summary>The tokens that are a prompt's: those of the prompt alone, and the special ones before it.</summary>
    /// <remarks>sentence-transformers counts them so; the space at a prompt's end belongs to the text's first token.</remarks>
    private int PromptTokens(string prompt)
    {
        TokenRow row = Tokenizer.EncodeRow(Cased(prompt.Trim()), pair: null, new EncodeOptions { Truncation = Truncation.None });
        return row.FirstToken + row.TextTokens;
    }

    /// <summary>The modules after the pooling.</summary>
    private float[] Finish(float[] vector, EmbeddingOptions options)
    {
        foreach (SentenceLayer layer in _modules.Layers)
            vector = layer.Forward(vector, Model.LoadOptions.Kernels);
        bool normalize = options.Normalize ?? Normalize;
        if (normalize)
            SentencePooling.Normalize(vector);
        if ((options.TruncateDim ?? _modules.Config.TruncateDim) is not int kept || kept >= vector.Length)
            return vector;
        vector = vector[..kept];
        // What is kept is shorter than 1. sentence-transformers leaves it so where nothing but the checkpoint's files asks for both.
        if (normalize && (options.Normalize is not null || options.TruncateDim is not null))
            SentencePooling.Normalize(vector);
        return vector;
    }

    /// <summary>Numbers per vector with some options.</summary>
    internal int DimensionsOf(EmbeddingOptions? options)
    {
        int width = WidthOf(options?.Pooling ?? Pooling);
        return Math.Min(width, options?.TruncateDim ?? _modules.Config.TruncateDim ?? width);
    }

    private int WidthOf(IReadOnlyList<Pooling> modes) => _width * modes.Count / Pooling.Count;

    private void RequirePooling(EmbeddingOptions options)
    {
        IReadOnlyList<Pooling> modes = options.Pooling ?? Pooling;
        int width = WidthOf(modes);
        if (options.TruncateDim > width)
            throw new ArgumentException($"Vectors of {options.TruncateDim} dimensions were asked for; those of {ModelId} have {width}, and 1 … {width} can " +
                "be kept.", nameof(options));
        if (modes.Count == 0)
            throw new ArgumentException(NoPooling, nameof(options));
        if (_modules.Layers.Count > 0 && modes.Count != Pooling.Count)
            throw new ArgumentException($"Pooling has {modes.Count} modes; the checkpoint's modules read the vectors of {Pooling.Count}.", nameof(options));
    }

    /// <summary>The smaller of the two limits that files beside the model's configuration may say.</summary>
    private static int? LimitOf(SentenceModules modules, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        int least = Math.Min(modules.Transformer.MaxSeqLength ?? int.MaxValue, tokenizer.ModelMaxLength ?? int.MaxValue);
        return least == int.MaxValue ? null : least;
    }

    /// <summary>Opens it from a directory or from files in memory.</summary>
    internal static SentenceEmbeddingPipeline Open(ModelFiles files, PipelineOptions? options)
    {
        options ??= PipelineOptions.Default;
        SentenceModules modules = ReadModules(files, options.Load);
        ModelFiles modelFiles = modules.ModelFolder.Length == 0 ? files : files.Folder(modules.ModelFolder);
        SentenceEmbeddingPipeline pipeline = modelFiles.Open(
            options, modelFiles.LoadBody, (model, tokenizer) => new SentenceEmbeddingPipeline(model, tokenizer, modules, ownsModel: true));
        pipeline.ComesFrom(files, options.ModelId);
        return pipeline;
    }

    private static SentenceModules ReadModules(ModelFiles files, LoadOptions options)
    {
        try
        {
            SentenceModules modules = SentenceModules.Read(files);
            ModuleReader.Report(modules.Warnings, options);
            return modules;
        }
        catch (ManagedTransformersException e) when (e.IsOf(files.Place))
        {
            throw;
        }
    }
}

/// <summary>How sentences are embedded.</summary>
public sealed record EmbeddingOptions
{
    /// <summary>What the checkpoint itself says.</summary>
    public static EmbeddingOptions Default => new();

    /// <summary>How tokens become one vector, several joined; null: what modules.json says, mean where there is none.</summary>
    public IReadOnlyList<Pooling>? Pooling { get; init; }

    /// <summary>Divide by the vector's length (L2 norm); null: what modules.json says, no where there is none.</summary>
    public bool? Normalize { get; init; }

    /// <summary>The name of the checkpoint's prompt to put before every text; null: its default_prompt_name, if it has one.</summary>
    public string? PromptName { get; init; }

    /// <summary>What to put before every text in place of the checkpoint's prompts; empty: nothing.</summary>
    public string? Prompt { get; init; }

    /// <summary>Cuts a text that is too long at its end, as sentence-transformers does; false: it is refused.</summary>
    public bool Truncation { get; init; } = true;

    /// <summary>How many numbers of each vector are kept, from its beginning; where the vector has length 1, what is kept gets it again. For models that are
    /// trained so that beginnings of vectors are vectors too (Matryoshka; Kusupati et al. 2022, arXiv:2205.13147). Null: what
    /// config_sentence_transformers.json says, else all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? TruncateDim { get; init => field = OptionRange.Least(1, value); }
}

/// <summary>How alike two vectors are; more is more alike.</summary>
/// <remarks>sentence-transformers' similarity_fn_name.</remarks>
public enum SimilarityFunction
{
    /// <summary>a · b / (|a| |b|), −1 … 1; "cosine".</summary>
    Cosine,

    /// <summary>a · b; "dot".</summary>
    Dot,

    /// <summary>−|a − b|; "euclidean".</summary>
    Euclidean,

    /// <summary>−Σ |aᵢ − bᵢ|; "manhattan".</summary>
    Manhattan,
}

/// <summary>The arithmetic of <see cref="SimilarityFunction"/>, in doubles.</summary>
internal static class VectorSimilarity
{
    /// <summary>How alike two vectors of one length are; a vector of zeros has a cosine of 0 with any.</summary>
    public static double Of(ReadOnlySpan<float> a, ReadOnlySpan<float> b, SimilarityFunction function) => function switch
    {
        SimilarityFunction.Cosine => Dot(a, b) / Math.Max(Math.Sqrt(Dot(a, a) * Dot(b, b)), 1e-24),
        SimilarityFunction.Dot => Dot(a, b),
        SimilarityFunction.Euclidean => -Distance(a, b, difference => difference * difference, Math.Sqrt),
        SimilarityFunction.Manhattan => -Distance(a, b, Math.Abs, sum => sum),
        _ => throw new ArgumentOutOfRangeException(
            nameof(function), $"{function} is no similarity; there are {string.Join(", ", Enum.GetNames<SimilarityFunction>())}."),
    };

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }

    private static double Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Func<double, double> term, Func<double, double> whole)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += term((double)a[i] - b[i]);
        return whole(sum);
    }
}
