using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>The microkernels for blocks of integers of a level, one for each width of a panel.</summary>
internal unsafe interface IBlockTiles
{
    /// <summary>Vectors of the widest tile.</summary>
    public const int MaxVectors = 2;

    /// <summary>Rows of the tile of this width.</summary>
    static abstract int Rows(int vectors);

    /// <summary>Runs the tile of this width.</summary>
    static abstract void Run<S, V, TFormat>(int vectors, in BlockTileCall call)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat;
}

/// <summary>Tiles for 32 registers.</summary>
internal readonly unsafe struct BlockTiles32 : IBlockTiles
{
    public static int Rows(int vectors) => vectors == 2 ? BlockTile8x2.Rows : BlockTile8x1.Rows;

    public static void Run<S, V, TFormat>(int vectors, in BlockTileCall call)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        if (vectors == 2) BlockTile8x2.Run<S, V, TFormat>(call);
        else BlockTile8x1.Run<S, V, TFormat>(call);
    }
}

/// <summary>Tiles for 16 registers.</summary>
internal readonly unsafe struct BlockTiles16 : IBlockTiles
{
    public static int Rows(int vectors) => vectors == 2 ? BlockTile4x2.Rows : BlockTile8x1.Rows;

    public static void Run<S, V, TFormat>(int vectors, in BlockTileCall call)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        if (vectors == 2) BlockTile4x2.Run<S, V, TFormat>(call);
        else BlockTile8x1.Run<S, V, TFormat>(call);
    }
}

/// <summary>What a tile of bytes computes: c[r, j] += Σ over the blocks of 32 columns, scale(r) · scale(j) · Σ a[r, p] · b[p, j].</summary>
internal unsafe struct BlockTileCall
{
    /// <summary>Steps of a tile in a block, eight columns each.</summary>
    public const int StepsPerBlock = Kernels.Blocks.Size / (2 * PackedBytes.Group);

    public int Blocks;              // of 32 columns
    public byte* A;                 // unsigned bytes: a[r, p] is at r · ARow + p
    public nint ARow;
    public float* Scales;           // of a's blocks, [rows, Blocks]
    public sbyte* B;                // a panel of PackedBytes
    public float* XScales, XZeros;  // its scales and zeros
    public float* C;                // c[r, …] is as many vectors at r · CRow
    public nint CRow;
    public PrefetchRange Prefetch;  // what the tiles after this one read: one stretch
}

/// <summary>What the tiles of bytes share: a step of one row of a, and the end of a block.</summary>
internal static unsafe class BlockTile
{
    /// <summary>Where the sum of a block begins; <paramref name="zero"/> is <see cref="PackedBytes.Zeros"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Begin<S, V, TFormat>(V zero)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat => S.HasAddDot ? zero : TFormat.Begin<S, V>(zero);

    /// <summary>The sum of a block in 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V End<S, V, TFormat>(V sum, V zero)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat => S.HasAddDot ? sum : TFormat.End<S, V>(sum, zero);

    // All ways add the same integers without a loss, so that bits do not depend on the processor.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Add<S, V, TFormat>(V sum, V a0, V x0, V a1, V x1)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat =>
        S.HasAddDot ? S.AddDot(S.AddDot(sum, a0, x0), a1, x1)
            : TFormat.AddPairs<S, V>(sum, S.AddInt16(S.MultiplyAddInt8(a0, x0), S.MultiplyAddInt8(a1, x1)));

    /// <summary>Adds the products of eight columns: four bytes of a row of a against four of each lane, twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<S, V, TFormat>(byte* a, V x00, V x01, V x10, V x11, ref V c0, ref V c1)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        V a0 = S.BroadcastInt(*(int*)a), a1 = S.BroadcastInt(*(int*)(a + PackedBytes.Group));
        c0 = Add<S, V, TFormat>(c0, a0, x00, a1, x10);
        c1 = Add<S, V, TFormat>(c1, a0, x01, a1, x11);
    }

    /// <summary>
    /// c += sums v of a block (z: their zeros) · scale of W · scales s of X, for two vectors. Sums are integers above the bits of <see cref="Blocks.Ones"/>,
    /// so that as floats they need no conversion: o = −Ones · s is exact and leaves (v − Ones) · s rounded once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V, TFormat>(float* c, float scale, V s0, V s1, V o0, V o1, V v0, V v1, V z0, V z1)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        V w = S.Broadcast(scale);
        S.Store(c, S.MultiplyAdd(S.MultiplyAdd(End<S, V, TFormat>(v0, z0), s0, o0), w, S.Load(c)));
        S.Store(c + S.Width, S.MultiplyAdd(S.MultiplyAdd(End<S, V, TFormat>(v1, z1), s1, o1), w, S.Load(c + S.Width)));
    }

    /// <summary>What the scales of X have in sums that begin at <see cref="Blocks.Ones"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Offset<S, V>(V scales) where S : struct, IByteSimd<V> => S.Multiply(scales, S.Broadcast(-Blocks.Ones));

    /// <summary>The same for one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<S, V, TFormat>(byte* a, V x00, V x10, ref V c0)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        V a0 = S.BroadcastInt(*(int*)a), a1 = S.BroadcastInt(*(int*)(a + PackedBytes.Group));
        c0 = Add<S, V, TFormat>(c0, a0, x00, a1, x10);
    }

    /// <summary>The same for one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V, TFormat>(float* c, float scale, V s0, V o0, V v0, V z0)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat =>
        S.Store(c, S.MultiplyAdd(S.MultiplyAdd(End<S, V, TFormat>(v0, z0), s0, o0), S.Broadcast(scale), S.Load(c)));
}

/// <summary>4 rows × 2 vectors of exact sums of a block's products: 8 sums in 16 registers.</summary>
internal static unsafe class BlockTile4x2
{
    public const int Rows = 4;

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
        for (nint block = 0, p = 0; block < call.Blocks; block++, xScales += width, xZeros += width)
        {
            V z0 = S.Load(xZeros), z1 = S.Load(xZeros + S.Width);
            V n0 = BlockTile.Begin<S, V, TFormat>(z0), n1 = BlockTile.Begin<S, V, TFormat>(z1);
            V c00 = n0, c01 = n1, c10 = n0, c11 = n1;
            V c20 = n0, c21 = n1, c30 = n0, c31 = n1;
            for (int step = 0; step < BlockTileCall.StepsPerBlock; step++, p += 2 * PackedBytes.Group)
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
            }
            V s0 = S.Load(xScales), s1 = S.Load(xScales + S.Width);
            V o0 = BlockTile.Offset<S, V>(s0), o1 = BlockTile.Offset<S, V>(s1);
            float* c = call.C, scale = call.Scales + block;
            BlockTile.Put<S, V, TFormat>(c, *scale, s0, s1, o0, o1, c00, c01, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + next, *(scale + scaleRow), s0, s1, o0, o1, c10, c11, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (2 * next), *(scale + (2 * scaleRow)), s0, s1, o0, o1, c20, c21, z0, z1);
            BlockTile.Put<S, V, TFormat>(c + (3 * next), *(scale + (3 * scaleRow)), s0, s1, o0, o1, c30, c31, z0, z1);
        }
    }
}

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
