using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

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
