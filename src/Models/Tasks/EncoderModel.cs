namespace ManagedTransformers.Models;

/// <summary>An encoder without a head. Derived classes say how packed tokens become hidden states; models with a head hold one as their body.</summary>
public abstract class EncoderModel : PretrainedModel, IBaseModel
{
    /// <inheritdoc/>
    protected EncoderModel(PretrainedConfig config, ModelSource source) : base(config, source)
    {
    }

    /// <summary>The token table, [vocab_size, hidden]; a masked-LM head may be tied to it.</summary>
    public abstract EmbeddingTable Words { get; }

    /// <summary>Whether there is a pooler.</summary>
    public virtual bool HasPooler => false;

    /// <inheritdoc/>
    protected override bool ReadsFirstToken => HasPooler;

    /// <summary>The last hidden state of the session's packed tokens, [tokens, hidden], in its workspace.</summary>
    /// <param name="session">The running session.</param>
    public abstract Tensor Forward(Session session);

    /// <summary>One vector for each row: tanh(dense(first token)), [batch, hidden], in the session's workspace.</summary>
    /// <param name="x">The last hidden state, [tokens, hidden].</param>
    /// <param name="session">The running session.</param>
    /// <exception cref="NotSupportedException">There is no pooler.</exception>
    public virtual Tensor Pool(Tensor x, Session session) => throw new NotSupportedException($"{Architecture} has no pooler.");

    /// <inheritdoc/>
    public override BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = Forward(session);                                          // [tokens, hidden]
        Tensor? pooled = HasPooler ? Pool(x, session).Copy("pooler_output") : null;
        return EndPass(new BaseModelOutput(session.Batch.Unpack(x, "last_hidden_state"), pooled), session);
    }
}
