namespace ManagedTransformers.Models;

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

    /// <inheritdoc/>
    protected override bool ReadsFirstToken => true;

    /// <inheritdoc/>
    protected override bool ReadsLabelValues => true;

    /// <inheritdoc/>
    public override SequenceClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _body.Forward(session);                                    // [tokens, hidden]
        Tensor logits = Classify(x, session).Copy("logits");                  // [batch, labels]
        float? loss = SequenceLoss.Compute(logits, inputs, Config, session);
        return EndPass(new SequenceClassifierOutput(logits) { Loss = loss }, session);
    }

    /// <summary>The head: [tokens, hidden] → [batch, labels], in the session's workspace.</summary>
    /// <param name="x">The last hidden state.</param>
    /// <param name="session">The running session.</param>
    protected abstract Tensor Classify(Tensor x, Session session);
}
