namespace ManagedTransformers.Models;

/// <summary>A decoder without a head. Derived classes say how packed tokens become hidden states; a model with a head holds one as its body.</summary>
/// <remarks>Attention reads and writes the session's KV cache: keys and values of the packed tokens go behind those that it holds.</remarks>
public abstract class DecoderModel : PretrainedModel, IBaseModel
{
    /// <inheritdoc/>
    protected DecoderModel(PretrainedConfig config, ModelSource source) : base(config, source)
    {
    }

    /// <summary>The token table, [vocab_size, hidden]; a head may be tied to it.</summary>
    public abstract EmbeddingTable Words { get; }

    /// <summary>The norm after the last layer.</summary>
    public abstract LayerNormalization Norm { get; }

    /// <summary>The last hidden state of the session's packed tokens, after <see cref="Norm"/>: [tokens, hidden], in its workspace. One pass for prompts,
    /// steps and drafts.</summary>
    /// <param name="session">The running session.</param>
    public abstract Tensor Forward(Session session);

    /// <inheritdoc/>
    public override BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = Forward(session);                                          // [tokens, hidden]
        return EndPass(new BaseModelOutput(session.Batch.Unpack(x, "last_hidden_state"), poolerOutput: null), session);
    }
}
