using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>
/// X for products with blocks of integers, as signed bytes with a scale per block of 32, packed into panels: four bytes of a row,
/// four of the next, as many rows as the panel has lanes; then the next four columns.
/// </summary>
internal unsafe struct PackedBytes
{
    /// <summary>Bytes of a row that a lane holds.</summary>
    public const int Group = 4;

    /// <summary>Where the rows lie.</summary>
    public Panels Layout;

    /// <summary>Columns.</summary>
    public int K;

    /// <summary>Panel after panel, [K / 4, width, 4].</summary>
    public sbyte* Integers;

    /// <summary>Panel after panel, [K / 32, width].</summary>
    public float* Scales;

    /// <summary>What W's zero has in a block's sum of products: integers, [K / 32, width], panel after panel.</summary>
    public float* Zeros;

    /// <summary>Floats of memory for rows of X.</summary>
    public static long Length(EqualBlocks blocks, int k) => (long)Packing.Padded(blocks.Height, Packing.MaxWidth) * ((k / Group) + (2 * (k / Blocks.Size)));

    /// <summary>Places for rows of X in <paramref name="memory"/>.</summary>
    public PackedBytes(Panels layout, int k, float* memory)
    {
        (Layout, K) = (layout, k);
        Integers = (sbyte*)memory;
        Scales = memory + ((nint)layout.Padded * k / Group);
        Zeros = Scales + ((nint)layout.Padded * (k / Blocks.Size));
    }
}

/// <summary>Quantizes and packs X [m, k], one vector of rows per task; rows beyond m are 0.</summary>
internal unsafe struct PackBytesJob<S, V, TFormat> : IJob
    where S : struct, IByteSimd<V>
    where V : struct
    where TFormat : struct, IBlockFormat
{
    /// <summary>X, [M, K].</summary>
    public float* X;

    /// <summary>Rows.</summary>
    public int M;

    /// <summary>Where they go.</summary>
    public PackedBytes Packed;

    /// <summary>Tasks for all rows.</summary>
    public readonly int Tasks => Packed.Layout.Padded / S.Width;

    /// <summary>One vector of rows, all of k.</summary>
    public readonly void Execute(int task)
    {
        int k = Packed.K, blocks = k / Blocks.Size, first = task * S.Width, rows = Math.Min(S.Width, M - first);
        float* integers = Scratch.ForTask((long)S.Width * ((k / PackedBytes.Group) + (2 * blocks)));
        float* scales = integers + (S.Width * (nint)k / PackedBytes.Group), zeros = scales + (S.Width * blocks);
        for (nint r = 0; r < rows; r++)
            Row(X + ((first + r) * k), (sbyte*)integers + (r * k), scales + (r * blocks), zeros + (r * blocks));

        // Strips move 32 bits at a time, whatever they mean.
        int panel = Packed.Layout.Of(first), start = Packed.Layout.First(panel), width = Packed.Layout.Width(panel), lane = first - start;
        Packing.Strip<S, V>(integers, rows, k / PackedBytes.Group, k / PackedBytes.Group, (float*)(Packed.Integers + ((nint)start * k)) + lane, width);
        Packing.Strip<S, V>(scales, rows, blocks, blocks, Packed.Scales + ((nint)start * blocks) + lane, width);
        Packing.Strip<S, V>(zeros, rows, blocks, blocks, Packed.Zeros + ((nint)start * blocks) + lane, width);
    }

    // To integers by adding 1.5 · 2²³, where a float counts in ones. What is not finite makes its block's scale NaN, and so the row of Y.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row(float* x, sbyte* integers, float* scales, float* zeros)
    {
        const float Ones = 12582912;
        for (nint at = 0, block = 0; at < Packed.K; at += Blocks.Size, block++)
        {
            V largest = S.Broadcast(0f), total = S.Broadcast(0f);
            for (nint i = 0; i < Blocks.Size; i += S.Width) largest = S.Max(largest, S.And(S.Load(x + at + i), S.BroadcastInt(int.MaxValue)));
            float max = S.MaxLane(largest);
            V inverse = S.Broadcast(max > BlockInput.Least ? TFormat.MostX / max : 0);
            for (nint i = 0; i < Blocks.Size; i += S.Width)
            {
                V integer = S.Round(S.Multiply(S.Load(x + at + i), inverse));
                total = S.Add(total, integer);
                S.StoreInt8(integers + at + i, S.AddInt(S.Add(integer, S.Broadcast(Ones)), S.BroadcastInt(-BitConverter.SingleToInt32Bits(Ones))));
            }
            float sum = S.Sum(total);
            scales[block] = float.IsFinite(sum) ? max / TFormat.MostX : float.NaN;
            zeros[block] = BitConverter.Int32BitsToSingle((int)sum * -TFormat.ByteZero / 4);
        }
    }
}
