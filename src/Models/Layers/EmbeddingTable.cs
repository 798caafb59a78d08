using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>A table of vectors: ids → [tokens, width].</summary>
/// <remarks>transformers nn.Embedding; the weight is [rows, width].</remarks>
[DebuggerDisplay("{Name,nq}: {Matrix.N} × {Matrix.K}, {Matrix.Type}")]
public sealed class EmbeddingTable
{
    /// <summary>Reads <c>name.weight</c>.</summary>
    /// <param name="weights">Where it comes from.</param>
    /// <param name="name">The Hugging Face module path.</param>
    /// <param name="rows">Ids 0 … rows − 1.</param>
    /// <param name="width">Width of a vector.</param>
    /// <param name="zeroRow">The row that random weights leave zero (padding_idx).</param>
    public EmbeddingTable(ModelWeights weights, string name, int rows, int width, int? zeroRow = null)
    {
        ArgumentNullException.ThrowIfNull(weights);
        (Name, Matrix) = (name, weights.Matrix($"{name}.weight", rows, width, zeroRow));
    }

    /// <summary>The Hugging Face module path.</summary>
    public string Name { get; }

    /// <summary>The table; a head over the vocabulary may be tied to it.</summary>
    internal Matrix Matrix { get; }

    /// <summary>The vectors of the packed tokens, or those that were given in their place (inputs_embeds): [tokens, width], in the session's
    /// workspace.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="session">The running session.</param>
    public FloatTensor Forward(string name, Session session)
    {
        ArgumentNullException.ThrowIfNull(session);
        FloatTensor x = session.Workspace.Rent(name, session.Batch.Tokens, Matrix.K);
        if (session.Batch.InputsEmbeds is FloatTensor embeds)
            session.Batch.Gather(embeds.Span, x);
        else
            Embedding.Lookup(session.Batch.TokenIds, Matrix.View, x.Span, session.Kernels);
        return x;
    }

    /// <summary>x ← x + the vectors of <paramref name="ids"/>.</summary>
    /// <param name="ids">One per token.</param>
    /// <param name="x">[tokens, width].</param>
    /// <param name="session">The running session.</param>
    public void Add(ReadOnlySpan<int> ids, FloatTensor x, Session session)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(session);
        Embedding.LookupAdd(ids, Matrix.View, x.Span, session.Kernels);
    }
}
