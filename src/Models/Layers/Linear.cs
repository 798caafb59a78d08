using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>y = act(x · Wᵀ + b): [tokens, in] → [tokens, out].</summary>
/// <remarks>transformers nn.Linear; the weight is [out, in].</remarks>
internal sealed class Linear
{
    private readonly Matrix _weight;
    private readonly float[]? _bias;

    /// <summary>Reads <c>name.weight</c> and, where wanted, <c>name.bias</c>.</summary>
    public Linear(ModelWeights weights, string name, int inFeatures, int outFeatures, bool bias = true)
        : this(name, weights.Matrix(name + ".weight", outFeatures, inFeatures), bias ? weights.Vector(name + ".bias", outFeatures) : null)
    {
    }

    /// <summary>A layer over a matrix that another layer has read (tied weights).</summary>
    public Linear(string name, Matrix weight, float[]? bias) => (Name, _weight, _bias) = (name, weight, bias);

    /// <summary>The Hugging Face module path.</summary>
    public string Name { get; }

    /// <summary>out_features.</summary>
    public int OutFeatures => _weight.N;

    /// <summary>[tokens, in] → [tokens, out], in the session's workspace.</summary>
    public Tensor Forward(Tensor x, Session session, Activation activation = Activation.None)
    {
        Tensor y = session.Workspace.Rent(Name, x.Shape[0], OutFeatures);
        ForwardTo(x, y, session, activation);
        return session.Tap(Name, y);
    }

    /// <summary>The same into a tensor of the caller's.</summary>
    public void ForwardTo(Tensor x, Tensor y, Session session, Activation activation = Activation.None)
    {
        var epilogue = new Epilogue { Bias = _bias, Activation = activation };
        MatMul.Run(x.Span, x.Shape[0], _weight.View, y.Span, epilogue, session.Kernels);
    }
}
