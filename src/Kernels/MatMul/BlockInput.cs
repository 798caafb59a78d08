using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>X for products with blocks of integers: 16-bit integers with a scale per block of 32, which is as good as the floats were.</summary>
/// <remarks>The products of two such integers are exact, and with a scale for each block their rounding is below 2⁻¹⁵ of a block's largest value.</remarks>
internal unsafe struct BlockInput
{
    /// <summary>Rows that a tile takes at once: several rows are filled up with zeros to whole groups.</summary>
    public const int Group = 4;

    /// <summary>A block whose largest value is not above this one counts as zero: what its integers would be divided by is near the smallest number that there is.</summary>
    public const float Least = 1e-30f;

    private const int Most = short.MaxValue;

    /// <summary>Rows and columns of X.</summary>
    public int M, K;

    /// <summary>[M, K].</summary>
    public short* Integers;

    /// <summary>[M, K / 32].</summary>
    public float* Scales;

    /// <summary>What W's zero has in a block's sum of products, [M, K / 32]: Σ of the block's integers, times its scale, times that zero.</summary>
    public float* Zeros;

    /// <summary>Quantizes X [m, k] into this thread's memory of the call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static BlockInput Quantize<S, V, TFormat>(float* x, int m, int k)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        int blocks = k / Blocks.Size, rows = m == 1 ? 1 : Packing.Padded(m, Group);
        long integers = (long)rows * k / 2;
        float* memory = Scratch.ForCall(integers + (2L * rows * blocks));
        var input = new BlockInput { M = m, K = k, Integers = (short*)memory, Scales = memory + integers, Zeros = memory + integers + (rows * blocks) };
        new Span<float>(memory, (int)(integers + (2L * rows * blocks))).Clear();
        for (int i = 0; i < m * blocks; i++)
            Block<S, V, TFormat>(x + ((nint)i * Blocks.Size), input.Integers + ((nint)i * Blocks.Size), out input.Scales[i], out input.Zeros[i]);
        return input;
    }

    // To integers by adding 1.5 · 2²³, where a float counts in ones: its lower 16 bits are then the integer. What is not finite makes
    // its block's scale NaN, and so the row of Y.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block<S, V, TFormat>(float* x, short* integers, out float scale, out float zero)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        V largest = S.Broadcast(0f), total = S.Broadcast(0f);
        for (nint i = 0; i < Blocks.Size; i += S.Width) largest = S.Max(largest, S.And(S.Load(x + i), S.BroadcastInt(int.MaxValue)));
        float max = S.MaxLane(largest);
        V inverse = S.Broadcast(max > Least ? Most / max : 0);
        for (nint i = 0; i < Blocks.Size; i += S.Width)
        {
            V integer = S.Round(S.Multiply(S.Load(x + i), inverse));
            total = S.Add(total, integer);
            S.StoreInt16(integers + i, Blocks.LastBits<S, V>(integer, 0xFFFF));
        }
        float sum = S.Sum(total);
        scale = float.IsFinite(sum) ? max / Most : float.NaN;
        zero = sum * scale * TFormat.Zero;
    }
}
