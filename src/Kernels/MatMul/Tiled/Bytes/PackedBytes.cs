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

    public Panels Layout;
    public int K;
    public sbyte* Integers;  // panel after panel, [K / 4, width, 4]
    public float* Scales;    // panel after panel, [K / 32, width]: floats whose last two bits are 0, so that their product with Blocks.Ones is exact

    /// <summary>
    /// Where a block's sum of products begins: integers that are the bits of <see cref="Blocks.Ones"/> and what W's zero has in the sum, [K / 32, width], panel
    /// after panel.
    /// </summary>
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

    /// <summary>
    /// Quantizes a block of a vector of rows, which lies transposed: 32 vectors, a lane for each row. What is not finite, or beyond 10³³ (its scale times
    /// <see cref="Blocks.Ones"/> is not finite then), makes its row's scale NaN, and so that row of Y. The rows begin at lane of their panel, the block at
    /// column.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void Quantize<S, V, TFormat>(float* x, nint stride, int panel, int lane, int column)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
    {
        V largest = S.Broadcast(0f), total = largest;
        for (nint i = 0; i < Blocks.Size; i++) largest = S.Max(largest, S.And(S.Load(x + (i * stride)), S.BroadcastInt(int.MaxValue)));
        V most = S.Broadcast((float)TFormat.MostX), inverse = S.And(S.Divide(most, largest), S.Less(S.Broadcast(BlockInput.Least), largest));

        nint width = Layout.Width(panel), first = Layout.First(panel);
        float* integers = (float*)(Integers + (first * K)) + (column / Group * width) + lane;
        for (nint i = 0; i < Blocks.Size; i += Group, integers += width)
        {
            V a = S.Round(S.Multiply(S.Load(x + (i * stride)), inverse)), b = S.Round(S.Multiply(S.Load(x + ((i + 1) * stride)), inverse));
            V c = S.Round(S.Multiply(S.Load(x + ((i + 2) * stride)), inverse)), d = S.Round(S.Multiply(S.Load(x + ((i + 3) * stride)), inverse));
            total = S.Add(total, S.Add(S.Add(a, b), S.Add(c, d)));
            V ab = S.Or(Blocks.LastBits<S, V>(a, 0xFF), S.ShiftLeft(Blocks.LastBits<S, V>(b, 0xFF), 8)),
                cd = S.Or(Blocks.LastBits<S, V>(c, 0xFF), S.ShiftLeft(Blocks.LastBits<S, V>(d, 0xFF), 8));
            S.Store(integers, S.Or(ab, S.ShiftLeft(cd, 16)));
        }
        nint at = (first * (K / Blocks.Size)) + (column / Blocks.Size * width) + lane;
        V scale = S.And(S.MultiplyAdd(total, S.Broadcast(0f), S.Divide(largest, most)), S.BroadcastInt(~3));
        S.Store(Scales + at, S.MultiplyAdd(S.Multiply(scale, S.Broadcast(Blocks.Ones)), S.Broadcast(0f), scale));
        S.Store(Zeros + at, S.Add(S.Round(S.Multiply(total, S.Broadcast(-0.25f * TFormat.ByteZero))), S.Broadcast(Blocks.Ones)));
    }
}

/// <summary>Quantizes and packs X [m, k], one vector of rows per task; rows beyond m are 0.</summary>
internal unsafe struct PackBytesJob<S, V, TFormat> : IJob
    where S : struct, ISimd<V>
    where TFormat : struct, IBlockFormat
{
    public float* X;            // [M, Packed.K]
    public int M;
    public PackedBytes Packed;  // where X goes

    public readonly int Tasks => Packed.Layout.Padded / S.Width;

    public readonly void Execute(int task)
    {
        int k = Packed.K, first = task * S.Width, panel = Packed.Layout.Of(first), lane = first - Packed.Layout.First(panel);
        float* turned = Scratch.ForTask(Blocks.Size * S.Width);
        for (int at = 0; at < k; at += Blocks.Size)
        {
            Packing.Strip<S, V>(X + ((nint)first * k) + at, Math.Min(S.Width, M - first), k, Blocks.Size, turned, S.Width);
            Packed.Quantize<S, V, TFormat>(turned, S.Width, panel, lane, at);
        }
    }
}
