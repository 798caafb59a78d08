namespace ManagedTransformers.Models;

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

    /// <inheritdoc/>
    public override TokenClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _body.Forward(session);                                    // [tokens, hidden]
        Tensor logits = session.Batch.Unpack(_classifier.Forward(x, session), "logits");
        float? loss = inputs.Labels is int[] labels ? Loss.CrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new TokenClassifierOutput(logits) { Loss = loss }, session);
    }
}
