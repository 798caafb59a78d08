namespace ManagedTransformers.Models;

/// <summary>BERT with both heads of its pre-training: masked language model and next sentence (StarEncoder).</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForPreTraining. The loss is the sum of both, where both kinds of labels are given.</remarks>
public sealed class BertForPreTraining : PretrainedModel
{
    private readonly BertEncoder _bert;
    private readonly MaskedLMHead _predictions;
    private readonly Linear _seqRelationship;

    internal BertForPreTraining(BertConfig config, ModelSource source) : base(config, source)
    {
        _bert = new BertEncoder(config, source.Weights, pooler: true, poolerIsNeeded: true);
        _predictions = new MaskedLMHead(config, source.Weights, _bert);
        _seqRelationship = new Linear(source.Weights, "cls.seq_relationship", config.HiddenSize, 2);
    }

    internal override bool ReadsFirstToken => true;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static BertForPreTraining Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<BertForPreTraining>(directory, options);

    /// <inheritdoc/>
    public override PreTrainingOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _bert.Forward(inputs, session);                               // [tokens, hidden]
        Tensor predictions = VocabularyLogits.Compute("prediction_logits", x, Config.VocabSize, session, _predictions.Forward);
        Tensor relationship = _seqRelationship.Forward(_bert.Pool(x, session), session).Copy("seq_relationship_logits");
        float? loss = inputs.Labels is int[] labels && inputs.NextSentenceLabel is int[] next
            ? Loss.CrossEntropy(predictions, labels, session.Kernels) + Loss.CrossEntropy(relationship, next, session.Kernels)
            : null;
        return EndPass(new PreTrainingOutput(predictions, relationship) { Loss = loss }, session);
    }

    /// <summary>The head alone, on the hidden states of any layer: what the model would answer if it ended there (the logit lens).</summary>
    /// <param name="hiddenStates">[rows, hidden_size]; they stay as they are.</param>
    /// <param name="session">A session of this model.</param>
    /// <returns>[rows, vocab_size].</returns>
    /// <exception cref="ModelInputException">The hidden states are of another shape.</exception>
    public Tensor Logits(Tensor hiddenStates, Session session) => RunHead(hiddenStates, session, _predictions.Forward);

    private protected override IEnumerable<string> ListActivations() => 
        [.. _bert.ActivationNames, .. _predictions.ActivationNames, .. _bert.PoolerActivationNames, _seqRelationship.Name];
}
