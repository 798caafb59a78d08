namespace ManagedTransformers.Models;


/// <summary>An encoder without a head. Derived classes say how packed tokens become hidden states; models with a head hold one as their body.</summary>
public abstract class EncoderModel : PretrainedModel, IBaseModel
{
    /// <inheritdoc/>
    protected EncoderModel(PretrainedConfig config, ModelSource source) : base(config, source)
    {
    }

    /// <summary>The token table, [vocab_size, hidden]; a masked-LM head may be tied to it.</summary>
    public abstract EmbeddingTable Words { get; }

    /// <summary>Whether there is a pooler.</summary>
    public virtual bool HasPooler => false;

    /// <inheritdoc/>
    protected override bool ReadsFirstToken => HasPooler;

    internal override PretrainedModel? Body => this;

    /// <summary>The last hidden state of the session's packed tokens, [tokens, hidden], in its workspace.</summary>
    /// <param name="session">The running session.</param>
    public abstract FloatTensor Forward(Session session);

    /// <summary>One vector for each row: tanh(dense(first token)), [batch, hidden], in the session's workspace.</summary>
    /// <param name="x">The last hidden state, [tokens, hidden].</param>
    /// <param name="session">The running session.</param>
    /// <exception cref="NotSupportedException">There is no pooler.</exception>
    public virtual FloatTensor Pool(FloatTensor x, Session session) => throw new NotSupportedException($"{Architecture} has no pooler.");

    /// <inheritdoc/>
    public override BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = Forward(session);                                          // [tokens, hidden]
        FloatTensor? pooled = HasPooler ? Pool(x, session).Copy("pooler_output") : null;
        return EndPass(new BaseModelOutput(session.LastHiddenState(x), pooled), session);
    }
}

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

    internal override PretrainedModel? Body => _body;

    /// <inheritdoc/>
    public override MaskedLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = _body.Forward(session);                                    // [tokens, hidden]
        FloatTensor logits = VocabularyLogits.Compute("logits", x, Config.VocabSize, session, (rows, scores) => _head.ForwardTo(rows, scores, session));
        float? loss = inputs.Labels is int[] labels ? Loss.CrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new MaskedLMOutput(logits) { Loss = loss }, session);
    }

    /// <inheritdoc/>
    public FloatTensor Logits(FloatTensor hiddenStates, Session session) =>
        RunHead(hiddenStates, session, (rows, scores) => _head.ForwardTo(rows, scores, session));
}

/// <summary>An encoder that classifies a text, or scores it where there is one label.</summary>
public abstract class EncoderForSequenceClassification : PretrainedModel, ISequenceClassifier
{
    private readonly EncoderModel _body;

    /// <summary>A body; the derived class has the head.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where weights come from.</param>
    /// <param name="body">The model without a head.</param>
    protected EncoderForSequenceClassification(PretrainedConfig config, ModelSource source, EncoderModel body) : base(config, source) => _body = body;

    /// <inheritdoc/>
    public override ModulePaths Paths => _body.Paths;

    internal override PretrainedModel? Body => _body;

    /// <inheritdoc/>
    protected override bool ReadsFirstToken => true;

    /// <inheritdoc/>
    protected override bool ReadsLabelValues => true;

    /// <inheritdoc/>
    public override SequenceClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = _body.Forward(session);                                    // [tokens, hidden]
        FloatTensor logits = Classify(x, session).Copy("logits");                  // [batch, labels]
        float? loss = SequenceLoss.Compute(logits, inputs, Config, session);
        return EndPass(new SequenceClassifierOutput(logits) { Loss = loss }, session);
    }

    /// <summary>The head: [tokens, hidden] → [batch, labels], in the session's workspace.</summary>
    /// <param name="x">The last hidden state.</param>
    /// <param name="session">The running session.</param>
    protected abstract FloatTensor Classify(FloatTensor x, Session session);
}

/// <summary>An encoder that labels every token: classifier(last hidden state).</summary>
public abstract class EncoderForTokenClassification : PretrainedModel, ITokenClassifier
{
    private readonly EncoderModel _body;
    private readonly Linear _classifier;

    /// <summary>A body, and a classifier on top.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where weights come from.</param>
    /// <param name="body">The model without a head.</param>
    protected EncoderForTokenClassification(PretrainedConfig config, ModelSource source, EncoderModel body) : base(config, source) =>
        (_body, _classifier) = (body, new Linear(source.Weights, "classifier", config.HiddenWidth, config.NumLabels));

    /// <inheritdoc/>
    public override ModulePaths Paths => _body.Paths;

    internal override PretrainedModel? Body => _body;

    /// <inheritdoc/>
    public override TokenClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = _body.Forward(session);                                    // [tokens, hidden]
        FloatTensor logits = session.Batch.Unpack(_classifier.Forward(x, session), "logits");
        float? loss = inputs.Labels is int[] labels ? Loss.CrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new TokenClassifierOutput(logits) { Loss = loss }, session);
    }
}
