using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>X for few rows of products with blocks of integers: integers with a scale per block of 32, as <see cref="IBlockDots"/> takes them.</summary>
internal unsafe struct BlockInput
{
    /// <summary>Rows that a tile takes at once: several rows are filled up with zeros to whole groups.</summary>
    public const int Group = 4;

    /// <summary>A block whose largest value is not above this one counts as zero: what its integers would be divided by is near the smallest number that there is.</summary>
    public const float Least = 1e-30f;

    /// <summary>Rows and columns of X.</summary>
    public int M, K;

    /// <summary>[M, K], each integer as many bytes as the loops want.</summary>
    public byte* Integers;

    /// <summary>[M, K / 32].</summary>
    public float* Scales;

    /// <summary>What W's zero has in a block's sum of products, [M, K / 32]: Σ of the block's integers, times its scale, times that zero.</summary>
    public float* Zeros;

    /// <summary>Quantizes X [m, k] into this thread's memory of the call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static BlockInput Quantize<S, V, TFormat, TDots>(float* x, int m, int k)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
        where TDots : struct, IBlockDots
    {
        int blocks = k / Blocks.Size, rows = m == 1 ? 1 : Packing.Padded(m, Group);
        long integers = (long)rows * k * TDots.BytesX / sizeof(float);
        float* memory = Scratch.ForCall(integers + (2L * rows * blocks));
        var input = new BlockInput { M = m, K = k, Integers = (byte*)memory, Scales = memory + integers, Zeros = memory + integers + (rows * blocks) };
        new Span<float>(memory, (int)(integers + (2L * rows * blocks))).Clear();
        short* block = stackalloc short[Blocks.Size];
        for (int row = 0; row < m; row++)
        {
            for (int b = 0; b < blocks; b++, x += Blocks.Size)
            {
                int i = (row * blocks) + b;
                Block<S, V>(x, TDots.MostX, block, out input.Scales[i], out float sum);
                input.Zeros[i] = sum * TFormat.Zero;
                TDots.StoreX(block, input.Integers + ((nint)row * k * TDots.BytesX), b);
            }
        }
        return input;
    }

    // To integers by adding 1.5 · 2²³, where a float counts in ones: its lower 16 bits are then the integer. What is not finite makes
    // its block's scale NaN, and so the row of Y.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block<S, V>(float* x, int most, short* integers, out float scale, out float total)
        where S : struct, ISimd<V>
        where V : struct
    {
        V largest = S.Broadcast(0f), totals = S.Broadcast(0f);
        for (nint i = 0; i < Blocks.Size; i += S.Width) largest = S.Max(largest, S.And(S.Load(x + i), S.BroadcastInt(int.MaxValue)));
        float max = S.MaxLane(largest);
        V inverse = S.Broadcast(max > Least ? most / max : 0);
        for (nint i = 0; i < Blocks.Size; i += S.Width)
        {
            V integer = S.Round(S.Multiply(S.Load(x + i), inverse));
            totals = S.Add(totals, integer);
            S.StoreInt16(integers + i, Blocks.LastBits<S, V>(integer, 0xFFFF));
        }
        float sum = S.Sum(totals);
        scale = float.IsFinite(sum) ? max / most : float.NaN;
        total = sum * scale;
    }
}
