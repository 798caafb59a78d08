using System.Text.Json;

namespace ManagedTransformers.Serving;

/// <summary>What a job does with every text of a corpus: a pipeline and its options. The pipeline stays the caller's. Thread-safe.</summary>
public abstract class CorpusTask
{
    private readonly Pipeline _pipeline;
    private readonly (string Name, string? Value)[] _options;

    /// <summary>A task of a name, whose options are texts that tell it from others.</summary>
    private protected CorpusTask(string name, Pipeline pipeline, params (string Name, string? Value)[] options)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        (Name, _pipeline, _options) = (name, pipeline, options);
    }

    /// <summary>What it is called: embed, classify, tag or score.</summary>
    public string Name { get; }

    /// <summary>How many texts go to <see cref="Run"/> at once: enough for batches of similar length.</summary>
    internal virtual int ChunkTexts => 512;

    /// <summary>What the model is called.</summary>
    internal string ModelId => _pipeline.ModelId;

    /// <summary>A vector for each text: <c>{"id":…,"vector":[…]}</c>.</summary>
    public static CorpusTask Embed(SentenceEmbeddingPipeline pipeline, EmbeddingOptions? options = null) =>
        new EmbedTask(pipeline, options ?? EmbeddingOptions.Default);

    /// <summary>The classes of each text, best first: <c>{"id":…,"labels":[{"label":…,"id":…,"score":…}]}</c>.</summary>
    public static CorpusTask Classify(TextClassificationPipeline pipeline, TextClassificationOptions? options = null) =>
        new ClassifyTask(pipeline, options ?? TextClassificationOptions.Default);

    /// <summary>The labelled parts of each text: <c>{"id":…,"entities":[{"label":…,"score":…,"start":…,"end":…,"text":…}]}</c>, in code points.</summary>
    public static CorpusTask Tag(TokenClassificationPipeline pipeline, TokenClassificationOptions? options = null) =>
        new TagTask(pipeline, options ?? TokenClassificationOptions.Default);

    /// <summary>The likelihood of each text: <c>{"id":…,"log_probability":…,"tokens":…,"perplexity":…,"bytes":…,"bits_per_byte":…,"characters":…,
    /// "bits_per_character":…}</c>.</summary>
    /// <param name="scorer">Calculates it.</param>
    /// <param name="options">Window, stride, and whether a token begins the text.</param>
    /// <param name="context">What stands before every text and is not scored; null: nothing.</param>
    /// <exception cref="ModelInputException">The options do not fit the model.</exception>
    public static CorpusTask Score(TextScorer scorer, ScoringOptions? options = null, string? context = null) =>
        new ScoreTask(scorer, options ?? ScoringOptions.Default, context);

    /// <summary>Everything that changes a bit of the output, by name: the task, the library's version, the model's files, how it is held
    /// and computed, and the options.</summary>
    internal IEnumerable<(string Name, string? Value)> Settings()
    {
        LoadOptions load = _pipeline.Model.LoadOptions;
        string files = _pipeline.Files?.Place is string directory ? ModelFileStamps.Of(directory).Fingerprint() : _pipeline.Model.Fingerprint;
        (string, string?)[] model =
        [
            ("task", Name), ("version", LibraryVersion.Text), ("model", files), ("weights", load.WeightFormat.ToString()),
            ("quantize_head", load.QuantizeHead.ToString()), ("widen_weights", load.WidenWeights.ToString()), ("kernels", load.Kernels.Level.ToString()),
        ];
        return [.. model, .. _options];
    }

    /// <summary>Refuses a text that <see cref="Run"/> would refuse, without a pass of the model.</summary>
    /// <exception cref="ModelInputException">It is too long, has no token, …</exception>
    internal abstract void Require(string text, CancellationToken cancellationToken);

    /// <summary>Does it for some texts at once.</summary>
    /// <returns>Writes the properties of the i-th result.</returns>
    /// <exception cref="ModelInputException">One of them cannot be processed, and so none was.</exception>
    internal abstract Action<Utf8JsonWriter, int> Run(IReadOnlyList<string> texts, CancellationToken cancellationToken);

    private protected static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);

    /// <summary>A number; what JSON has no number for is a text, as everywhere in mtx's output.</summary>
    private protected static void WriteNumber(Utf8JsonWriter json, ReadOnlySpan<byte> name, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumber(name, value);
        else
            json.WriteString(name, value.ToString(CultureInfo.InvariantCulture));
    }

    private protected static void WriteNumber(Utf8JsonWriter json, float value)
    {
        if (float.IsFinite(value))
            json.WriteNumberValue(value);
        else
            json.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
    }
}
