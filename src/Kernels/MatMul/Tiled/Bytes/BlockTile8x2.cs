using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>8 rows × 2 vectors of exact sums of a block's products: 16 sums in the 32 registers of AVX-512.</summary>
internal static unsafe class BlockTile8x2
{
    public const int Rows = 8;

    private const int Vectors = 2;

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
            V z0 = S.Load(xZeros), z1 = S.Load(xZeros + S.Width);
            V n0 = BlockTile.Begin<S, V, TFormat>(z0), n1 = BlockTile.Begin<S, V, TFormat>(z1);
            V c00 = n0, c01 = n1, c10 = n0, c11 = n1;
            V c20 = n0, c21 = n1, c30 = n0, c31 = n1;
            V c40 = n0, c41 = n1, c50 = n0, c51 = n1;
            V c60 = n0, c61 = n1, c70 = n0, c71 = n1;
            for (int step = 0; step < BlockTileCall.StepsPerBlock; step++, p += 2 * PackedBytes.Group, q += 2 * PackedBytes.Group)
            {
                S.PrefetchL2(line);
                line += lineStep;
                V x00 = S.Load((float*)b), x01 = S.Load((float*)(b + (PackedBytes.Group * S.Width)));
                V x10 = S.Load((float*)(b + (2 * PackedBytes.Group * S.Width))), x11 = S.Load((float*)(b + (3 * PackedBytes.Group * S.Width)));
                b += 2 * PackedBytes.Group * width;
                BlockTile.Step<S, V, TFormat>(a0 + p, x00, x01, x10, x11, ref c00, ref c01);
                BlockTile.Step<S, V, TFormat>(a1 + p, x00, x01, x10, x11, ref c10, ref c11);
                BlockTile.Step<S, V, TFormat>(a2 + p, x00, x01, x10, x11, ref c20, ref c21);
                BlockTile.Step<S, V, TFormat>(a3 + p, x00, x01, x10, x11, ref c30, ref c31);
                BlockTile.Step<S, V, TFormat>(a0 + q, x00, x01, x10, x11, ref c40, ref c41);
                BlockTile.Step<S, V, TFormat>(a1 + q, x00, x01, x10, x11, ref c50, ref c51);
                BlockTile.Step<S, V, TFormat>(a2 + q, x00, x01, x10, x11, ref c60, ref c61);
                BlockTile.Step<S, V, TFormat>(a3 + q, x00, x01, x10, x11, ref c70, ref c71);
            }
            V s0 = S.Load(xScales), s1 = S.Load(xScales + S.Width);
            V o0 = BlockTile.Offset<S, V>(s0), o1 = BlockTile.Offset<S, V>(s1);
            float* c = call.C, scale = call.Scales + block;
            BlockTile.Put<S, V, TFormat>(c, *scale, s0, s1, o0, o1, c00, c01, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + next, *(scale + scaleRow), s0, s1, o0, o1, c10, c11, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (2 * next), *(scale + (2 * scaleRow)), s0, s1, o0, o1, c20, c21, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (3 * next), *(scale + (3 * scaleRow)), s0, s1, o0, o1, c30, c31, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (4 * next), *(scale + (4 * scaleRow)), s0, s1, o0, o1, c40, c41, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (5 * next), *(scale + (5 * scaleRow)), s0, s1, o0, o1, c50, c51, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (6 * next), *(scale + (6 * scaleRow)), s0, s1, o0, o1, c60, c61, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (7 * next), *(scale + (7 * scaleRow)), s0, s1, o0, o1, c70, c71, z0, z1);
        }
    }
}
