using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

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
