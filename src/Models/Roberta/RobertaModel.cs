namespace ManagedTransformers.Models;

/// <summary>RoBERTa without a head: hidden states and, where the checkpoint has one, the pooler.</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaModel.</remarks>
public sealed class RobertaModel : PretrainedModel
{
    private readonly BertEncoder _roberta;

    internal RobertaModel(RobertaConfig config, ModelSource source) : base(config, source)
    {
        _roberta = new BertEncoder(config, source.Weights, pooler: true);
    }

    internal override bool ReadsFirstToken => _roberta.HasPooler;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static RobertaModel Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<RobertaModel>(directory, options);

    /// <inheritdoc/>
    public override BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _roberta.Forward(inputs, session);                            // [tokens, hidden]
        Tensor? pooled = _roberta.HasPooler ? _roberta.Pool(x, session).Copy("pooler_output") : null;
        return EndPass(new BaseModelOutput(session.Batch.Unpack(x, "last_hidden_state"), pooled), session);
    }

    private protected override IEnumerable<string> ListActivations() => [.. _roberta.ActivationNames, .. _roberta.PoolerActivationNames];
}
