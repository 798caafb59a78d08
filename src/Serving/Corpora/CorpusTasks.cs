using System.Text.Json;

namespace ManagedTransformers.Serving;

internal sealed class EmbedTask(SentenceEmbeddingPipeline pipeline, EmbeddingOptions options) : CorpusTask("embed", pipeline,
    ("pooling", options.Pooling is null ? null : string.Join(',', options.Pooling)), ("normalize", options.Normalize?.ToString()),
    ("prompt_name", options.PromptName), ("prompt", options.Prompt), ("truncation", options.Truncation.ToString()), ("truncate_dim", Text(options.TruncateDim)))
{
    internal override void Require(string text, CancellationToken cancellationToken) => pipeline.Require(text, options, cancellationToken);

    internal override Action<Utf8JsonWriter, int> Run(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        IReadOnlyList<float[]> vectors = pipeline.Embed(texts, options, progress: null, cancellationToken);
        return (json, i) =>
        {
            json.WriteStartArray("vector"u8);
            foreach (float value in vectors[i]) WriteNumber(json, value);
            json.WriteEndArray();
        };
    }
}

internal sealed class ClassifyTask(TextClassificationPipeline pipeline, TextClassificationOptions options) : CorpusTask("classify", pipeline,
    ("function", options.Function?.ToString()), ("top_k", Text(options.TopK)), ("truncation", options.Truncation.ToString()))
{
    internal override void Require(string text, CancellationToken cancellationToken) => pipeline.Require(text, options, cancellationToken);

    internal override Action<Utf8JsonWriter, int> Run(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        IReadOnlyList<IReadOnlyList<LabelScore>> labels = pipeline.Classify(texts, options, progress: null, cancellationToken);
        return (json, i) =>
        {
            json.WriteStartArray("labels"u8);
            foreach (LabelScore one in labels[i])
            {
                json.WriteStartObject();
                json.WriteString("label"u8, one.Label);
                json.WriteNumber("id"u8, one.Id);
                json.WritePropertyName("score"u8);
                WriteNumber(json, one.Score);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        };
    }
}

internal sealed class TagTask(TokenClassificationPipeline pipeline, TokenClassificationOptions options) : CorpusTask("tag", pipeline,
    ("aggregation", options.Aggregation.ToString()), ("ignore_labels", options.IgnoreLabels is null ? null : string.Join(',', options.IgnoreLabels)),
    ("trim_offsets", options.TrimOffsets.ToString()), ("stride", Text(options.Stride)), ("window_length", Text(options.WindowLength)))
{
    internal override void Require(string text, CancellationToken cancellationToken) => pipeline.Require(text, options, cancellationToken);

    internal override Action<Utf8JsonWriter, int> Run(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        IReadOnlyList<IReadOnlyList<Entity>> entities = pipeline.Tag(texts, options, progress: null, cancellationToken);
        return (json, i) =>
        {
            json.WriteStartArray("entities"u8);
            foreach (Entity one in entities[i])
            {
                json.WriteStartObject();
                json.WriteString("label"u8, one.Label);
                json.WritePropertyName("score"u8);
                WriteNumber(json, one.Score);
                json.WriteNumber("start"u8, one.CodePointStart);
                json.WriteNumber("end"u8, one.CodePointEnd);
                json.WriteString("text"u8, one.Text);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        };
    }
}

internal sealed class ScoreTask : CorpusTask
{
    private readonly TextScorer _scorer;
    private readonly ScoringOptions _options;
    private readonly string? _context;

    public ScoreTask(TextScorer scorer, ScoringOptions options, string? context)
        : base("score", scorer, ("context", context), ("add_begin_of_text", options.AddBeginOfText.ToString()), ("window", Text(options.Window)),
            ("stride", Text(options.Stride)))
    {
        (_scorer, _options, _context) = (scorer, options with { OutputTokens = false, TopK = 0 }, context);
        scorer.Require(_context, _options);               // here, or every text would be refused for it
    }

    /// <summary>Each text is a pass of its own.</summary>
    internal override int ChunkTexts => 16;

    internal override void Require(string text, CancellationToken cancellationToken) => _scorer.Require(_context, text, _options, cancellationToken);

    internal override Action<Utf8JsonWriter, int> Run(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        foreach (string text in texts) Require(text, cancellationToken);          // before the first pass, which costs much more
        TextScore[] scores = [.. texts.Select(text => _context is null
            ? _scorer.Score(text, _options, progress: null, cancellationToken)
            : _scorer.ScoreContinuation(_context, text, _options, progress: null, cancellationToken))];
        return (json, i) =>
        {
            TextScore score = scores[i];
            WriteNumber(json, "log_probability"u8, score.LogProbability);
            json.WriteNumber("tokens"u8, score.TokenCount);
            WriteNumber(json, "perplexity"u8, score.Perplexity);
            json.WriteNumber("bytes"u8, score.Bytes);
            WriteNumber(json, "bits_per_byte"u8, score.BitsPerByte);
            json.WriteNumber("characters"u8, score.Characters);
            WriteNumber(json, "bits_per_character"u8, score.BitsPerCharacter);
        };
    }
}
