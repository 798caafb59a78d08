using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>What the tiles share: a step of one row of a, and storing a row of sums, for as many vectors as a tile is wide.</summary>
internal static unsafe class Tile
{
    /// <summary>Adds the products of one element of a and a step of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row<S, V>(float a, V b0, V b1, ref V c0, ref V c1) where S : struct, ISimd<V>
    {
        V x = S.Broadcast(a);
        c0 = S.MultiplyAdd(x, b0, c0);
        c1 = S.MultiplyAdd(x, b1, c1);
    }

    /// <inheritdoc cref="Row{S, V}(float, V, V, ref V, ref V)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row<S, V>(float a, V b0, V b1, V b2, ref V c0, ref V c1, ref V c2) where S : struct, ISimd<V>
    {
        V x = S.Broadcast(a);
        c0 = S.MultiplyAdd(x, b0, c0);
        c1 = S.MultiplyAdd(x, b1, c1);
        c2 = S.MultiplyAdd(x, b2, c2);
    }

    /// <inheritdoc cref="Row{S, V}(float, V, V, ref V, ref V)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row<S, V>(float a, V b0, V b1, V b2, V b3, ref V c0, ref V c1, ref V c2, ref V c3) where S : struct, ISimd<V>
    {
        V x = S.Broadcast(a);
        c0 = S.MultiplyAdd(x, b0, c0);
        c1 = S.MultiplyAdd(x, b1, c1);
        c2 = S.MultiplyAdd(x, b2, c2);
        c3 = S.MultiplyAdd(x, b3, c3);
    }

    /// <summary>c = v, or c += v.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V>(float* c, bool accumulate, V v) where S : struct, ISimd<V> => S.Store(c, accumulate ? S.Add(S.Load(c), v) : v);

    /// <inheritdoc cref="Put{S, V}(float*, bool, V)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V>(float* c, bool accumulate, V v0, V v1) where S : struct, ISimd<V>
    {
        Put<S, V>(c, accumulate, v0);
        Put<S, V>(c + S.Width, accumulate, v1);
    }

    /// <inheritdoc cref="Put{S, V}(float*, bool, V)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V>(float* c, bool accumulate, V v0, V v1, V v2) where S : struct, ISimd<V>
    {
        Put<S, V>(c, accumulate, v0, v1);
        Put<S, V>(c + (2 * S.Width), accumulate, v2);
    }

    /// <inheritdoc cref="Put{S, V}(float*, bool, V)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<S, V>(float* c, bool accumulate, V v0, V v1, V v2, V v3) where S : struct, ISimd<V>
    {
        Put<S, V>(c, accumulate, v0, v1);
        Put<S, V>(c + (2 * S.Width), accumulate, v2, v3);
    }
}
