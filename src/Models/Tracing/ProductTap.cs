using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <content>Products: what a module gives is the product before the activation, which a pass never has in memory.</content>
public sealed partial class ActivationTrace
{
    /// <summary>A layer's product next to its result, which keeps its bits unless an intervention changed the product.</summary>
    internal void TapProduct(Linear layer, Tensor x, Tensor y, ActivationFunction activation)
    {
        if (activation == ActivationFunction.None)
        {
            Tap(layer.Name, y);
            return;
        }
        if (!Wants(layer.Name)) return;
        using Workspace.Scope scope = _session.Workspace.BeginScope();
        Tensor product = _session.Workspace.Rent(layer.Name, y.Shape[0], y.Shape[1]);
        layer.ForwardTo(x, product, _session);
        if (Tap(layer.Name, product)) Activations.Run(activation, product.Span, y.Span, _session.Kernels);
    }

    /// <summary>The heads of a decoder's attention before it runs.</summary>
    internal void TapHeads(CausalSelfAttention attention, Tensor qkv, Tensor query) => attention.Tap(qkv, query, this, _session);
}
