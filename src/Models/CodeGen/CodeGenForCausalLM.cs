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
            source.Weights.Ignore("lm_head.weight");
        Matrix weight = config.TieWordEmbeddings ? _transformer.WordEmbeddings : source.Weights.Matrix("lm_head.weight", config.VocabSize, config.NEmbd);
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
        Tensor logits = VocabularyLogits.Compute("logits", x, Config.VocabSize, session, (h, y, s) => _lmHead.ForwardTo(h, y, s));
        float? loss = inputs.Labels is int[] labels ? Loss.CausalCrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new CausalLMOutput(logits) { Loss = loss }, session);
    }

    /// <summary>Runs one sequence without padding after what the session's cache holds.</summary>
    /// <inheritdoc cref="Forward(ModelInputs, Session, ForwardOptions?)"/>
    public CausalLMOutput Forward(ReadOnlySpan<int> inputIds, Session session, ForwardOptions? options = null) =>
        Forward(ModelInputs.Of(inputIds), session, options);

    /// <summary>
    /// A decode step: appends one token to some of the session's sequences and returns the scores of what follows, [tokens, vocab_size].
    /// The tensor is the session's and holds until its next pass. Allocates nothing in the steady state.
    /// </summary>
    /// <param name="tokenIds">One token for each sequence that goes on.</param>
    /// <param name="sequences">Those sequences' numbers in the KV cache, 0 … batch − 1. Their positions count the tokens that they hold.</param>
    /// <param name="session">A session of this model.</param>
    /// <exception cref="ModelInputException">An id is outside the vocabulary, a sequence outside the batch or full.</exception>
    public Tensor Step(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> sequences, Session session)
    {
        CheckSession(session);
        InputChecks.CheckStep(tokenIds, sequences, session.Cache!, Config);
        using Session.Pass pass = session.Begin(ForwardOptions.Default);
        session.Batch.PackStep(tokenIds, sequences);
        for (int row = 0; row < sequences.Length; row++)
            session.Batch.Positions[row] = session.Cache!.Length(sequences[row]);
        return _lmHead.Forward(_transformer.Step(session), session);
    }

    private protected override KeyValueCache CreateCache(SessionOptions options) => CodeGenCache.Create(Config, options);
}
