using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Elementwise nonlinearities.</summary>
internal static unsafe class Activations
{
    /// <summary>y = activation(x), element by element.</summary>
    /// <param name="activation">The nonlinearity.</param>
    /// <param name="x">Any shape, as one span.</param>
    /// <param name="y">As long as <paramref name="x"/>; may be <paramref name="x"/> itself, must not overlap it otherwise.</param>
    /// <param name="options">Level and threads.</param>
    /// <remarks>NaN gives NaN. Against exact arithmetic: Tanh and Sigmoid within 4 ulp; Gelu, GeluTanh and Silu within 2⁻²² · |x|.</remarks>
    /// <exception cref="ArgumentException">The lengths differ, or the activation is unknown.</exception>
    public static void Run(ActivationFunction activation, ReadOnlySpan<float> x, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Same(x.Length, y.Length);
        CheckKnown(activation);
        fixed (float* px = x, py = y)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512: Run<Avx512, Vector512<float>>(activation, px, py, x.Length, options.MaxThreads); break;
                case KernelLevel.Avx2: Run<Avx2, Vector256<float>>(activation, px, py, x.Length, options.MaxThreads); break;
                case KernelLevel.Portable: Run<Portable, Vector<float>>(activation, px, py, x.Length, options.MaxThreads); break;
                case KernelLevel.Reference: ActivationReference.Run(activation, x, y); break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    private static void Run<S, V>(ActivationFunction activation, float* x, float* y, int length, int maxThreads) where S : struct, ISimd<V>
    {
        var job = new ActivationJob<S, V> { Activation = activation, X = x, Y = y, Length = length };
        WorkerPool.Shared.Run((int)(((long)length + ActivationJob<S, V>.Chunk - 1) / ActivationJob<S, V>.Chunk), maxThreads, job);
    }

    internal static void CheckKnown(ActivationFunction activation)
    {
        if (activation is < ActivationFunction.None or > ActivationFunction.Sigmoid)
            throw Unknown(activation);
    }

    internal static ArgumentException Unknown(ActivationFunction activation) =>
        new($"{activation} is no activation; known are {string.Join(", ", Enum.GetNames<ActivationFunction>())}.", nameof(activation));
}

/// <summary>y = activation(x) in chunks; one task per chunk.</summary>
internal unsafe struct ActivationJob<S, V> : IJob where S : struct, ISimd<V>
{
    /// <summary>Floats per task: a few microseconds of work, and less than half of an L1 cache.</summary>
    public const int Chunk = 4096;

    public ActivationFunction Activation;
    public float* X, Y;
    public int Length;

    public readonly void Execute(int task)
    {
        nint at = (nint)task * Chunk;
        Elementwise.Body<S, V>(Activation, X + at, Y + at, Math.Min(Chunk, Length - at));
    }
}
