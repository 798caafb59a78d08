using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Before a tile runs: the scales of W's blocks times those of X, and where the sums start, at the part that W's zero has in them.</summary>
/// <remarks>
/// Four rows at once, as the tile takes them: row by row this took a third of the time of the products. Inlined into the loops over rows, where constants stay
/// in registers.
/// </remarks>
internal static unsafe class BlockScales
{
    /// <summary>
    /// Of four rows of W, whose stored scales lie <paramref name="apart"/> bytes apart, and one of X. The products go to scales [4, row], where row is blocks
    /// rounded up to a multiple of Width; the scales and zeros of X have zeros up to there. s0 … s3 receive where the rows' sums begin; rest has room for
    /// four vectors of fp16.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FourOfW<S, V, TFormat>(byte* stored, nint apart, nint blocks, float* x, float* zeros, in Decoding<V> decoding, float* scales, nint row,
        short* rest, out V s0, out V s1, out V s2, out V s3)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
    {
        byte* stored2 = stored + (2 * apart);
        s0 = s1 = s2 = s3 = S.Broadcast(0f);
        for (nint b = 0; b < blocks; b += S.Width, stored += S.Width * sizeof(short), stored2 += S.Width * sizeof(short), scales += S.Width)
        {
            if (b + S.Width > blocks)
            {
                CopyRest(stored, apart, blocks - b, S.Width, rest);
                apart = S.Width * sizeof(short);
                stored = (byte*)rest;
                stored2 = stored + (2 * apart);
            }
            V xScale = S.Load(x + b), zero = S.Load(zeros + b);
            s0 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored, 0, decoding), xScale, zero, scales, s0);
            s1 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored + apart, 0, decoding), xScale, zero, scales + row, s1);
            s2 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored2, 0, decoding), xScale, zero, scales + (2 * row), s2);
            s3 = Put<S, V, TFormat>(F16Format.Widen<S, V>(stored2 + apart, 0, decoding), xScale, zero, scales + (3 * row), s3);
        }
    }

    /// <summary>Of one row of W and four of X, whose scales and zeros are rows of the same length as those of <paramref name="scales"/>.</summary>
    /// <inheritdoc cref="FourOfW"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FourOfX<S, V, TFormat>(byte* stored, nint blocks, float* x, float* zeros, in Decoding<V> decoding, float* scales, nint row, short* rest,
        out V s0, out V s1, out V s2, out V s3)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
    {
        s0 = s1 = s2 = s3 = S.Broadcast(0f);
        for (nint b = 0; b < blocks; b += S.Width, stored += S.Width * sizeof(short), x += S.Width, zeros += S.Width, scales += S.Width)
        {
            if (b + S.Width > blocks)
            {
                CopyRest(stored, 0, blocks - b, S.Width, rest);
                stored = (byte*)rest;
            }
            V own = F16Format.Widen<S, V>(stored, 0, decoding);
            s0 = Put<S, V, TFormat>(own, S.Load(x), S.Load(zeros), scales, s0);
            s1 = Put<S, V, TFormat>(own, S.Load(x + row), S.Load(zeros + row), scales + row, s1);
            s2 = Put<S, V, TFormat>(own, S.Load(x + (2 * row)), S.Load(zeros + (2 * row)), scales + (2 * row), s2);
            s3 = Put<S, V, TFormat>(own, S.Load(x + (3 * row)), S.Load(zeros + (3 * row)), scales + (3 * row), s3);
        }
    }

    // The last scales of four rows, and zeros: what lies behind them may be the end of the file.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyRest(byte* stored, nint apart, nint count, int width, short* rest)
    {
        for (nint i = 0; i < width; i++)
        {
            for (nint r = 0; r < BlockInput.Group; r++) rest[(r * width) + i] = i < count ? ((short*)(stored + (r * apart)))[i] : (short)0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Put<S, V, TFormat>(V own, V xScale, V zero, float* scales, V total)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
    {
        S.Store(scales, S.Multiply(own, xScale));
        return TFormat.Zero == 0 ? total : S.SubtractProduct(total, own, zero);
    }
}
