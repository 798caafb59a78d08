namespace ManagedTransformers.Kernels;

/// <summary>The activations in double.</summary>
internal static class ActivationReference
{
    public static void Run(ActivationFunction activation, ReadOnlySpan<float> x, Span<float> y)
    {
        for (int i = 0; i < x.Length; i++) y[i] = (float)Value(activation, x[i]);
    }

    public static double Value(ActivationFunction activation, double x) => activation switch
    {
        ActivationFunction.Gelu => x / 2 * (1 + Erf(x / Math.Sqrt(2))),      // x · Φ(x), exactly
        ActivationFunction.GeluTanh => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        ActivationFunction.Relu => double.IsNaN(x) ? x : Math.Max(x, 0),
        ActivationFunction.Silu => x / (1 + Math.Exp(-x)),
        ActivationFunction.Tanh => Math.Tanh(x),
        ActivationFunction.Sigmoid => 1 / (1 + Math.Exp(-x)),
        ActivationFunction.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        ActivationFunction.Relu2 => double.IsNaN(x) ? x : Math.Max(x, 0) * Math.Max(x, 0),
        ActivationFunction.Mish => x * Math.Tanh(x > 40 ? x : Math.Log(1 + Math.Exp(x))),
        ActivationFunction.None => x,
        _ => throw Activations.Unknown(activation),
    };

    /// <summary>erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1 · 3 · 5 ⋯ (2n+1)).</summary>
    /// <remarks>Abramowitz &amp; Stegun 7.1.6: all terms have one sign, so nothing cancels.</remarks>
    public static double Erf(double x)
    {
        if (double.IsNaN(x)) return x;
        if (Math.Abs(x) > 6) return Math.Sign(x);                    // 1 − erf(6) = 2e-17
        double term = x, sum = x;
        for (int n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / ((2 * n) + 1);
            sum += term;
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }
}
