using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>
/// Y = X · Wᵀ for many rows of X: one range of rows of W per task, against all of X. Rows of W are the tile's rows and are read
/// as they are stored (or decoded into a buffer, where they are not float32); rows of X are its vectors. So the large operand is
/// never transposed, and the small one once.
/// </summary>
/// <remarks>Goto &amp; van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication"; the macro-/microkernel split is BLIS's.</remarks>
internal unsafe struct GemmJob<S, V, TTile, TFormat> : IJob
    where S : struct, ISimd<V>
    where V : struct
    where TTile : struct, ITile
    where TFormat : struct, IWeightFormat
{
    /// <summary>X as <see cref="PackRowsJob{S, V, TTile}"/> leaves it.</summary>
    public float* PackedX;

    /// <summary>First row of this block in Y.</summary>
    public int Row;

    /// <summary>Rows of this block.</summary>
    public int M;

    /// <summary>Columns of X and W.</summary>
    public int K;

    /// <summary>W as stored, [N, K].</summary>
    public byte* W;

    /// <summary>Y and the epilogue.</summary>
    public Output Output;

    /// <summary>Ranges that cover n rows of W.</summary>
    public static int Tasks(int n) => (n + Tiling.WeightRows - 1) / Tiling.WeightRows;

    /// <summary>One range of rows of W: all of k, all rows of X.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int task)
    {
        int first = task * Tiling.WeightRows, count = Math.Min(Tiling.WeightRows, Output.N - first);
        var layout = new PackedRows<S, V, TTile>(M);
        int maxDepth = Tiling.Depth(K);
        float* decoded = Scratch.ForTask(((long)Tiling.WeightRows * maxDepth) + ((long)Tiling.WeightRows * layout.Padded) + (S.Width * S.Width));
        float* c = decoded + (Tiling.WeightRows * maxDepth);                 // [WeightRows, Padded]
        float* block = c + (Tiling.WeightRows * layout.Padded);

        for (int k0 = 0; k0 < K; k0 += maxDepth)
        {
            int depth = Math.Min(maxDepth, K - k0);
            float* a = Rows(first, count, k0, depth, decoded, out nint aRow);
            for (int panel = 0; panel < layout.Panels; panel++)
            {
                int column = layout.FirstRow(panel), width = layout.Width(panel);
                float* b = PackedX + ((nint)column * K) + ((nint)k0 * width);
                if (panel < layout.WidePanels) Multiply<TTile>(count, depth, a, aRow, b, width, c + column, layout.Padded, k0 > 0, panel == 0);
                else if (width == 2 * S.Width) Multiply<Tile8x2>(count, depth, a, aRow, b, width, c + column, layout.Padded, k0 > 0, panel == 0);
                else Multiply<Tile8x1>(count, depth, a, aRow, b, width, c + column, layout.Padded, k0 > 0, panel == 0);
            }
        }
        Output.StoreTransposed<S, V>(c, layout.Padded, first, count, Row, M, block);
    }

    // The first panel meets rows of W that are not in cache yet: the beginnings of the next tile's rows are asked for, from
    // where the hardware goes on by itself.
    private static void Multiply<T>(int count, int depth, float* a, nint aRow, float* b, int width, float* c, nint cRow, bool accumulate, bool firstPanel)
        where T : struct, ITile
    {
        for (int r = 0; r < count; r += T.Rows)
        {
            for (int next = r + T.Rows; firstPanel && next < Math.Min(count, r + (2 * T.Rows)); next++)
                PrefetchStart(a + (next * aRow));
            T.Run<S, V>(depth, a + (r * aRow), aRow, 1, b, width, c + (r * cRow), cRow, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchStart(float* row)
    {
        const int LineFloats = 16;
        S.Prefetch(row);
        S.Prefetch(row + LineFloats);
        S.Prefetch(row + (2 * LineFloats));
        S.Prefetch(row + (3 * LineFloats));
    }

    /// <summary>A block of W as floats: in place where it is that already and no tile reaches beyond it, else decoded.</summary>
    private readonly float* Rows(int first, int count, int k0, int depth, float* decoded, out nint aRow)
    {
        nint rowBytes = TFormat.RowBytes(K);
        byte* w = W + (first * rowBytes);
        if (typeof(TFormat) == typeof(F32Format) && count == Tiling.WeightRows)
        {
            aRow = K;
            return (float*)w + k0;
        }
        aRow = depth;
        for (int r = 0; r < count; r++) Widening.Body<S, V, TFormat>(w + (r * rowBytes), k0, decoded + (r * depth), depth);
        return decoded;
    }
}
