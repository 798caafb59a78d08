namespace ManagedTransformers.Models;

/// <summary>BERT without a head: hidden states and, where the checkpoint has one, the pooler.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertModel.</remarks>
public sealed class BertModel : PretrainedModel
{
    private readonly BertEncoder _bert;

    internal BertModel(BertConfig config, ModelSource source) : base(config, source)
    {
        _bert = new BertEncoder(config, source.Weights, pooler: true);
    }

    internal override bool ReadsFirstToken => _bert.HasPooler;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static BertModel Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<BertModel>(directory, options);

    /// <inheritdoc/>
    public override BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _bert.Forward(inputs, session);                            // [tokens, hidden]
        Tensor? pooled = _bert.HasPooler ? _bert.Pool(x, session).Copy("pooler_output") : null;
        return EndPass(new BaseModelOutput(session.Batch.Unpack(x, "last_hidden_state"), pooled), session);
    }

    private protected override IEnumerable<string> ListActivations() => [.. _bert.ActivationNames, .. _bert.PoolerActivationNames];
}
