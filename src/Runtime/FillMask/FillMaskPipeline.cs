namespace ManagedTransformers;


/// <summary>Fills masks in a text with the tokens that a masked language model finds most likely.</summary>
/// <remarks>transformers' FillMaskPipeline. Scores are computed at the masks only.</remarks>
/// <example><code>
/// using var fillMask = FillMaskPipeline.Load("models/demo-fill-mask");
/// fillMask.Predict("public static &lt;mask> set(string $key, $value) {")[0].TokenText    // " function"
/// </code></example>
public sealed class FillMaskPipeline : EncoderPipeline
{
    private readonly IMaskedLM _model;
    private readonly string _mask;
    private readonly int _maskId;

    private FillMaskPipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        _model = model.Require<IMaskedLM>("does not fill masks");
        (_mask, _maskId) = FindMask(tokenizer);
    }

    /// <summary>The text of the mask, such as <c>&lt;mask></c>.</summary>
    public string MaskToken => _mask;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="ConfigException">config.json is bad, of another task, or does not fit the tokenizer.</exception>
    /// <exception cref="CheckpointException">A weight file is missing or broken.</exception>
    /// <exception cref="TokenizerException">The tokenizer's files are missing or broken.</exception>
    public static FillMaskPipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <summary>Opens a checkpoint whose files are in memory; no file system is used.</summary>
    /// <inheritdoc cref="Load"/>
    public static FillMaskPipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <summary>Makes the pipeline of parts, which stay the caller's.</summary>
    /// <exception cref="ConfigException">The model is of another task, or the tokenizer does not fit it.</exception>
    public static FillMaskPipeline Create(PretrainedModel model, Tokenizer tokenizer) => new(model, tokenizer, ownsModel: false);

    /// <summary>Makes the pipeline of what another one has opened: its model, its tokenizer and its checkpoint's other files. The weights are there once.
    /// They stay the other's, which is disposed last.</summary>
    /// <param name="other">A pipeline whose model has the head that this one needs.</param>
    /// <exception cref="ConfigException">The model is of another task.</exception>
    public static FillMaskPipeline Create(Pipeline other) => Share(other, Create);

    /// <summary>Fills the one mask of a text.</summary>
    /// <returns>The best candidates, best first.</returns>
    /// <exception cref="ModelInputException">The text has no mask or several, is empty or too long; or a target is not one token.</exception>
    public IReadOnlyList<FillMaskPrediction> Predict(string text, FillMaskOptions? options = null, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<FilledMask> masks = PredictMasks([text], options, progress: null, cancellationToken)[0].Masks;
        return masks.Count == 1
            ? masks[0].Predictions
            : throw new ModelInputException($"The text has {masks.Count} masks ({_mask}); Predict fills exactly one. Call PredictMasks for several.");
    }

    /// <summary>Fills every mask of every text, each for itself.</summary>
    /// <param name="texts">The texts; each has at least one mask.</param>
    /// <param name="options">How many candidates, and which.</param>
    /// <param name="progress">Told how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <exception cref="ModelInputException">A text has no mask, is empty or too long; or a target is not one token.</exception>
    public IReadOnlyList<MaskedText> PredictMasks(
        IReadOnlyList<string> texts, FillMaskOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= FillMaskOptions.Default;
        int[]? targets = TargetIds(options.Targets);
        var results = new MaskedText[texts.Count];
        RunTexts(results.Length, i => Row(texts[i], options.Truncation, cancellationToken), (batch, inputs, session) =>
        {
            (int Row, int Column)[] places = [.. batch.SelectMany((one, row) => one.Row.Columns.Select(column => (row, column)))];
            FloatTensor logits = _model.Forward(inputs, session, new ForwardOptions { LogitsAt = places }).Logits;      // [places, vocab_size]
            int place = 0;
            foreach ((int i, MaskRow row) in batch)
            {
                // As transformers: beside other masks a filled text is written with its special tokens.
                var decoding = new DecodeOptions { SkipSpecialTokens = row.Columns.Length == 1 };
                results[i] = new MaskedText(texts[i], [.. row.Columns.Select(column =>
                {
                    int[] best = Best(logits.Row(place), targets, options.TopK, session.Kernels);
                    return Filled(logits.Row(place++), best, row.Encoding, column, decoding);
                })]);
            }
        }, progress, cancellationToken);
        return results;
    }

    /// <summary>Opens it from a directory or from files in memory.</summary>
    internal static FillMaskPipeline Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new FillMaskPipeline(model, tokenizer, ownsModel: true));

    /// <summary>The mask of a vocabulary.</summary>
    /// <exception cref="ConfigException">It has none.</exception>
    internal static (string Token, int Id) FindMask(Tokenizer tokenizer)
    {
        if (tokenizer.SpecialTokens is { MaskToken: string mask, MaskTokenId: int id })
            return (mask, id);
        // Old BERT tokenizers have no tokenizer_config.json that names it.
        foreach (string usual in (ReadOnlySpan<string>)["[MASK]", "<mask>"])
        {
            if (tokenizer.TokenToId(usual) is int usualId)
                return (usual, usualId);
        }
        throw new ConfigException("The tokenizer has no mask token; fill-mask needs one. Name it in tokenizer_config.json (mask_token).");
    }

    private MaskRow Row(string text, bool truncation, CancellationToken cancellationToken)
    {
        TokenEncoding encoding = Texts.Encode(text, pair: null, truncation, cancellationToken: cancellationToken);
        return new MaskRow(encoding, MaskColumns(encoding, text));
    }

    private int[] MaskColumns(TokenEncoding row, string text)
    {
        int[] columns = [.. Enumerable.Range(0, row.Length).Where(column => row.Ids[column] == _maskId)];
        if (columns.Length > 0)
            return columns;
        throw new ModelInputException(
            row.Overflowing.Count > 0
                ? $"The text's first {row.SequenceIds.Count(sequence => sequence is not null)} of {Texts.EncodeWhole(text).Length} tokens, which are left " +
                    $"after truncation, have no {_mask}. Move the mask forward, or shorten what stands before it."
                : $"The text has no mask. Write {_mask} where a token is to be filled in.");
    }

    private int[]? TargetIds(IReadOnlyList<string>? targets)
    {
        if (targets is null)
            return null;
        if (targets.Count == 0)
            throw new ModelInputException("Targets is empty; at least one candidate is needed, or null for the whole vocabulary.");
        return [.. targets.Select(TargetId).Distinct()];
    }

    private int TargetId(string target)
    {
        int? token = Tokenizer.TokenToId(target);
        int[] ids = token is int whole ? [whole] : Tokenizer.EncodeToIds(target, pair: null, EncodeOptions.Plain);
        if (ids.Length != 1)
            throw new ModelInputException($"The target \"{target}\" is {ids.Length} tokens in this vocabulary " +
                $"({string.Join(", ", ids.Select(Tokenizer.IdToToken))}); a mask holds one. Name a target that is one token.");
        if (ids[0] >= Model.Config.VocabSize)
            throw new ModelInputException($"The target \"{target}\" is token {ids[0]}, for which {Model.Architecture} has no score: " +
                $"its vocab_size is {Model.Config.VocabSize}. Name a target below it.");
        return ids[0];
    }

    /// <summary>Makes probabilities of scores, in place, and gives the best tokens.</summary>
    private int[] Best(Span<float> scores, int[]? targets, int topK, KernelOptions kernels)
    {
        Softmax.Run(scores, scores, kernels);
        Scores.RequireNumbers(scores, "score of token", Model);
        return targets is null ? Ranking.Best(scores, topK) : Ranking.Best(scores, topK, targets);
    }

    private FilledMask Filled(ReadOnlySpan<float> scores, int[] ids, TokenEncoding row, int column, DecodeOptions decoding)
    {
        IReadOnlyList<string> sequences = Tokenizer.DecodeFilled(row.Ids, column, ids, decoding);
        var predictions = new FillMaskPrediction[ids.Length];
        for (int i = 0; i < ids.Length; i++)
            predictions[i] = new FillMaskPrediction(scores[ids[i]], ids[i], Tokenizer.IdToToken(ids[i]) ?? "", Tokenizer.Decode([ids[i]]), sequences[i]);
        (int start, int end) = row.Utf16Offsets[column];
        return new FilledMask(start, end, predictions);
    }

    /// <summary>A text and the columns of its masks.</summary>
    private sealed record MaskRow(TokenEncoding Encoding, int[] Columns) : EncoderRow(Encoding.Ids, Encoding.TypeIds);
}

