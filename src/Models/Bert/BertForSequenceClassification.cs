namespace ManagedTransformers.Models;

/// <summary>BERT that classifies a text: classifier(pooler), or a score where there is one label.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForSequenceClassification.</remarks>
public sealed class BertForSequenceClassification : PretrainedModel
{
    private readonly BertEncoder _bert;
    private readonly Linear _classifier;

    internal BertForSequenceClassification(BertConfig config, ModelSource source) : base(config, source)
    {
        _bert = new BertEncoder(config, source.Weights, pooler: true, poolerIsNeeded: true);
        _classifier = new Linear(source.Weights, "classifier", config.HiddenSize, config.NumLabels);
    }

    internal override bool ReadsFirstToken => true;

    internal override bool ReadsLabelValues => true;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static BertForSequenceClassification Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<BertForSequenceClassification>(directory, options);

    /// <inheritdoc/>
    public override SequenceClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _bert.Forward(inputs, session);                               // [tokens, hidden]
        Tensor logits = _classifier.Forward(_bert.Pool(x, session), session).Copy("logits");
        float? loss = SequenceLoss.Compute(logits, inputs, Config, session);
        return EndPass(new SequenceClassifierOutput(logits) { Loss = loss }, session);
    }

    private protected override IEnumerable<string> ListActivations() => [.. _bert.ActivationNames, .. _bert.PoolerActivationNames, _classifier.Name];
}
