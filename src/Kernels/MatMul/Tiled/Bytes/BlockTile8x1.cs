using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>8 rows × 1 vector of exact sums of a block's products, where rows of X are few.</summary>
internal static unsafe class BlockTile8x1
{
    public const int Rows = 8;

    private const int Vectors = 1;

    /// <inheritdoc cref="IBlockTiles.Run"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<S, V, TFormat>(in BlockTileCall call)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        nint row = call.ARow, width = Vectors * S.Width, scaleRow = call.Blocks, next = call.CRow;
        byte* a0 = call.A, a1 = a0 + row, a2 = a0 + (2 * row), a3 = a0 + (3 * row);
        byte* line = call.Prefetch.Start;
        nint lineStep = call.Prefetch.Step;
        sbyte* b = call.B;
        float* xScales = call.XScales, xZeros = call.XZeros;
        for (nint block = 0, p = 0, q = 4 * row; block < call.Blocks; block++, xScales += width, xZeros += width)
        {
            V z0 = S.Load(xZeros);
            V n0 = BlockTile.Begin<S, V, TFormat>(z0);
            V c00 = n0, c10 = n0, c20 = n0, c30 = n0;
            V c40 = n0, c50 = n0, c60 = n0, c70 = n0;
            for (int step = 0; step < BlockTileCall.StepsPerBlock; step++, p += 2 * PackedBytes.Group, q += 2 * PackedBytes.Group)
            {
                S.PrefetchL2(line);
                line += lineStep;
                V x00 = S.Load((float*)b);
                V x10 = S.Load((float*)(b + (PackedBytes.Group * S.Width)));
                b += 2 * PackedBytes.Group * width;
                BlockTile.Step<S, V, TFormat>(a0 + p, x00, x10, ref c00);
                BlockTile.Step<S, V, TFormat>(a1 + p, x00, x10, ref c10);
                BlockTile.Step<S, V, TFormat>(a2 + p, x00, x10, ref c20);
                BlockTile.Step<S, V, TFormat>(a3 + p, x00, x10, ref c30);
                BlockTile.Step<S, V, TFormat>(a0 + q, x00, x10, ref c40);
                BlockTile.Step<S, V, TFormat>(a1 + q, x00, x10, ref c50);
                BlockTile.Step<S, V, TFormat>(a2 + q, x00, x10, ref c60);
                BlockTile.Step<S, V, TFormat>(a3 + q, x00, x10, ref c70);
            }
            V s0 = S.Load(xScales), o0 = BlockTile.Offset<S, V>(s0);
            float* c = call.C, scale = call.Scales + block;
            BlockTile.Put<S, V, TFormat>(c, *scale, s0, o0, c00, z0);
            BlockTile.Put<S, V, TFormat>(c + next, *(scale + scaleRow), s0, o0, c10, z0);
            BlockTile.Put<S, V, TFormat>(c + (2 * next), *(scale + (2 * scaleRow)), s0, o0, c20, z0);
            BlockTile.Put<S, V, TFormat>(c + (3 * next), *(scale + (3 * scaleRow)), s0, o0, c30, z0);
            BlockTile.Put<S, V, TFormat>(c + (4 * next), *(scale + (4 * scaleRow)), s0, o0, c40, z0);
            BlockTile.Put<S, V, TFormat>(c + (5 * next), *(scale + (5 * scaleRow)), s0, o0, c50, z0);
            BlockTile.Put<S, V, TFormat>(c + (6 * next), *(scale + (6 * scaleRow)), s0, o0, c60, z0);
            BlockTile.Put<S, V, TFormat>(c + (7 * next), *(scale + (7 * scaleRow)), s0, o0, c70, z0);
        }
    }
}
