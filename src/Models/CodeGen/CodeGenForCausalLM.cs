using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>CodeGen and CodeGen2 that write code: scores of the next token after every token.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474, and 2023, arXiv:2305.02309; transformers CodeGenForCausalLM.</remarks>
public sealed class CodeGenForCausalLM : PretrainedModel
{
    private readonly CodeGenDecoder _transformer;
    private readonly Linear _lmHead;

    internal CodeGenForCausalLM(CodeGenConfig config, ModelSource source) : base(config, source)
    {
        Config = config;
        _transformer = new CodeGenDecoder(config, source.Weights);
        float[] bias = source.Weights.Vector("lm_head.bias", config.VocabSize);
        if (config.TieWordEmbeddings)
            source.Weights.Ignore("lm_head.weight", _transformer.WordEmbeddings.Weight.Name);
        Matrix weight = config.TieWordEmbeddings ? _transformer.WordEmbeddings : source.Weights.HeadMatrix("lm_head.weight", config.VocabSize, config.NEmbd);
        _lmHead = new Linear("lm_head", weight, bias);
    }

    /// <summary>The configuration.</summary>
    public new CodeGenConfig Config { get; }

    internal override bool ReadsFirstToken => false;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static CodeGenForCausalLM Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<CodeGenForCausalLM>(directory, options);

    /// <summary>Runs the tokens after those that the session's cache holds.</summary>
    /// <inheritdoc/>
    public override CausalLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _transformer.Forward(inputs, session);                       // [tokens, n_embd]
        Tensor logits = VocabularyLogits.Compute("logits", x, Config.VocabSize, session, Head);
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
    public Tensor Step(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> sequences, Session session) =>
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
    public Tensor Append(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> lengths, ReadOnlySpan<int> sequences, Session session, ScoresOf scores)
    {
        CheckSession(session);
        InputChecks.CheckAppend(tokenIds, lengths, sequences, session.Cache!, Config);
        using Session.Pass pass = session.Begin(ForwardOptions.Default);
        PackedBatch batch = session.Batch;
        batch.PackRows(tokenIds, lengths, sequences);
        session.Tracer?.BeginPass(batch);
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row), position = session.Cache!.Length(batch.Slot(row)); token < batch.RowStart(row + 1); token++)
                batch.Positions[token] = position++;
        Tensor x = _transformer.Run(session);                                   // [tokens, n_embd]
        Tensor logits = scores switch
        {
            ScoresOf.AllTokens => _lmHead.Forward(x, session),
            ScoresOf.LastTokens => _lmHead.Forward(LastTokens(x, session), session),
            _ => session.Workspace.Rent("lm_head", 0, Config.VocabSize),
        };
        session.Tracer?.EndPass();
        return logits;
    }

    private void Head(Tensor x, Tensor logits, Session session)
    {
        _lmHead.ForwardTo(x, logits, session);
        session.Tap(_lmHead.Name, logits);
    }

    /// <summary>ln_f and lm_head alone, on the residual stream after any layer: what the model would answer if it ended there (the logit lens).</summary>
    /// <param name="residual">[rows, n_embd], before ln_f; it stays as it is.</param>
    /// <param name="session">A session of this model; its KV cache is not touched.</param>
    /// <returns>[rows, vocab_size].</returns>
    /// <exception cref="ModelInputException">The residual stream is of another shape.</exception>
    public Tensor Logits(Tensor residual, Session session) =>
        RunHead(residual, session, (x, logits, s) => _lmHead.ForwardAsDecoding(_transformer.Norm.Forward(x, s), logits, s));

    /// <summary>
    /// What each part of a residual stream adds to logit(first) − logit(second), with the scale of ln_f frozen at what it is for the whole. ln_f is then
    /// linear, so the parts' effects and <paramref name="constant"/> (the biases of ln_f and lm_head) sum to the difference.
    /// </summary>
    /// <param name="parts">[parts, n_embd]; together they are <paramref name="residual"/>. Overwritten.</param>
    /// <param name="residual">The stream before ln_f, [n_embd].</param>
    /// <param name="first">A token's id.</param>
    /// <param name="second">Another's.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="constant">What does not depend on the stream.</param>
    /// <returns>[parts].</returns>
    /// <remarks>Direct logit attribution: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".</remarks>
    internal float[] LogitShares(Tensor parts, ReadOnlySpan<float> residual, int first, int second, KernelOptions kernels, out float constant)
    {
        _transformer.Norm.ScaleParts(parts, residual);                          // (part − mean(part)) / √(var(residual) + eps) · weight
        float[] shares = _lmHead.Scores(parts, first, kernels), others = _lmHead.Scores(parts, second, kernels);
        for (int i = 0; i < shares.Length; i++)
            shares[i] -= others[i];
        var shift = new Tensor(_transformer.Norm.Bias.ToArray(), "transformer.ln_f.bias", 1, Config.NEmbd);
        constant = _lmHead.Scores(shift, first, kernels)[0] - _lmHead.Scores(shift, second, kernels)[0] + _lmHead.Bias[first] - _lmHead.Bias[second];
        return shares;
    }

    private static Tensor LastTokens(Tensor x, Session session)
    {
        session.RowsAreSelected = true;
        Tensor last = session.Workspace.Rent("selected", session.Batch.Rows, x.Shape[1]);
        for (int row = 0; row < session.Batch.Rows; row++)
            x.Row(session.Batch.RowStart(row + 1) - 1).CopyTo(last.Row(row));
        return last;
    }

    private protected override IEnumerable<string> ListActivations() => [.. _transformer.ActivationNames, _lmHead.Name];

    private protected override KeyValueCache CreateCache(SessionOptions options) => CodeGenCache.Create(Config, options);
}

/// <summary>After which of the appended tokens the scores of the next one are wanted.</summary>
public enum ScoresOf
{
    /// <summary>None: the tokens are only read.</summary>
    None,

    /// <summary>The last one of each row.</summary>
    LastTokens,

    /// <summary>All.</summary>
    AllTokens,
}
