namespace ManagedTransformers;


/// <summary>Finds the parts of a text that a token classifier labels: names, keys, addresses with StarPII.</summary>
/// <remarks>transformers' TokenClassificationPipeline; windows over long texts as bigcode-dataset's pii_inference reads them. Labels always come from
/// id2label.</remarks>
public sealed class TokenClassificationPipeline : EncoderPipeline
{
    private readonly ITokenClassifier _model;
    private readonly bool _byteLevel;

    private TokenClassificationPipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        _model = model.Require<ITokenClassifier>("does not label tokens");
        // Every byte-level vocabulary has the stand-in of the space byte; WordPiece has words instead.
        _byteLevel = tokenizer.TokenToId("Ġ") is not null;
    }

    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static TokenClassificationPipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static TokenClassificationPipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create(PretrainedModel, Tokenizer)"/>
    public static TokenClassificationPipeline Create(PretrainedModel model, Tokenizer tokenizer) => new(model, tokenizer, ownsModel: false);

    /// <inheritdoc cref="FillMaskPipeline.Create(Pipeline)"/>
    public static TokenClassificationPipeline Create(Pipeline other) => Share(other, Create);

    /// <summary>Finds the entities of a text.</summary>
    /// <returns>Entities in the order of the text.</returns>
    /// <exception cref="ModelInputException">The text is empty, or too long and no <see cref="TokenClassificationOptions.Stride"/> is given.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Window length or stride are impossible.</exception>
    public IReadOnlyList<Entity> Tag(string text, TokenClassificationOptions? options = null, CancellationToken cancellationToken = default) =>
        Tag([text], options, progress: null, cancellationToken)[0];

    /// <summary>Finds the entities of many texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="options">How to join tokens, and how to read long texts.</param>
    /// <param name="progress">Told how many windows are done; a text that fits is one window.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <returns>For every text, its entities in order.</returns>
    /// <inheritdoc cref="Tag(string, TokenClassificationOptions?, CancellationToken)"/>
    public IReadOnlyList<IReadOnlyList<Entity>> Tag(
        IReadOnlyList<string> texts, TokenClassificationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= TokenClassificationOptions.Default;
        var entities = new List<IReadOnlyList<Entity>>(texts.Count);
        int windows = 0;
        foreach (string[] chunk in texts.Chunk(ChunkTexts))
        {
            TaggedText[] tagged = EncodeTexts(chunk.Length, i => Read(chunk[i], options, cancellationToken), cancellationToken);
            // Windows are made when they are asked for: those of long texts are many, and overlap.
            foreach (WindowRow[] rows in tagged.SelectMany(text => text.Windows.Select(window => new WindowRow(text, window))).Chunk(ChunkTexts))
            {
                RunRows<WindowRow>(rows, windows, AddProbabilities, progress, cancellationToken);
                windows += rows.Length;
            }
            entities.AddRange(tagged.Select(text => Entities(text, options)));
        }
        return entities;
    }

    /// <summary>Refuses a text that would be refused, without a pass of the model.</summary>
    internal void Require(string text, TokenClassificationOptions options, CancellationToken cancellationToken) => Read(text, options, cancellationToken);

    /// <summary>Opens it from a directory or from files in memory.</summary>
    internal static TokenClassificationPipeline Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new TokenClassificationPipeline(model, tokenizer, ownsModel: true));

    private TaggedText Read(string text, TokenClassificationOptions options, CancellationToken cancellationToken)
    {
        TokenEncoding whole = Texts.EncodeWhole(text, cancellationToken);
        IEnumerable<TokenEncoding> windows = options.Stride is int stride
            ? Texts.Windows(text, options.WindowLength ?? MaxTokens, stride, cancellationToken)
            : [Texts.Encode(text, advice: "Set Stride to read it in windows, or split it.", cancellationToken: cancellationToken)];
        return new TaggedText(text, whole, windows, new float[whole.Length * Model.Config.NumLabels]);
    }

    private void AddProbabilities(IReadOnlyList<(int Window, WindowRow Row)> batch, ModelInputs inputs, Session session)
    {
        FloatTensor logits = _model.Forward(inputs, session).Logits;              // [rows, columns, labels]
        for (int r = 0; r < batch.Count; r++)
            AddProbabilities(logits, r, batch[r].Row.Window, batch[r].Row.Text.Sums, session.Kernels);
    }

    private void AddProbabilities(FloatTensor logits, int r, TokenEncoding row, Span<float> sums, KernelOptions kernels)
    {
        int labels = logits.Shape[2], token = row.FirstToken;
        for (int column = 0; column < row.Length; column++)
        {
            if (row.SequenceIds[column] is null)
                continue;
            Span<float> probabilities = logits.Row(r * logits.Shape[1] + column);
            Softmax.Run(probabilities, probabilities, kernels);
            Scores.RequireNumbers(probabilities, "score of label", Model);
            Span<float> sum = sums.Slice(token++ * labels, labels);
            Add.Run(sum, probabilities, sum, kernels);
        }
    }

    private Entity[] Entities(TaggedText read, TokenClassificationOptions options)
    {
        (string text, TokenEncoding encoding, _, float[] sums) = read;
        int labels = Model.Config.NumLabels;
        var tokens = new TokenScores[encoding.Length];
        for (int t = 0; t < tokens.Length; t++)
            tokens[t] = new TokenScores(Renormalise(sums.AsSpan(t * labels, labels)), IsSubword(text, encoding, t));
        return [.. EntityAggregation.Aggregate(tokens, options.Aggregation, Model.Config.Label)
            .Where(run => !(options.IgnoreLabels ?? ["O"]).Contains(run.Label))
            .Select(run => Span(text, encoding, run, options.TrimOffsets))];
    }

    /// <summary>Probabilities again where several windows were summed; one window's already add up to 1.</summary>
    internal static float[] Renormalise(ReadOnlySpan<float> sums)
    {
        float total = 0;
        foreach (float sum in sums)
            total += sum;
        var probabilities = new float[sums.Length];
        for (int i = 0; i < sums.Length; i++)
            probabilities[i] = sums[i] / total;
        return probabilities;
    }

    /// <summary>As transformers decides it: a WordPiece token that is longer than its text (<c>##</c>) goes on with a word; byte-level tokens do where no space
    /// stands at their start.</summary>
    private bool IsSubword(string text, TokenEncoding encoding, int token)
    {
        (int start, int end) = encoding.Utf16Offsets[token];
        if (!_byteLevel)
            return encoding.Tokens[token].StartsWith("##", StringComparison.Ordinal) && encoding.Tokens[token].Length != end - start;
        return start > 0 && !text.AsSpan(start - 1, Math.Min(2, text.Length - start + 1)).Contains(' ');
    }

    private static Entity Span(string text, TokenEncoding encoding, LabelledRun run, bool trim)
    {
        (int start, int end) = (encoding.Utf16Offsets[run.FirstToken].Start, encoding.Utf16Offsets[run.LastToken].End);
        ReadOnlySpan<char> span = text.AsSpan(start..end);
        // White space has no surrogate pairs: a character is one UTF-16 unit and one code point.
        int leading = trim ? span.Length - span.TrimStart().Length : 0, trailing = trim ? span.Length - span.TrimEnd().Length : 0;
        if (leading == span.Length)
            (leading, trailing) = (0, 0);
        (int first, int last) = (encoding.Offsets[run.FirstToken].Start + leading, encoding.Offsets[run.LastToken].End - trailing);
        (start, end) = (start + leading, end - trailing);
        return new Entity(run.Label, run.Score, start, end, text[start..end], first, last);
    }

    /// <summary>A text while it is read.</summary>
    /// <param name="Text">The text.</param>
    /// <param name="Encoding">All its tokens, without special ones.</param>
    /// <param name="Windows">What the model reads of it.</param>
    /// <param name="Sums">Its tokens' probabilities, summed over the windows, [tokens, labels].</param>
    private sealed record TaggedText(string Text, TokenEncoding Encoding, IEnumerable<TokenEncoding> Windows, float[] Sums);

    /// <summary>A window of a text.</summary>
    private sealed record WindowRow(TaggedText Text, TokenEncoding Window) : EncoderRow(Window.Ids, Window.TypeIds);
}

