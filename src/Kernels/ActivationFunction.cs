namespace ManagedTransformers.Kernels;

/// <summary>An elementwise nonlinearity.</summary>
public enum ActivationFunction
{
    /// <summary>x.</summary>
    None,

    /// <summary>x · Φ(x) = x/2 · (1 + erf(x/√2)); "gelu". Hendrycks &amp; Gimpel 2016, arXiv:1606.08415.</summary>
    Gelu,

    /// <summary>x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))); "gelu_new" and "gelu_pytorch_tanh".</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x · sigmoid(x); "silu" and "swish".</summary>
    Silu,

    /// <summary>tanh(x).</summary>
    Tanh,

    /// <summary>1 / (1 + e^−x).</summary>
    Sigmoid,
}
