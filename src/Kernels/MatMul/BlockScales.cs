using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Before a tile runs: the scales of W's blocks times those of X, and where the sums start, at the part that W's zero has in them.</summary>
/// <remarks>Four rows at once, as the tile takes them: row by row this took a third of the time of the products.</remarks>
internal static unsafe class BlockScales
{
    /// <summary>Of four rows of W that lie <paramref name="apart"/>, and one of X.</summary>
    /// <param name="stored">The first row's scales as stored.</param>
    /// <param name="apart">Bytes from a row to the next.</param>
    /// <param name="input">X.</param>
    /// <param name="scales">[4, blocks].</param>
    /// <param name="starts">Four vectors.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void FourOfW<S, V, TFormat>(byte* stored, nint apart, in BlockInput input, float* scales, float* starts)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        nint blocks = input.K / Blocks.Size, b = 0;
        float* x = input.Scales, zeros = input.Zeros;
        byte* stored2 = stored + (2 * apart);
        float* scales2 = scales + (2 * blocks);
        Decoding<V> decoding = F16Format.Decoding<S, V>();
        V t0 = S.Broadcast(0f), t1 = t0, t2 = t0, t3 = t0;
        for (; b <= blocks - S.Width; b += S.Width)
        {
            V xScale = S.Load(x + b), zero = S.Load(zeros + b);
            t0 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored, b, decoding), xScale, zero, scales + b, t0);
            t1 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored + apart, b, decoding), xScale, zero, scales + blocks + b, t1);
            t2 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored2, b, decoding), xScale, zero, scales2 + b, t2);
            t3 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored2 + apart, b, decoding), xScale, zero, scales2 + blocks + b, t3);
        }
        Store<S, V>(t0, t1, t2, t3, starts);
        for (; b < blocks; b++)
        {
            for (int r = 0; r < BlockInput.Group; r++)
                PutOne<TFormat>(F16Format.WidenOne(stored + (r * apart), b), x[b], zeros[b], scales + (r * blocks) + b, starts + (r * S.Width));
        }
    }

    /// <summary>Of one row of W and four of X, from row <paramref name="row"/> on.</summary>
    /// <inheritdoc cref="FourOfW"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void FourOfX<S, V, TFormat>(byte* stored, in BlockInput input, nint row, float* scales, float* starts)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        nint blocks = input.K / Blocks.Size, b = 0;
        float* x = input.Scales + (row * blocks), zeros = input.Zeros + (row * blocks);
        float* x2 = x + (2 * blocks), zeros2 = zeros + (2 * blocks), scales2 = scales + (2 * blocks);
        Decoding<V> decoding = F16Format.Decoding<S, V>();
        V t0 = S.Broadcast(0f), t1 = t0, t2 = t0, t3 = t0;
        for (; b <= blocks - S.Width; b += S.Width)
        {
            V own = F16Format.Widen<S, V>(stored, b, decoding);
            t0 = Put<S, V, TFormat>(own, S.Load(x + b), S.Load(zeros + b), scales + b, t0);
            t1 = Put<S, V, TFormat>(own, S.Load(x + blocks + b), S.Load(zeros + blocks + b), scales + blocks + b, t1);
            t2 = Put<S, V, TFormat>(own, S.Load(x2 + b), S.Load(zeros2 + b), scales2 + b, t2);
            t3 = Put<S, V, TFormat>(own, S.Load(x2 + blocks + b), S.Load(zeros2 + blocks + b), scales2 + blocks + b, t3);
        }
        Store<S, V>(t0, t1, t2, t3, starts);
        for (; b < blocks; b++)
        {
            float own = F16Format.WidenOne(stored, b);
            for (int r = 0; r < BlockInput.Group; r++)
                PutOne<TFormat>(own, x[(r * blocks) + b], zeros[(r * blocks) + b], scales + (r * blocks) + b, starts + (r * S.Width));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Put<S, V, TFormat>(V own, V xScale, V zero, float* scales, V total)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        S.Store(scales, S.Multiply(own, xScale));
        return TFormat.Zero == 0 ? total : S.SubtractProduct(total, own, zero);
    }

    private static void PutOne<TFormat>(float own, float xScale, float zero, float* scale, float* start)
        where TFormat : struct, IBlockFormat
    {
        *scale = own * xScale;
        if (TFormat.Zero != 0) *start -= own * zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<S, V>(V t0, V t1, V t2, V t3, float* starts)
        where S : struct, ISimd<V>
        where V : struct
    {
        S.Store(starts, t0);
        S.Store(starts + S.Width, t1);
        S.Store(starts + (2 * S.Width), t2);
        S.Store(starts + (3 * S.Width), t3);
    }
}
