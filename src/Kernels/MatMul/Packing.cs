using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Copies of X and W in the order in which a tile reads them.</summary>
internal static unsafe class Packing
{
    /// <summary><paramref name="rows"/> rounded up to whole tiles.</summary>
    public static int Padded(int rows, int tile) => (rows + tile - 1) / tile * tile;

    /// <summary>
    /// panel[p, j] = W[column + j, k0 + p] for p &lt; depth and j &lt; vectors · Width, as floats; columns beyond n are 0.
    /// </summary>
    /// <param name="w">W as stored, [n, k].</param>
    /// <param name="n">Rows of W.</param>
    /// <param name="k">Columns of W.</param>
    /// <param name="column">First row of W to pack: a column of Y.</param>
    /// <param name="k0">First column of W to pack; a multiple of Width.</param>
    /// <param name="depth">Columns of W to pack. The panel is written up to the next multiple of Width.</param>
    /// <param name="vectors">Vectors per panel row.</param>
    /// <param name="panel">[depth, vectors · Width].</param>
    /// <param name="block">Room for Width × Width floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Panel<S, V, TFormat>(byte* w, int n, int k, int column, int k0, int depth, int vectors, float* panel, float* block)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        nint rowBytes = TFormat.RowBytes(k);
        int columns = vectors * S.Width;
        for (int j = 0; j < columns; j += S.Width)
        {
            int rows = Math.Clamp(n - column - j, 0, S.Width);
            byte* first = w + ((nint)(column + j) * rowBytes);
            for (int p = 0; p < depth; p += S.Width)
            {
                float* destination = panel + (p * columns) + j;
                bool whole = rows == S.Width && p + S.Width <= depth;
                if (typeof(TFormat) == typeof(F32Format) && whole)
                {
                    S.Transpose((float*)first + k0 + p, k, destination, columns);
                    continue;
                }
                for (int r = 0; r < S.Width; r++)
                {
                    byte* row = first + (r * rowBytes);
                    V values = whole ? TFormat.Widen<S, V>(row, k0 + p)
                        : r < rows ? Tail.Widen<S, V, TFormat>(row, k0 + p, Math.Min(S.Width, depth - p))
                        : S.Broadcast(0f);
                    S.Store(block + (r * S.Width), values);
                }
                S.Transpose(block, S.Width, destination, columns);
            }
        }
    }

    /// <summary>Elements k0 … k0 + depth − 1 of a stored row as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<S, V, TFormat>(byte* row, int k0, int depth, float* destination)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        nint p = 0;
        for (; p <= depth - S.Width; p += S.Width)
        {
            S.Prefetch(row + TFormat.RowBytes(k0 + p) + Tiling.PrefetchBytes);
            S.Store(destination + p, TFormat.Widen<S, V>(row, k0 + p));
        }
        for (; p < depth; p++) destination[p] = TFormat.WidenOne(row, k0 + p);
    }
}
