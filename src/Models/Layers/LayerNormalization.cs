using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>y = (x − mean(x)) / sqrt(var(x) + eps) · weight + bias, for each row of [tokens, hidden].</summary>
/// <remarks>Ba et al. 2016, arXiv:1607.06450; transformers nn.LayerNorm.</remarks>
[DebuggerDisplay("{Name,nq}: {_weight.Length}")]
internal sealed class LayerNormalization(ModelWeights weights, string name, int hidden, double eps)
{
    private readonly float[] _weight = weights.Vector(name + ".weight", hidden, initial: 1);
    private readonly float[] _bias = weights.Vector(name + ".bias", hidden);
    private readonly float _eps = (float)eps;

    /// <summary>The Hugging Face module path.</summary>
    public string Name { get; } = name;

    /// <summary>[tokens, hidden] → [tokens, hidden], in the session's workspace.</summary>
    public Tensor Forward(Tensor x, Session session)
    {
        Tensor y = session.Workspace.Rent(Name, x.Shape[0], x.Shape[1]);
        ForwardTo(x, y, session);
        return session.Tap(Name, y);
    }

    /// <summary>The same into a tensor of the caller's, which may be <paramref name="x"/> itself.</summary>
    public void ForwardTo(Tensor x, Tensor y, Session session) => LayerNorm.Run(x.Span, _weight, _bias, _eps, y.Span, session.Kernels);
}
