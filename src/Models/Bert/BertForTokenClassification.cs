namespace ManagedTransformers.Models;

/// <summary>BERT that labels every token.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForTokenClassification.</remarks>
public sealed class BertForTokenClassification : PretrainedModel
{
    private readonly BertEncoder _bert;
    private readonly Linear _classifier;

    internal BertForTokenClassification(BertConfig config, ModelSource source) : base(config, source)
    {
        _bert = new BertEncoder(config, source.Weights, pooler: false);
        _classifier = new Linear(source.Weights, "classifier", config.HiddenSize, config.NumLabels);
    }

    internal override bool ReadsFirstToken => false;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static BertForTokenClassification Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<BertForTokenClassification>(directory, options);

    /// <inheritdoc/>
    public override TokenClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _bert.Forward(inputs, session);                            // [tokens, hidden]
        Tensor logits = session.Batch.Unpack(_classifier.Forward(x, session), "logits");
        float? loss = inputs.Labels is int[] labels ? Loss.CrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new TokenClassifierOutput(logits) { Loss = loss }, session);
    }

    private protected override IEnumerable<string> ListActivations() => [.. _bert.ActivationNames, _classifier.Name];
}
