using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Copies of X and W in the order in which a tile reads them.</summary>
internal static unsafe class Packing
{
    /// <summary><paramref name="rows"/> rounded up to whole tiles.</summary>
    public static int Padded(int rows, int tile) => (rows + tile - 1) / tile * tile;

    /// <summary>panel[p, j] = x[j, p] for p &lt; depth and j &lt; vectors · Width: rows side by side; rows beyond the last are 0.</summary>
    /// <param name="x">Rows of at least depth floats.</param>
    /// <param name="rows">How many there are; may be less than a panel takes, or more.</param>
    /// <param name="stride">Floats from a row to the next.</param>
    /// <param name="depth">Floats to take of each. The panel is written up to the next multiple of Width.</param>
    /// <param name="vectors">Vectors per panel row.</param>
    /// <param name="panel">[depth, vectors · Width].</param>
    /// <param name="block">Room for Width × Width floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Panel<S, V>(float* x, int rows, nint stride, int depth, int vectors, float* panel, float* block)
        where S : struct, ISimd<V>
        where V : struct
    {
        int columns = vectors * S.Width;
        for (int j = 0; j < columns; j += S.Width)
        {
            int height = Math.Clamp(rows - j, 0, S.Width);
            float* first = x + (j * stride);
            for (int p = 0; p < depth; p += S.Width)
            {
                float* destination = panel + (p * columns) + j;
                if (height == S.Width && p + S.Width <= depth)
                {
                    S.Transpose(first + p, stride, destination, columns);
                    continue;
                }
                for (int r = 0; r < S.Width; r++)
                    S.Store(block + (r * S.Width), r < height ? Tail.Load<S, V>(first + (r * stride) + p, Math.Min(S.Width, depth - p)) : S.Broadcast(0f));
                S.Transpose(block, S.Width, destination, columns);
            }
        }
    }
}
