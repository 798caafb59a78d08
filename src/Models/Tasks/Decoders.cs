using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>A decoder without a head. Derived classes say how packed tokens become hidden states; a model with a head holds one as its body.</summary>
/// <remarks>Attention reads and writes the session's KV cache: keys and values of the packed tokens go behind those that it holds.</remarks>
public abstract class DecoderModel : PretrainedModel, IBaseModel
{
    /// <inheritdoc/>
    protected DecoderModel(PretrainedConfig config, ModelSource source) : base(config, source)
    {
    }

    /// <summary>The token table, [vocab_size, hidden]; a head may be tied to it.</summary>
    public abstract EmbeddingTable Words { get; }

    /// <summary>The norm after the last layer.</summary>
    public abstract Normalization Norm { get; }

    internal override PretrainedModel? Body => this;

    /// <summary>The last hidden state of the session's packed tokens, after <see cref="Norm"/>: [tokens, hidden], in its workspace. One pass for prompts,
    /// steps and drafts.</summary>
    /// <param name="session">The running session.</param>
    public abstract FloatTensor Forward(Session session);

    /// <inheritdoc/>
    public override BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = Forward(session);                                          // [tokens, hidden]
        return EndPass(new BaseModelOutput(session.LastHiddenState(x), poolerOutput: null), session);
    }
}

/// <summary>A decoder that predicts the next token: scores of the vocabulary after every token.</summary>
public abstract class DecoderForCausalLM : PretrainedModel, ICausalLM
{
    private readonly DecoderModel _body;
    private readonly Linear _lmHead;

    /// <summary>A body and a head.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where weights come from.</param>
    /// <param name="body">The model without a head.</param>
    /// <param name="lmHead">hidden → vocab_size.</param>
    protected DecoderForCausalLM(PretrainedConfig config, ModelSource source, DecoderModel body, Linear lmHead)
        : base(config, source) => (_body, _lmHead) = (body, lmHead);

    /// <inheritdoc/>
    public override ModulePaths Paths => _body.Paths;

    internal override PretrainedModel? Body => _body;

