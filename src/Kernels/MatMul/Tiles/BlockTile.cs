using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>What the tiles of bytes share: a step of one row of a, and the end of a block.</summary>
internal static unsafe class BlockTile
{
    /// <summary>Adds the products of eight columns: four bytes of a row of a against four of each lane, twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<S, V, TFormat>(byte* a, V x00, V x01, V x10, V x11, ref V c0, ref V c1)
        where S : struct, IByteSimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        V a0 = S.BroadcastInt(*(int*)a), a1 = S.BroadcastInt(*(int*)(a + PackedBytes.Group));
        c0 = TFormat.AddPairs<S, V>(c0, S.AddInt16(S.MultiplyAddInt8(a0, x00), S.MultiplyAddInt8(a1, x10)));
        c1 = TFormat.AddPairs<S, V>(c1, S.AddInt16(S.MultiplyAddInt8(a0, x01), S.MultiplyAddInt8(a1, x11)));
    }

    /// <summary>c += sums of a block · their scales. Sums are integers above the bits of <see cref="Blocks.Ones"/>, so that as floats they need no conversion.</summary>
    /// <param name="c">Two vectors.</param>
    /// <param name="scale">The scale of W.</param>
    /// <param name="s0">The scales of X.</param>
    /// <param name="s1">Those of the second vector.</param>
    /// <param name="o0">−Ones · s0, exactly, which leaves (v0 − Ones) · s0 rounded once.</param>
    /// <param name="o1">The same of the second vector.</param>
    /// <param name="v0">The sums.</param>
    /// <param name="v1">Those of the second vector.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V>(float* c, float scale, V s0, V s1, V o0, V o1, V v0, V v1)
        where S : struct, IByteSimd<V>
        where V : struct
    {
        V w = S.Broadcast(scale);
        S.Store(c, S.MultiplyAdd(S.MultiplyAdd(v0, s0, o0), w, S.Load(c)));
        S.Store(c + S.Width, S.MultiplyAdd(S.MultiplyAdd(v1, s1, o1), w, S.Load(c + S.Width)));
    }

    /// <summary>What the scales of X have in sums that begin at <see cref="Blocks.Ones"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Offset<S, V>(V scales)
        where S : struct, IByteSimd<V>
        where V : struct => S.Multiply(scales, S.Broadcast(-Blocks.Ones));

    /// <summary>The same for one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<S, V, TFormat>(byte* a, V x00, V x10, ref V c0)
        where S : struct, IByteSimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        V a0 = S.BroadcastInt(*(int*)a), a1 = S.BroadcastInt(*(int*)(a + PackedBytes.Group));
        c0 = TFormat.AddPairs<S, V>(c0, S.AddInt16(S.MultiplyAddInt8(a0, x00), S.MultiplyAddInt8(a1, x10)));
    }

    /// <summary>The same for one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V>(float* c, float scale, V s0, V o0, V v0)
        where S : struct, IByteSimd<V>
        where V : struct => S.Store(c, S.MultiplyAdd(S.MultiplyAdd(v0, s0, o0), S.Broadcast(scale), S.Load(c)));
}
