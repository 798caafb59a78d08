using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>Scores of the vocabulary: decoder(LayerNorm(act(dense(x)))).</summary>
/// <param name="dense">The first layer.</param>
/// <param name="activation">What follows it.</param>
/// <param name="layerNorm">The norm after that.</param>
/// <param name="transformName">The module path under which the norm's output is traced.</param>
/// <param name="decoder">The last layer, over the vocabulary; <see cref="Linear.OverVocabulary"/> makes it.</param>
/// <param name="name">The module path of the whole head; null: it is no module of its own.</param>
/// <remarks>transformers BertLMPredictionHead, RobertaLMHead, DistilBertForMaskedLM.</remarks>
public sealed class MaskedLMHead(Linear dense, ActivationFunction activation, LayerNormalization layerNorm, string transformName, Linear decoder,
    string? name = null)
{
    /// <summary>[rows, hidden] → [rows, vocab_size] into <paramref name="logits"/>.</summary>
    /// <param name="x">[rows, hidden].</param>
    /// <param name="logits">[rows, vocab_size].</param>
    /// <param name="session">The running session.</param>
    public void ForwardTo(Tensor x, Tensor logits, Session session)
    {
        ArgumentNullException.ThrowIfNull(session);
        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor transformed = dense.Forward(x, session, activation);
        layerNorm.ForwardTo(transformed, transformed, session);
        session.Tap(transformName, transformed);
        decoder.ForwardTo(transformed, logits, session);
        session.Tap(decoder.Name, logits);
        if (name is not null)
            session.Tap(name, logits);
    }
}
