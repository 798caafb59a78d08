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

    /// <summary>c += sums of a block · their scales.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V>(float* c, float scale, V s0, V s1, V v0, V v1)
        where S : struct, IByteSimd<V>
        where V : struct
    {
        V w = S.Broadcast(scale);
        S.Store(c, S.MultiplyAdd(S.Multiply(S.ToSingle(v0), s0), w, S.Load(c)));
        S.Store(c + S.Width, S.MultiplyAdd(S.Multiply(S.ToSingle(v1), s1), w, S.Load(c + S.Width)));
    }

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
    public static void Put<S, V>(float* c, float scale, V s0, V v0)
        where S : struct, IByteSimd<V>
        where V : struct
    {
        V w = S.Broadcast(scale);
        S.Store(c, S.MultiplyAdd(S.Multiply(S.ToSingle(v0), s0), w, S.Load(c)));
    }
}
