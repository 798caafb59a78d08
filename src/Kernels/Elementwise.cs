using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>A function of one float, written on vectors.</summary>
internal interface IElementwise
{
    /// <summary>The function, lane by lane.</summary>
    static abstract V Apply<S, V>(V x) where S : struct, ISimd<V>;
}

/// <summary>y[i] = f(x[i]).</summary>
internal static unsafe class Elementwise
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V, TFunction>(float* x, float* y, nint length)
        where S : struct, ISimd<V>
        where TFunction : struct, IElementwise
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(y + i, TFunction.Apply<S, V>(S.Load(x + i)));
        if (i < length) Tail.Store<S, V>(y + i, length - i, TFunction.Apply<S, V>(Tail.Load<S, V>(x + i, length - i)));
    }

    /// <summary>The body for an activation; <see cref="ActivationFunction.None"/> copies.</summary>
    public static void Body<S, V>(ActivationFunction activation, float* x, float* y, nint length) where S : struct, ISimd<V>
    {
        switch (activation)
        {
            case ActivationFunction.Gelu: Body<S, V, GeluFunction>(x, y, length); break;
            case ActivationFunction.GeluTanh: Body<S, V, GeluTanhFunction>(x, y, length); break;
            case ActivationFunction.Relu: Body<S, V, ReluFunction>(x, y, length); break;
            case ActivationFunction.Silu: Body<S, V, SiluFunction>(x, y, length); break;
            case ActivationFunction.Tanh: Body<S, V, TanhFunction>(x, y, length); break;
            case ActivationFunction.Sigmoid: Body<S, V, SigmoidFunction>(x, y, length); break;
            case ActivationFunction.QuickGelu: Body<S, V, QuickGeluFunction>(x, y, length); break;
            case ActivationFunction.Relu2: Body<S, V, Relu2Function>(x, y, length); break;
            case ActivationFunction.Mish: Body<S, V, MishFunction>(x, y, length); break;
            case ActivationFunction.None:
                if (x != y) new ReadOnlySpan<float>(x, (int)length).CopyTo(new Span<float>(y, (int)length));
                break;
            default: throw Activations.Unknown(activation);
        }
    }

    /// <summary>x[i] += shift.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Shift<S, V>(float* x, float shift, nint length) where S : struct, ISimd<V>
    {
        V amount = S.Broadcast(shift);
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(x + i, S.Add(S.Load(x + i), amount));
        for (; i < length; i++) x[i] += shift;
    }

    /// <summary>y[i] = a[i] · b[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Multiply<S, V>(float* a, float* b, float* y, nint length) where S : struct, ISimd<V>
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(y + i, S.Multiply(S.Load(a + i), S.Load(b + i)));
        for (; i < length; i++) y[i] = a[i] * b[i];
    }
}

/// <summary>Elementwise sum.</summary>
internal static unsafe class Add
{
    /// <summary>destination = x + y, element by element.</summary>
    /// <param name="x">First summand.</param>
    /// <param name="y">Second summand.</param>
    /// <param name="destination">As long as both; may be either of them.</param>
    /// <param name="options">Level and threads.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Run(ReadOnlySpan<float> x, ReadOnlySpan<float> y, Span<float> destination, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Same(x.Length, y.Length);
        Check.Same(x.Length, destination.Length);
        fixed (float* px = x, py = y, pd = destination)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512: Run<Avx512, Vector512<float>>(px, py, pd, x.Length, options.MaxThreads); break;
                case KernelLevel.Avx2: Run<Avx2, Vector256<float>>(px, py, pd, x.Length, options.MaxThreads); break;
                case KernelLevel.Vector128: Run<Simd128, Vector128<float>>(px, py, pd, x.Length, options.MaxThreads); break;
                case KernelLevel.Portable: Run<Portable, Vector<float>>(px, py, pd, x.Length, options.MaxThreads); break;
                case KernelLevel.Reference:
                    for (int i = 0; i < x.Length; i++) destination[i] = x[i] + y[i];
                    break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    private static void Run<S, V>(float* x, float* y, float* destination, int length, int maxThreads) where S : struct, ISimd<V>
    {
        var job = new SumJob<S, V> { X = x, Y = y, Destination = destination, Length = length };
        WorkerPool.Shared.Run(job.Tasks, maxThreads, job);
    }
}

