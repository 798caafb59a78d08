namespace ManagedTransformers.Models;

/// <summary>RoBERTa that labels every token.</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForTokenClassification.</remarks>
public sealed class RobertaForTokenClassification : PretrainedModel
{
    private readonly BertEncoder _roberta;
    private readonly Linear _classifier;

    internal RobertaForTokenClassification(RobertaConfig config, ModelSource source) : base(config, source)
    {
        _roberta = new BertEncoder(config, source.Weights, pooler: false);
        _classifier = new Linear(source.Weights, "classifier", config.HiddenSize, config.NumLabels);
    }

    internal override bool ReadsFirstToken => false;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static RobertaForTokenClassification Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<RobertaForTokenClassification>(directory, options);

    /// <inheritdoc/>
    public override TokenClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _roberta.Forward(inputs, session);                            // [tokens, hidden]
        Tensor logits = session.Batch.Unpack(_classifier.Forward(x, session), "logits");
        float? loss = inputs.Labels is int[] labels ? Loss.CrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new TokenClassifierOutput(logits) { Loss = loss }, session);
    }

    private protected override IEnumerable<string> ListActivations() => [.. _roberta.ActivationNames, _classifier.Name];
}
