using System.Runtime.CompilerServices;

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
}