    /// <summary>Runs the tokens after those that the session's cache holds.</summary>
    /// <inheritdoc/>
    public override CausalLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = _body.Forward(session);                                    // [tokens, hidden]
        FloatTensor logits = VocabularyLogits.Compute("logits", x, Config.VocabSize, session, (rows, scores) =>
        {
            _lmHead.ForwardTo(rows, scores, session);
            session.Tap(_lmHead.Name, scores);
        });
        float? loss = inputs.Labels is int[] labels ? Loss.CausalCrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new CausalLMOutput(logits) { Loss = loss }, session);
    }

    /// <summary>Runs one sequence without padding after what the session's cache holds.</summary>
    /// <inheritdoc cref="Forward(ModelInputs, Session, ForwardOptions?)"/>
    public CausalLMOutput Forward(ReadOnlySpan<int> inputIds, Session session, ForwardOptions? options = null) =>
        Forward(ModelInputs.Of(inputIds), session, options);

    /// <summary>
    /// A decode step: appends one token to some of the session's sequences and returns the scores of what follows, [rows, vocab_size].
    /// The tensor is the session's and holds until its next pass. Allocates nothing in the steady state.
    /// </summary>
    /// <param name="tokenIds">One token for each sequence that goes on.</param>
    /// <param name="sequences">Those sequences' numbers in the KV cache, 0 … batch − 1. Their positions count the tokens that they hold.</param>
    /// <param name="session">A session of this model.</param>
    /// <exception cref="ModelInputException">An id is outside the vocabulary, a sequence outside the batch or full.</exception>
    public FloatTensor Step(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> sequences, Session session) =>
        Append(tokenIds, lengths: [], sequences, session, ScoresOf.AllTokens);

    /// <summary>
    /// Appends rows of tokens, of any lengths and without padding, to some of the session's sequences. Allocates nothing in the
    /// steady state. The scores of a token do not depend on the other rows, to the bit, while a pass has at most
    /// <see cref="MatMul.StreamedRows"/> tokens.
    /// </summary>
    /// <param name="tokenIds">The tokens, row after row.</param>
    /// <param name="lengths">Tokens of each row, at least 1; empty: one each.</param>
    /// <param name="sequences">The sequence of the KV cache that each row continues. Positions count the tokens that it holds.</param>
    /// <param name="session">A session of this model.</param>
    /// <param name="scores">After which tokens the scores of the next one are wanted.</param>
    /// <returns>[tokens, vocab_size], or [rows, vocab_size] for the rows' last tokens, or [0, vocab_size]. The tensor is the session's
    /// and holds until its next pass.</returns>
    /// <exception cref="ModelInputException">An id is outside the vocabulary, a sequence outside the batch or full.</exception>
    public FloatTensor Append(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> lengths, ReadOnlySpan<int> sequences, Session session, ScoresOf scores)
    {
        using Session.Pass pass = BeginPass(tokenIds, lengths, sequences, session);
        FloatTensor x = _body.Forward(session);                                    // [tokens, hidden]
        FloatTensor logits = scores switch
        {
            ScoresOf.AllTokens => _lmHead.Forward(x, session),
            ScoresOf.LastTokens => _lmHead.Forward(SelectedRows.Last(x, session), session),
            ScoresOf.None => session.Workspace.Rent(_lmHead.Name, 0, Config.VocabSize),
            _ => throw new ArgumentOutOfRangeException(nameof(scores), scores, "None, LastTokens or AllTokens is needed."),
        };
        EndPass(session);
        return logits;
    }

    /// <summary>The last norm and the head alone, on the residual stream after any layer: what the model would answer if it ended there (the logit
    /// lens).</summary>
    /// <param name="residual">[rows, hidden], before the last norm; it stays as it is.</param>
    /// <param name="session">A session of this model; its KV cache is not touched.</param>
    /// <returns>[rows, vocab_size].</returns>
    /// <exception cref="ModelInputException">The residual stream is of another shape.</exception>
    public FloatTensor Logits(FloatTensor residual, Session session) => RunHead(residual, session, (rows, logits) =>
    {
        FloatTensor x = _body.Norm.Forward(rows, session);
        // Few rows at a time, as decoding computes them: products of many rows with blocked weights round x further.
        int step = WeightMatrix.IsBlocked(_lmHead.Weight.Type) ? MatMul.StreamedRows : x.Shape[0];
        for (int row = 0; row < x.Shape[0]; row += step)
        {
            int count = Math.Min(step, x.Shape[0] - row);
            Span<float> y = logits.Span.Slice(row * Config.VocabSize, count * Config.VocabSize);
            MatMul.Run(x.Span.Slice(row * x.Shape[1], count * x.Shape[1]), count, _lmHead.Weight, y, new Epilogue { Bias = _lmHead.Bias }, session.Kernels);
        }
    });

    /// <summary>
    /// What each part of a residual stream adds to logit(first) − logit(second), with the scale of the last norm frozen at what it is for the whole. The
    /// norm is then
    /// linear, so the parts' effects and <paramref name="constant"/> (the biases of norm and head) sum to the difference.
    /// </summary>
    /// <param name="parts">[parts, hidden]; together they are <paramref name="residual"/>. Overwritten.</param>
    /// <param name="residual">The stream before the last norm, [hidden].</param>
    /// <param name="first">A token's id.</param>
    /// <param name="second">Another's.</param>
    /// <param name="constant">What does not depend on the stream.</param>
    /// <returns>[parts].</returns>
    /// <remarks>Direct logit attribution: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".</remarks>
    public float[] LogitShares(FloatTensor parts, ReadOnlySpan<float> residual, int first, int second, out float constant)
    {
        ArgumentNullException.ThrowIfNull(parts);
        _body.Norm.ScaleParts(parts, residual);                               // the norm with the whole's scale
        float[] shares = Scores(parts, first), others = Scores(parts, second);
        for (int i = 0; i < shares.Length; i++)
            shares[i] -= others[i];
        constant = 0;
        if (!_body.Norm.Bias.IsEmpty)
        {
            var shift = new FloatTensor(_body.Norm.Bias.ToArray(), $"{_body.Norm.Name}.bias", 1, Config.HiddenWidth);
            constant = Scores(shift, first)[0] - Scores(shift, second)[0];
        }
        if (!_lmHead.Bias.IsEmpty)
            constant += _lmHead.Bias[first] - _lmHead.Bias[second];
        return shares;
    }

    /// <summary>x · W[token]ᵀ: one output of every row, without the bias, [rows].</summary>
    private float[] Scores(FloatTensor x, int token)
    {
        WeightMatrix all = _lmHead.Weight;
        var one = new WeightMatrix(all.Row(token), all.Type, 1, all.K);
        var y = new float[x.Shape[0]];
        MatMul.Run(x.Span, y.Length, one, y, new Epilogue(), LoadOptions.Kernels);
        return y;
    }

    /// <summary>Checks and packs rows that continue sequences of the cache, and starts the pass.</summary>
    private Session.Pass BeginPass(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> lengths, ReadOnlySpan<int> sequences, Session session)
    {
        CheckSession(session);
        InputChecks.CheckAppend(tokenIds, lengths, sequences, session.Cache!, Config);
        Session.Pass pass = session.Begin(ForwardOptions.OfSteps);
        try
        {
            session.Batch.PackRows(tokenIds, lengths, sequences, session.Cache!);
            session.Decodes(lengths);
            session.Cache!.Reserve(session.Batch);
            session.Tracer?.BeginPass(session.Batch);
            return pass;
        }
        catch
        {
            pass.Dispose();
            throw;
        }
    }
}