/// <summary>destination[i] = x[i] + y[i].</summary>
internal static unsafe class Sum
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V>(float* x, float* y, float* destination, nint length) where S : struct, ISimd<V>
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(destination + i, S.Add(S.Load(x + i), S.Load(y + i)));
        for (; i < length; i++) destination[i] = x[i] + y[i];
    }
}

/// <summary>The same, one stretch per task.</summary>
internal unsafe struct SumJob<S, V> : IJob where S : struct, ISimd<V>
{
    private const int Stretch = WorkerPool.SerialFloats;

    public float* X, Y, Destination;
    public int Length;

    public readonly int Tasks => (int)(((long)Length + Stretch - 1) / Stretch);

    public readonly void Execute(int task)
    {
        nint first = (nint)task * Stretch;
        Sum.Body<S, V>(X + first, Y + first, Destination + first, Math.Min(Stretch, Length - first));
    }
}

/// <summary>Elementwise product with an activation of one factor: what gated feed-forward blocks put between their products.</summary>
internal static unsafe class GatedActivation
{
    /// <summary>y = activation(gate) · x, element by element.</summary>
    /// <param name="activation">The nonlinearity; <see cref="ActivationFunction.Silu"/> makes it SwiGLU.</param>
    /// <param name="gate">What the activation is applied to.</param>
    /// <param name="x">The other factor.</param>
    /// <param name="y">As long as both; may be either of them.</param>
    /// <param name="options">Level and threads.</param>
    /// <remarks>Shazeer 2020, arXiv:2002.05202.</remarks>
    /// <exception cref="ArgumentException">The lengths differ, or the activation is unknown.</exception>
    public static void Run(ActivationFunction activation, ReadOnlySpan<float> gate, ReadOnlySpan<float> x, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Same(gate.Length, x.Length);
        Check.Same(gate.Length, y.Length);
        Activations.CheckKnown(activation);
        fixed (float* pg = gate, px = x, py = y)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512: Run<Avx512, Vector512<float>>(activation, pg, px, py, x.Length, options.MaxThreads); break;
                case KernelLevel.Avx2: Run<Avx2, Vector256<float>>(activation, pg, px, py, x.Length, options.MaxThreads); break;
                case KernelLevel.Vector128: Run<Simd128, Vector128<float>>(activation, pg, px, py, x.Length, options.MaxThreads); break;
                case KernelLevel.Portable: Run<Portable, Vector<float>>(activation, pg, px, py, x.Length, options.MaxThreads); break;
                case KernelLevel.Reference:
                    // The activation is a float, as where it is traced and at the other levels.
                    for (int i = 0; i < x.Length; i++) y[i] = (float)ActivationReference.Value(activation, gate[i]) * x[i];
                    break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    private static void Run<S, V>(ActivationFunction activation, float* gate, float* x, float* y, int length, int maxThreads) where S : struct, ISimd<V>
    {
        var job = new GatedActivationJob<S, V> { Activation = activation, Gate = gate, X = x, Y = y, Length = length };
        WorkerPool.Shared.Run(job.Tasks, length < WorkerPool.SerialFloats / 2 ? 1 : maxThreads, job);
    }
}

/// <summary>y = activation(gate) · x in chunks, which stay in the first-level cache between the two steps; one task per chunk.</summary>
internal unsafe struct GatedActivationJob<S, V> : IJob where S : struct, ISimd<V>
{
    private const int Chunk = 2048;

    public ActivationFunction Activation;
    public float* Gate, X, Y;
    public int Length;

    public readonly int Tasks => (int)(((long)Length + Chunk - 1) / Chunk);

    public readonly void Execute(int task)
    {
        nint at = (nint)task * Chunk, count = Math.Min(Chunk, Length - at);
        float* activated = Scratch.ForTask(Chunk);
        Elementwise.Body<S, V>(Activation, Gate + at, activated, count);
        Elementwise.Multiply<S, V>(activated, X + at, Y + at, count);
    }
}

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

