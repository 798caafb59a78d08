namespace ManagedTransformers.Kernels;

/// <summary>Scaled dot-product attention of several heads.</summary>
public static class Attention
{
    /// <summary>Output = softmax(Q · Kᵀ · scale, over the visible keys) · headMask · V, for each head.</summary>
    /// <param name="a">Sizes, strides, inputs and outputs.</param>
    /// <param name="options">Level and threads; the result does not depend on the threads.</param>
    /// <remarks>
    /// Vaswani et al. 2017, arXiv:1706.03762. A query that sees no key attends to all keys equally, causal or not: what
    /// transformers' eager attention gives, which masks with the lowest float rather than −∞.
    /// A [Queries, Keys] matrix exists only where <see cref="AttentionArguments.Probabilities"/> asks for it.
    /// </remarks>
    /// <exception cref="ArgumentException">A length does not fit the sizes and strides.</exception>
    public static void Run(in AttentionArguments a, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        a.Validate();
        AttentionReference.Run(a);
    }
}
