namespace ManagedTransformers.Kernels;

/// <summary>Elementwise nonlinearities.</summary>
public static class Activations
{
    /// <summary>y = activation(x), element by element.</summary>
    /// <param name="activation">The nonlinearity.</param>
    /// <param name="x">Any shape, as one span.</param>
    /// <param name="y">As long as <paramref name="x"/>; may be <paramref name="x"/> itself, must not overlap it otherwise.</param>
    /// <param name="options">Level and threads.</param>
    /// <remarks>NaN gives NaN. Against exact arithmetic: Tanh and Sigmoid within 4 ulp; Gelu, GeluTanh and Silu within 2⁻²² · |x|.</remarks>
    /// <exception cref="ArgumentException">The lengths differ, or the activation is unknown.</exception>
    public static void Run(Activation activation, ReadOnlySpan<float> x, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.SameLength(x.Length, y.Length);
        CheckKnown(activation);
        ActivationReference.Run(activation, x, y);
    }

    internal static void CheckKnown(Activation activation)
    {
        if (activation is < Activation.None or > Activation.Sigmoid)
            throw new ArgumentException($"{activation} is no activation; known are {string.Join(", ", Enum.GetNames<Activation>())}.", nameof(activation));
    }
}
