namespace ManagedTransformers.Models;

/// <summary>RoBERTa that fills masks: scores of the vocabulary for every token.</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForMaskedLM.</remarks>
public sealed class RobertaForMaskedLM : PretrainedModel
{
    private readonly BertEncoder _roberta;
    private readonly MaskedLMHead _head;

    internal RobertaForMaskedLM(RobertaConfig config, ModelSource source) : base(config, source)
    {
        _roberta = new BertEncoder(config, source.Weights, pooler: false);
        _head = new MaskedLMHead(config, source.Weights, _roberta);
    }

    internal override bool ReadsFirstToken => false;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static RobertaForMaskedLM Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<RobertaForMaskedLM>(directory, options);

    /// <inheritdoc/>
    public override MaskedLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _roberta.Forward(inputs, session);                            // [tokens, hidden]
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

    private protected override IEnumerable<string> ListActivations() => [.. _roberta.ActivationNames, .. _head.ActivationNames];
}
