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

    /// <inheritdoc cref="FillMaskPipeline.Create"/>
    public static TokenClassificationPipeline Create(PretrainedModel model, Tokenizer tokenizer) => new(model, tokenizer, ownsModel: false);

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
    /// <param name="cancellationToken">Ends the work between two batches.</param>
    /// <returns>For every text, its entities in order.</returns>
    /// <inheritdoc cref="Tag(string, TokenClassificationOptions?, CancellationToken)"/>
    public IReadOnlyList<IReadOnlyList<Entity>> Tag(
        IReadOnlyList<string> texts, TokenClassificationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= TokenClassificationOptions.Default;
        Encoding[] encodings = [.. texts.Select(Texts.EncodeWhole)];
        float[][] sums = [.. encodings.Select(encoding => new float[encoding.Length * Model.Config.NumLabels])];
        (Encoding Row, int Text)[] windows = [.. texts.SelectMany((text, i) => Windows(text, options).Select(row => (row, i)))];
        RunBatches([.. windows.Select(window => window.Row)], (batch, inputs, session) =>
        {
            Tensor logits = _model.Forward(inputs, session).Logits;              // [rows, columns, labels]
            for (int r = 0; r < batch.Length; r++)
                AddProbabilities(logits, r, windows[batch[r]].Row, sums[windows[batch[r]].Text], session.Kernels);
        }, progress, cancellationToken);
        return [.. texts.Select((text, i) => Entities(text, encodings[i], sums[i], options))];
    }

    private static TokenClassificationPipeline Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new TokenClassificationPipeline(model, tokenizer, ownsModel: true));

    private IEnumerable<Encoding> Windows(string text, TokenClassificationOptions options) => options.Stride is int stride
        ? Texts.Windows(text, options.WindowLength ?? MaxTokens, stride)
        : [Texts.Encode(text, advice: "Set Stride to read it in windows, or split it.")];

    private void AddProbabilities(Tensor logits, int r, Encoding row, Span<float> sums, KernelOptions kernels)
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

    private Entity[] Entities(string text, Encoding encoding, float[] sums, TokenClassificationOptions options)
    {
        int labels = Model.Config.NumLabels;
        var tokens = new TokenScores[encoding.Length];
        for (int t = 0; t < tokens.Length; t++)
            tokens[t] = new TokenScores(Renormalise(sums.AsSpan(t * labels, labels)), IsSubword(text, encoding, t));
        return [.. EntityAggregation.Aggregate(tokens, options.Aggregation, Model.Config.Label)
            .Where(run => !options.IgnoreLabels.Contains(run.Label))
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
    private bool IsSubword(string text, Encoding encoding, int token)
    {
        (int start, int end) = encoding.Utf16Offsets[token];
        if (!_byteLevel)
            return encoding.Tokens[token].StartsWith("##", StringComparison.Ordinal) && encoding.Tokens[token].Length != end - start;
        return start > 0 && !text.AsSpan(start - 1, Math.Min(2, text.Length - start + 1)).Contains(' ');
    }

    private static Entity Span(string text, Encoding encoding, LabelledRun run, bool trim)
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
}
