using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>y = act(x · Wᵀ + b): [tokens, in] → [tokens, out].</summary>
/// <remarks>transformers nn.Linear; the weight is [out, in].</remarks>
[DebuggerDisplay("{Name,nq}: {_weight.K} → {_weight.N}, {_weight.Type}")]
internal sealed class Linear
{
    private readonly Matrix _weight;
    private readonly float[]? _bias;

    /// <summary>Reads <c>name.weight</c> and, where wanted, <c>name.bias</c>.</summary>
    public Linear(ModelWeights weights, string name, int inFeatures, int outFeatures, bool bias = true)
        : this(name, weights.LinearMatrix(name + ".weight", outFeatures, inFeatures), bias ? weights.Vector(name + ".bias", outFeatures) : null)
    {
    }

    /// <summary>A layer over a matrix that another layer has read (tied weights).</summary>
    public Linear(string name, Matrix weight, float[]? bias) => (Name, _weight, _bias) = (name, weight, bias);

    /// <summary>The Hugging Face module path.</summary>
    public string Name { get; }

    /// <summary>out_features.</summary>
    public int OutFeatures => _weight.N;

    /// <summary>The matrix, [out, in].</summary>
    public WeightMatrix Weight => _weight.View;

    /// <summary>[out]; empty: none.</summary>
    public ReadOnlySpan<float> Bias => _bias;

    /// <summary>[tokens, in] → [tokens, out], in the session's workspace.</summary>
    public Tensor Forward(Tensor x, Session session)
    {
        Tensor y = Rent(x, session);
        ForwardTo(x, y, session);
        return session.Tap(Name, y);
    }

    /// <summary>The same and the activation after it. What is tapped under the layer's name is what the module gives: the product before the activation.</summary>
    public Tensor Forward(Tensor x, Session session, ActivationFunction activation)
    {
        Tensor y = Rent(x, session);
        ForwardTo(x, y, session, activation);
        if (session.Tracer is ActivationTrace trace && trace.Wants(Name))
            TapProduct(x, y, session, activation, trace);
        return y;
    }

    /// <summary>Beside the result, which keeps its bits unless an intervention changed the product.</summary>
    private void TapProduct(Tensor x, Tensor y, Session session, ActivationFunction activation, ActivationTrace trace)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor product = Rent(x, session);
        ForwardTo(x, product, session);
        if (trace.Tap(Name, product))
            Activations.Run(activation, product.Span, y.Span, session.Kernels);
    }

    /// <summary>Three layers over the same x, which share the work of reading it.</summary>
    public static (Tensor First, Tensor Second, Tensor Third) Forward(Linear first, Linear second, Linear third, Tensor x, Session session)
    {
        Tensor a = first.Rent(x, session), b = second.Rent(x, session), c = third.Rent(x, session);
        MatMul.Run(x.Shape[0], first.Product(x, a), second.Product(x, b), third.Product(x, c), session.Kernels);
        return (session.Tap(first.Name, a), session.Tap(second.Name, b), session.Tap(third.Name, c));
    }

    /// <summary>Two layers that do not need each other: few tokens then have threads meet once. Nothing is tapped.</summary>
    public static (Tensor First, Tensor Second) Forward(Linear first, Tensor x, Linear second, Tensor secondX, Session session, ActivationFunction secondActivation = ActivationFunction.None)
    {
        Tensor a = first.Rent(x, session), b = second.Rent(secondX, session);
        MatMul.Run(x.Shape[0], first.Product(x, a), second.Product(secondX, b, secondActivation), default, session.Kernels);
        return (a, b);
    }

    private Tensor Rent(Tensor x, Session session) => session.Workspace.Rent(Name, x.Shape[0], OutFeatures);

    private Product Product(Tensor x, Tensor y, ActivationFunction activation = ActivationFunction.None) => new(x.Span, _weight.View, y.Span, new Epilogue { Bias = _bias, Activation = activation });

    /// <summary>x · Wᵀ without the bias, into a tensor of the caller's.</summary>
    public void MultiplyTo(Tensor x, Tensor y, Session session) => MatMul.Run(x.Span, x.Shape[0], _weight.View, y.Span, default, session.Kernels);

    /// <summary>The same as decoding computes it, few rows at a time: products of many rows with Int8 round x and the weights further.</summary>
    public void ForwardAsDecoding(Tensor x, Tensor y, Session session)
    {
        int step = WeightMatrix.IsBlocked(Weight.Type) ? MatMul.StreamedRows : x.Shape[0], inFeatures = x.Shape[1];
        for (int row = 0; row < x.Shape[0]; row += step)
        {
            int rows = Math.Min(step, x.Shape[0] - row);
            MatMul.Run(x.Span.Slice(row * inFeatures, rows * inFeatures), rows, Weight, y.Span.Slice(row * OutFeatures, rows * OutFeatures), new Epilogue { Bias = _bias }, session.Kernels);
        }
    }

    /// <summary>The same into a tensor of the caller's.</summary>
    public void ForwardTo(Tensor x, Tensor y, Session session, ActivationFunction activation = ActivationFunction.None)
    {
        var epilogue = new Epilogue { Bias = _bias, Activation = activation };
        MatMul.Run(x.Span, x.Shape[0], _weight.View, y.Span, epilogue, session.Kernels);
    }

    /// <summary>x · W[row]ᵀ: one output of every token, without the bias, [tokens].</summary>
    public float[] Scores(Tensor x, int row, KernelOptions kernels)
    {
        WeightMatrix all = Weight;
        var one = new WeightMatrix(all.Row(row), all.Type, 1, all.K);
        var y = new float[x.Shape[0]];
        MatMul.Run(x.Span, y.Length, one, y, new Epilogue(), kernels);
        return y;
    }
}
