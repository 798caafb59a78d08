namespace ManagedTransformers.Models;

/// <summary>BERT with both heads of its pre-training: masked language model and next sentence (StarEncoder).</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForPreTraining. The loss is the sum of both, where both kinds of labels are given.</remarks>
internal sealed class BertForPreTraining : PretrainedModel, IMaskedLM, INextSentence
{
    private readonly BertModel _bert;
    private readonly MaskedLMHead _predictions;
    private readonly Linear _seqRelationship;

    internal BertForPreTraining(BertConfig config, ModelSource source) : base(config, source)
    {
        _bert = new BertModel(config, source, pooler: true, poolerIsNeeded: true);
        _predictions = BertForMaskedLM.Head(config, source.Weights, _bert);
        _seqRelationship = new Linear(source.Weights, "cls.seq_relationship", config.HiddenSize, 2);
    }

    /// <inheritdoc/>
    public override ModulePaths Paths => _bert.Paths;

    /// <inheritdoc/>
    protected override bool ReadsFirstToken => true;

    /// <inheritdoc/>
    public override PreTrainingOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _bert.Forward(session);                                       // [tokens, hidden]
        Tensor predictions = VocabularyLogits.Compute("prediction_logits", x, Config.VocabSize, session,
            (rows, scores) => _predictions.ForwardTo(rows, scores, session));
        Tensor relationship = _seqRelationship.Forward(_bert.Pool(x, session), session).Copy("seq_relationship_logits");
        float? loss = inputs.Labels is int[] labels && inputs.NextSentenceLabel is int[] next
            ? Loss.CrossEntropy(predictions, labels, session.Kernels) + Loss.CrossEntropy(relationship, next, session.Kernels)
            : null;
        return EndPass(new PreTrainingOutput(predictions, relationship) { Loss = loss }, session);
    }

    /// <inheritdoc/>
    public Tensor NextSentenceLogits(ModelInputs inputs, Session session) =>
        Forward(inputs, session, new ForwardOptions { LogitsAt = [] }).SeqRelationshipLogits;

    /// <inheritdoc/>
    public Tensor Logits(Tensor hiddenStates, Session session) =>
        RunHead(hiddenStates, session, (rows, scores) => _predictions.ForwardTo(rows, scores, session));

    MaskedLMOutput IMaskedLM.Forward(ModelInputs inputs, Session session, ForwardOptions? options) => Forward(inputs, session, options);
}
