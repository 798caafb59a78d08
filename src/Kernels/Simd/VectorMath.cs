using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>exp, tanh and the normal distribution on vectors. The polynomials are weighted least-squares fits at Chebyshev nodes.</summary>
/// <remarks>
/// Largest errors, tested over the whole range at every level: Exp 2 ulp, Tanh 4 ulp, NormalCdf 3 ulp above 0, 16 below down to −3 (17 where multiply-adds are
/// not fused, as in a browser) and 64 down to −5. NaN stays NaN.
/// </remarks>
internal static class VectorMath
{
    /// <summary>e^x = 2ⁿ · e^r with n = round(x / ln 2), |r| ≤ ln 2 / 2. Exactly 0 below −104, ∞ above 88.73.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S, V>(V x) where S : struct, ISimd<V>
    {
        x = S.Min(S.Broadcast(89f), S.Max(S.Broadcast(-104f), x));
        V n = S.Round(S.Multiply(x, S.Broadcast(1.4426950408889634f)));

        // ln 2 in two parts, the first short enough for n · part to be exact
        V r = S.SubtractProduct(x, n, S.Broadcast(0.693359375f));
        r = S.SubtractProduct(r, n, S.Broadcast(-2.12194440054690583e-4f));

        // e^r = 1 + r + r² · p(r)
        V p = S.MultiplyAdd(S.Broadcast(0.0013748823f), r, S.Broadcast(0.008369628f));
        p = S.MultiplyAdd(p, r, S.Broadcast(0.041669646f));
        p = S.MultiplyAdd(p, r, S.Broadcast(0.16666512f));
        p = S.MultiplyAdd(p, r, S.Broadcast(0.49999988f));
        p = S.MultiplyAdd(S.Multiply(r, r), p, r);
        return S.Scale(S.Add(p, S.Broadcast(1f)), n);
    }

    /// <summary>tanh(x): an odd polynomial below 0.625, sign(x) · (1 − 2 / (e^(2|x|) + 1)) above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<S, V>(V x) where S : struct, ISimd<V>
    {
        V magnitude = Magnitude<S, V>(x);
        V e = Exp<S, V>(S.Add(magnitude, magnitude));
        V large = S.Subtract(S.Broadcast(1f), S.Divide(S.Broadcast(2f), S.Add(e, S.Broadcast(1f))));

        V z = S.Multiply(x, x);
        V p = S.MultiplyAdd(S.Broadcast(-0.0057040425f), z, S.Broadcast(0.020637861f));
        p = S.MultiplyAdd(p, z, S.Broadcast(-0.053739157f));
        p = S.MultiplyAdd(p, z, S.Broadcast(0.13331432f));
        p = S.MultiplyAdd(p, z, S.Broadcast(-0.3333328f));
        V small = S.MultiplyAdd(S.Multiply(p, z), x, x);
        return S.Select(S.Less(magnitude, S.Broadcast(0.625f)), small, WithSign<S, V>(large, x));
    }

    /// <summary>
    /// Φ(x) = (1 + erf(x/√2)) / 2, the share of a normal distribution below x: 2^h(|x|) below 0 and 1 − 2^h(|x|) above, where h = log2 Φ(−|x|).
    /// </summary>
    /// <remarks>
    /// Beyond −5.5 the polynomial falls faster than h, to exactly 0 from −12 on. Even and odd powers are two chains: one chain would have
    /// too many dependent steps for the CPU to start the next vector while it waits.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V NormalCdf<S, V>(V x) where S : struct, ISimd<V>
    {
        V t = S.Min(S.Broadcast(12f), Magnitude<S, V>(x)), z = S.Multiply(t, t);
        V even = S.MultiplyAdd(S.Broadcast(-2.4708754e-08f), z, S.Broadcast(-9.596998e-06f));
        V odd = S.MultiplyAdd(S.Broadcast(7.418755e-07f), z, S.Broadcast(6.7828594e-05f));
        even = S.MultiplyAdd(even, z, S.Broadcast(-2.478995e-04f));
        odd = S.MultiplyAdd(odd, z, S.Broadcast(-6.9645976e-05f));
        even = S.MultiplyAdd(even, z, S.Broadcast(0.007035705f));
        odd = S.MultiplyAdd(odd, z, S.Broadcast(-0.052502815f));
        even = S.MultiplyAdd(even, z, S.Broadcast(-0.45920074f));
        odd = S.MultiplyAdd(odd, z, S.Broadcast(-1.1511064f));
        even = S.MultiplyAdd(even, z, S.Broadcast(-1f));
        V h = S.MultiplyAdd(odd, t, even);

        V n = S.Round(h), f = S.Subtract(h, n);
        V p = S.MultiplyAdd(S.Broadcast(1.5370705e-04f), f, S.Broadcast(1.3399848e-03f));
        p = S.MultiplyAdd(p, f, S.Broadcast(0.009618374f));
        p = S.MultiplyAdd(p, f, S.Broadcast(0.05550329f));
        p = S.MultiplyAdd(p, f, S.Broadcast(0.24022648f));
        p = S.MultiplyAdd(p, f, S.Broadcast(0.6931472f));
        V below = S.Scale(S.MultiplyAdd(p, f, S.Broadcast(1f)), n);
        return S.Select(S.Less(x, S.Broadcast(0f)), below, S.Subtract(S.Broadcast(1f), below));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Magnitude<S, V>(V x) where S : struct, ISimd<V> => S.And(x, S.BroadcastInt(0x7FFFFFFF));

    // The sign of x on a value that is not negative; NaN in either stays.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V WithSign<S, V>(V magnitude, V x) where S : struct, ISimd<V> => S.Or(magnitude, S.And(x, S.BroadcastInt(int.MinValue)));
}

/// <summary>The last, partial vector of a span: never a byte beyond the end is read or written.</summary>
internal static unsafe class Tail
{
    /// <summary>The <paramref name="count"/> floats at <paramref name="p"/>, the other lanes holding <paramref name="fill"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static V Load<S, V>(float* p, nint count, float fill = 0) where S : struct, ISimd<V>
    {
        float* lanes = stackalloc float[S.Width];
        for (int i = 0; i < S.Width; i++) lanes[i] = i < count ? p[i] : fill;
        return S.Load(lanes);
    }

    /// <summary>Stores the first <paramref name="count"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Store<S, V>(float* p, nint count, V v) where S : struct, ISimd<V>
    {
        float* lanes = stackalloc float[S.Width];
        S.Store(lanes, v);
        for (int i = 0; i < count; i++) p[i] = lanes[i];
    }
}