/// <summary>What fill-mask returns.</summary>
public sealed record FillMaskOptions
{
    /// <summary>The defaults.</summary>
    public static FillMaskOptions Default => new();

    /// <summary>Candidates per mask, at least 1; fewer where there are fewer targets.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int TopK { get; init => field = OptionRange.Least(1, value); } = 5;

    /// <summary>The only candidates, each one token: as the vocabulary writes it, or as text that is one token (<c>" function"</c>). Null: the whole
    /// vocabulary.</summary>
    public IReadOnlyList<string>? Targets { get; init; }

    /// <summary>Cuts a text that is too long at its end, instead of refusing it.</summary>
    public bool Truncation { get; init; }
}

/// <summary>A text with what fills its masks.</summary>
/// <param name="Text">The text.</param>
/// <param name="Masks">Its masks, in the text's order.</param>
public sealed record MaskedText(string Text, IReadOnlyList<FilledMask> Masks);

/// <summary>A mask of a text.</summary>
/// <param name="Start">Where it starts in the .NET string, in UTF-16 units.</param>
/// <param name="End">Where it ends, exclusive.</param>
/// <param name="Predictions">The best candidates, best first.</param>
public sealed record FilledMask(int Start, int End, IReadOnlyList<FillMaskPrediction> Predictions);

/// <summary>A candidate for a mask.</summary>
/// <param name="Score">Its probability among the whole vocabulary.</param>
/// <param name="TokenId">Its id.</param>
/// <param name="Token">As the vocabulary writes it, such as <c>Ġfunction</c>.</param>
/// <param name="TokenText">As text, such as <c>" function"</c>; transformers' token_str.</param>
/// <param name="Sequence">The text with the mask filled. Where it has other masks they stay, and the special tokens are written, as transformers does.</param>
[DebuggerDisplay("{DebuggerText,nq}")]
public sealed record FillMaskPrediction(float Score, int TokenId, string Token, string TokenText, string Sequence)
{
    private string DebuggerText => string.Create(CultureInfo.InvariantCulture, $"{new TokenView(TokenId, TokenText)}: {Score:F4}");
}
