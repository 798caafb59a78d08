namespace ManagedTransformers.Models;

/// <summary>BERT that fills masks: scores of the vocabulary for every token.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForMaskedLM.</remarks>
public sealed class BertForMaskedLM : PretrainedModel
{
    private readonly BertEncoder _bert;
    private readonly MaskedLMHead _head;

    internal BertForMaskedLM(BertConfig config, ModelSource source) : base(config, source)
    {
        _bert = new BertEncoder(config, source.Weights, pooler: false);
        _head = new MaskedLMHead(config, source.Weights, _bert);
    }

    internal override bool ReadsFirstToken => false;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static BertForMaskedLM Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<BertForMaskedLM>(directory, options);

    /// <inheritdoc/>
    public override MaskedLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _bert.Forward(inputs, session);                            // [tokens, hidden]
        Tensor logits = VocabularyLogits.Compute("logits", x, Config.VocabSize, session, _head.Forward);
        float? loss = inputs.Labels is int[] labels ? Loss.CrossEntropy(logits, labels, session.Kernels) : null;
        return EndPass(new MaskedLMOutput(logits) { Loss = loss }, session);
    }

    private protected override IEnumerable<string> ListActivations() => [.. _bert.ActivationNames, .. _head.ActivationNames];
}