    /// <summary>x · sigmoid(1.702 x); "quick_gelu". Hendrycks &amp; Gimpel 2016, arXiv:1606.08415.</summary>
    QuickGelu,

    /// <summary>max(x, 0)²; "relu2". So et al. 2021, arXiv:2109.08668.</summary>
    Relu2,

    /// <summary>x · tanh(ln(1 + e^x)); "mish". Misra 2019, arXiv:1908.08681.</summary>
    Mish,
}

/// <summary>Elementwise nonlinearities.</summary>
internal static unsafe class Activations
{
    /// <summary>y = activation(x), element by element.</summary>
    /// <param name="activation">The nonlinearity.</param>
    /// <param name="x">Any shape, as one span.</param>
    /// <param name="y">As long as <paramref name="x"/>; may be <paramref name="x"/> itself, must not overlap it otherwise.</param>
    /// <param name="options">Level and threads.</param>
    /// <remarks>NaN gives NaN. Against exact arithmetic: Tanh and Sigmoid within 4 ulp; Gelu, GeluTanh, Silu, QuickGelu and Mish within 2⁻²² · |x|.</remarks>
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
                case KernelLevel.Vector128: Run<Simd128, Vector128<float>>(activation, px, py, x.Length, options.MaxThreads); break;
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
        if (activation is < ActivationFunction.None or > ActivationFunction.Mish)
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

/// <summary>x/2 · (1 + erf(x/√2)) = x · Φ(x).</summary>
internal readonly struct GeluFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> => S.Multiply(x, VectorMath.NormalCdf<S, V>(x));
}

/// <summary>x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).</summary>
/// <remarks>(1 + tanh z) / 2 = 1 / (1 + e^−2z).</remarks>
internal readonly struct GeluTanhFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V>
    {
        V cubic = S.MultiplyAdd(S.Multiply(S.Multiply(x, x), S.Broadcast(0.044715f)), x, x);
        V e = VectorMath.Exp<S, V>(S.Multiply(cubic, S.Broadcast(-2 * 0.7978845608f)));
        return S.Divide(x, S.Add(S.Broadcast(1f), e));
    }
}

/// <summary>max(x, 0), NaN staying NaN.</summary>
internal readonly struct ReluFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> => S.Max(S.Broadcast(0f), x);
}

/// <summary>x / (1 + e^−x).</summary>
internal readonly struct SiluFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x)
        where S : struct, ISimd<V> => S.Divide(x, S.Add(S.Broadcast(1f), VectorMath.Exp<S, V>(S.Subtract(S.Broadcast(0f), x))));
}

/// <summary>tanh(x).</summary>
internal readonly struct TanhFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> => VectorMath.Tanh<S, V>(x);
}

/// <summary>1 / (1 + e^−x).</summary>
internal readonly struct SigmoidFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x)
        where S : struct, ISimd<V> => S.Divide(S.Broadcast(1f), S.Add(S.Broadcast(1f), VectorMath.Exp<S, V>(S.Subtract(S.Broadcast(0f), x))));
}

/// <summary>x / (1 + e^(−1.702 x)).</summary>
internal readonly struct QuickGeluFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> =>
        S.Divide(x, S.Add(S.Broadcast(1f), VectorMath.Exp<S, V>(S.Multiply(x, S.Broadcast(-1.702f)))));
}

/// <summary>max(x, 0)², NaN staying NaN.</summary>
internal readonly struct Relu2Function : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V>
    {
        V positive = S.Max(S.Broadcast(0f), x);
        return S.Multiply(positive, positive);
    }
}

/// <summary>x · tanh(ln(1 + e^x)) = x · n / (n + 2) with n = e^x · (e^x + 2).</summary>
internal readonly struct MishFunction : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V>
    {
        V two = S.Broadcast(2f), e = VectorMath.Exp<S, V>(S.Min(S.Broadcast(20f), x));          // beyond 20 the share is 1, and e² would overflow
        V n = S.Multiply(e, S.Add(e, two));
        return S.Multiply(x, S.Divide(n, S.Add(n, two)));
    }
}
