namespace ManagedTransformers.Models;

/// <summary>An encoder that fills masks: scores of the vocabulary for every token.</summary>
public abstract class EncoderForMaskedLM : PretrainedModel, IMaskedLM
{
    private readonly EncoderModel _body;
    private readonly MaskedLMHead _head;

    /// <summary>A body and a head.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where weights come from.</param>
    /// <param name="body">The model without a head.</param>
    /// <param name="head">The head.</param>
    protected EncoderForMaskedLM(PretrainedConfig config, ModelSource source, EncoderModel body, MaskedLMHead head)
        : base(config, source) => (_body, _head) = (body, head);

    /// <inheritdoc/>
    public override ModulePaths Paths => _body.Paths;

    /// <inheritdoc/>
    public override MaskedLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _body.Forward(session);                                    // [tokens, hidden]
        Tensor logits = VocabularyLogits.Compute("logits", x, Config.VocabSize, session, (rows, scores) => _head.ForwardTo(rows, scores, session));
        float? loss = inputs.Labels is int[] labels ? Loss.CrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new MaskedLMOutput(logits) { Loss = loss }, session);
    }

    /// <inheritdoc/>
    public Tensor Logits(Tensor hiddenStates, Session session) => RunHead(hiddenStates, session, (rows, scores) => _head.ForwardTo(rows, scores, session));
}
