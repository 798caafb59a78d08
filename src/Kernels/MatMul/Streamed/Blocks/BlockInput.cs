using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>X for few rows of products with blocks of integers: integers with a scale per block of 32, as <see cref="IBlockDots{V}"/> takes them.</summary>
internal unsafe struct BlockInput
{
    /// <summary>Rows that a tile takes at once: several rows are filled up with zeros to whole groups.</summary>
    public const int Group = 4;

    /// <summary>
    /// A block whose largest value is not above this one counts as zero: what its integers would be divided by is near the smallest number that there is.
    /// </summary>
    public const float Least = 1e-30f;

    public int M, K;        // rows and columns of X
    public byte* Integers;  // [M, K], each integer as many bytes as the loops want
    public float* Scales;   // [M, Stride], of which K / 32 are scales and what follows is 0
    public float* Zeros;    // what W's zero has in a block's sum of products: Σ of the block's integers, times its scale, times that zero. As Scales.
    public int Stride;      // floats of a row of scales: K / 32, rounded up to whole vectors

    /// <summary>Floats of memory for X [m, k].</summary>
    public static long Length<S, V, TDots>(int m, int k)
        where S : struct, ISimd<V>
        where TDots : struct, IBlockDots<V> => Held<S, V, TDots>(m, k) + (2 * S.Width * S.Width) + (S.Width * Blocks.Size * sizeof(short) / sizeof(float));

    // What stays of it: integers, scales and zeros.
    private static long Held<S, V, TDots>(int m, int k)
        where S : struct, ISimd<V>
        where TDots : struct, IBlockDots<V> => Rows(m) * (((long)k * TDots.BytesX / sizeof(float)) + (2 * Packing.Padded(k / Blocks.Size, S.Width)));

    private static int Rows(int m) => m == 1 ? 1 : Packing.Padded(m, Group);

    /// <summary>Quantizes X [m, k], k whole blocks, into memory for <see cref="Length"/> floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static BlockInput Quantize<S, V, TFormat, TDots>(float* x, int m, int k, float* memory)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
        where TDots : struct, IBlockDots<V>
    {
        int blocks = k / Blocks.Size, stride = Packing.Padded(blocks, S.Width), rows = Rows(m);
        long integers = (long)rows * k * TDots.BytesX / sizeof(float), all = Held<S, V, TDots>(m, k);
        float* scales = memory + integers, zeros = scales + (rows * stride);
        var input = new BlockInput { M = m, K = k, Integers = (byte*)memory, Scales = scales, Zeros = zeros, Stride = stride };
        new Span<float>(memory, (int)all).Clear();
        for (int row = 0; row < m; row++)
        {
            nint xRow = (nint)row * k, scaleRow = (nint)row * stride;
            for (int b = 0; b < blocks; b += S.Width)
            {
                QuantizeBlocks<S, V, TFormat, TDots>(
                    x + xRow + (b * Blocks.Size), Math.Min(S.Width, blocks - b), input.Integers + (xRow * TDots.BytesX), b, scales + scaleRow + b,
                    zeros + scaleRow + b, memory + all);
            }
        }
        return input;
    }

    // Up to Width blocks, so that each has a lane when their largest values, sums and scales are found. To integers by adding 1.5 · 2²³, where a
    // float counts in ones: its lower 16 bits are then the integer. What is not finite makes its block's scale NaN, and so the row of Y.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void QuantizeBlocks<S, V, TFormat, TDots>(float* x, int count, byte* to, int first, float* scales, float* zeros, float* room)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
        where TDots : struct, IBlockDots<V>
    {
        float* lanes = room, turned = lanes + (S.Width * S.Width);
        short* integers = (short*)(turned + (S.Width * S.Width));
        for (nint b = 0; b < count; b++)
        {
            V most = S.Broadcast(0f);
            for (nint i = b * Blocks.Size; i < (b + 1) * Blocks.Size; i += S.Width) most = S.Max(most, S.And(S.Load(x + i), S.BroadcastInt(int.MaxValue)));
            S.Store(lanes + (b * S.Width), most);
        }
        S.Transpose(lanes, S.Width, turned, S.Width);
        V largest = S.Broadcast(0f);
        for (nint i = 0; i < S.Width; i++) largest = S.Max(largest, S.Load(turned + (i * S.Width)));
        S.Store(turned, S.And(S.Divide(S.Broadcast((float)TDots.MostX), largest), S.Less(S.Broadcast(Least), largest)));

        for (nint b = 0; b < count; b++)
        {
            V inverse = S.Broadcast(turned[b]), sum = S.Broadcast(0f);
            for (nint i = b * Blocks.Size; i < (b + 1) * Blocks.Size; i += S.Width)
            {
                V integer = S.Round(S.Multiply(S.Load(x + i), inverse));
                sum = S.Add(sum, integer);
                S.StoreInt16(integers + i, Blocks.LastBits<S, V>(integer, 0xFFFF));
            }
            S.Store(lanes + (b * S.Width), sum);
        }
        TDots.StoreX(integers, to, first, count);
        S.Transpose(lanes, S.Width, turned, S.Width);
        V total = S.Broadcast(0f);
        for (nint i = 0; i < S.Width; i++) total = S.Add(total, S.Load(turned + (i * S.Width)));
        V scale = S.MultiplyAdd(total, S.Broadcast(0f), S.Divide(largest, S.Broadcast((float)TDots.MostX)));
        S.Store(lanes, scale);
        S.Store(turned, S.Multiply(S.Multiply(total, scale), S.Broadcast((float)TFormat.Zero)));
        new Span<float>(lanes, count).CopyTo(new Span<float>(scales, count));
        new Span<float>(turned, count).CopyTo(new Span<float>(zeros, count));
    }
}

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