/// <summary>How tokens with labels become entities; names and meanings are those of transformers' AggregationStrategy.</summary>
public enum AggregationStrategy
{
    /// <summary>Every token is an entity, with its label as the model has it (<c>B-NAME</c>).</summary>
    None,

    /// <summary>Neighbours with the same tag are joined; <c>B-</c> starts a new entity. A word may be split between entities.</summary>
    Simple,

    /// <summary>As Simple, each word labelled by its first token.</summary>
    First,

    /// <summary>As Simple, each word labelled by the mean of its tokens' probabilities.</summary>
    Average,

    /// <summary>As Simple, each word labelled by its token with the highest probability.</summary>
    Max,
}

/// <summary>What token classification returns, and how it reads long texts.</summary>
public sealed record TokenClassificationOptions
{
    /// <summary>The defaults.</summary>
    public static TokenClassificationOptions Default => new();

    /// <summary>How tokens become entities.</summary>
    public AggregationStrategy Aggregation { get; init; } = AggregationStrategy.Simple;

    /// <summary>Labels that are left out, as the model has them or without <c>B-</c> and <c>I-</c>. Null: <c>O</c> alone.</summary>
    public IReadOnlyList<string>? IgnoreLabels { get; init; }

    /// <summary>Leaves the white space at both ends out of an entity's span. Byte-level tokens carry the space before a word, and where the tokenizer does not
    /// trim it (StarEncoder's), the span begins with it, as in transformers: <c>" ada@example.org"</c>. A span of white space alone stays.</summary>
    public bool TrimOffsets { get; init; }

