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
