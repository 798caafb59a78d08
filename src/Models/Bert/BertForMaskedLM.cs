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

    /// <summary>The head alone, on the hidden states of any layer: what the model would answer if it ended there (the logit lens).</summary>
    /// <param name="hiddenStates">[rows, hidden_size]; they stay as they are.</param>
    /// <param name="session">A session of this model.</param>
    /// <returns>[rows, vocab_size].</returns>
    /// <exception cref="ModelInputException">The hidden states are of another shape.</exception>
    public Tensor Logits(Tensor hiddenStates, Session session) => RunHead(hiddenStates, session, _head.Forward);

    private protected override IEnumerable<string> ListActivations() => [.. _bert.ActivationNames, .. _head.ActivationNames];
}