    /// <summary>Reads a text that is too long in windows that share this many tokens with their neighbour; where windows overlap, their probabilities are
    /// summed and renormalised, as StarPII's inference does. Null: such a text is refused.</summary>
    public int? Stride { get; init; }

    /// <summary>Tokens of a window, special tokens included; null: as many as the model reads. StarPII was used with 512.</summary>
    public int? WindowLength { get; init; }
}

/// <summary>A part of a text with a label.</summary>
/// <param name="Label">The tag (<c>NAME</c>; transformers' entity_group), or the token's whole label (<c>B-NAME</c>) with <see
/// cref="AggregationStrategy.None"/>.</param>
/// <param name="Score">Mean probability of the label over the entity's tokens, or words where they are aggregated.</param>
/// <param name="Start">Where it starts in the .NET string, in UTF-16 units.</param>
/// <param name="End">Where it ends, exclusive.</param>
/// <param name="Text">The text between.</param>
/// <param name="CodePointStart">Start in Unicode code points: transformers' start.</param>
/// <param name="CodePointEnd">End in Unicode code points, exclusive.</param>
public sealed record Entity(string Label, float Score, int Start, int End, string Text, int CodePointStart, int CodePointEnd);

/// <summary>A token's probabilities, [labels], and whether it goes on with the word of the token before it.</summary>
internal readonly record struct TokenScores(float[] Probabilities, bool IsSubword);

/// <summary>A run of tokens with a label; the last token is included.</summary>
internal readonly record struct LabelledRun(string Label, float Score, int FirstToken, int LastToken);

/// <summary>Joins labelled tokens to entities: the arithmetic of transformers' TokenClassificationPipeline, without its texts.</summary>
internal static class EntityAggregation
{
    /// <summary>Entities in the order of the text; nothing is left out, the label "O" is one like others. Special tokens are not among the tokens.</summary>
    public static IReadOnlyList<LabelledRun> Aggregate(IReadOnlyList<TokenScores> tokens, AggregationStrategy strategy, Func<int, string> label)
    {
        List<LabelledRun> units = strategy is AggregationStrategy.None or AggregationStrategy.Simple
            ? [.. tokens.Select((token, i) => Labelled(token.Probabilities, i, i, label))]
            : [.. Words(tokens).Select(word => Labelled(WordScores(tokens, word.First, word.Last, strategy), word.First, word.Last, label))];
        return strategy == AggregationStrategy.None ? units : Group(units);
    }

    private static LabelledRun Labelled(ReadOnlySpan<float> probabilities, int first, int last, Func<int, string> label)
    {
        int best = Ranking.Best(probabilities, 1)[0];
        return new LabelledRun(label(best), probabilities[best], first, last);
    }

    private static IEnumerable<(int First, int Last)> Words(IReadOnlyList<TokenScores> tokens)
    {
        for (int first = 0; first < tokens.Count;)
        {
            int next = first + 1;
            while (next < tokens.Count && tokens[next].IsSubword)
                next++;
            yield return (first, next - 1);
            first = next;
        }
    }

    private static float[] WordScores(IReadOnlyList<TokenScores> tokens, int first, int last, AggregationStrategy strategy)
    {
        float[][] scores = [.. Enumerable.Range(first, last - first + 1).Select(i => tokens[i].Probabilities)];
        return strategy switch
        {
            AggregationStrategy.First => scores[0],
            AggregationStrategy.Max => scores.MaxBy(token => token.Max())!,
            AggregationStrategy.Average => [.. Enumerable.Range(0, scores[0].Length).Select(label => scores.Average(token => token[label]))],
            _ => throw new ArgumentOutOfRangeException(nameof(strategy), strategy, "This strategy does not look at words."),
        };
    }

    /// <summary>Joins neighbours with the same tag. I-X after I-X or B-X goes on, B-X begins anew, and so does another tag.</summary>
    private static List<LabelledRun> Group(List<LabelledRun> units)
    {
        var groups = new List<LabelledRun>();
        for (int first = 0; first < units.Count;)
        {
            string tag = Tag(units[first].Label).Name;
            int next = first + 1;
            while (next < units.Count && Tag(units[next].Label) is { Begins: false } following && following.Name == tag)
                next++;
            float score = units.GetRange(first, next - first).Average(unit => unit.Score);
            groups.Add(new LabelledRun(GroupName(units[first].Label), score, units[first].FirstToken, units[next - 1].LastToken));
            first = next;
        }
        return groups;
    }

    /// <summary>B-X → X, begins; I-X and, without either, the whole label → goes on.</summary>
    private static (bool Begins, string Name) Tag(string label) =>
        label.StartsWith("B-", StringComparison.Ordinal) ? (true, label[2..])
        : label.StartsWith("I-", StringComparison.Ordinal) ? (false, label[2..])
        : (false, label);

    /// <summary>What stands after the first hyphen, as transformers names the group.</summary>
    private static string GroupName(string label) => label[(label.IndexOf('-', StringComparison.Ordinal) + 1)..];
}
