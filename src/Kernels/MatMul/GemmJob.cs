using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Y = X · Wᵀ for many rows: packed panels of W against packed tiles of X, one task per panel of columns.</summary>
/// <remarks>Goto &amp; van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication"; the macro-/microkernel split is BLIS's.</remarks>
internal unsafe struct GemmJob<S, V, TTile, TFormat> : IJob
    where S : struct, ISimd<V>
    where V : struct
    where TTile : struct, ITile
    where TFormat : struct, IWeightFormat
{
    /// <summary>X as <see cref="PackRowsJob{TTile}"/> leaves it.</summary>
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

    /// <summary>Columns of a panel.</summary>
    public static int Columns => TTile.Vectors * S.Width;

    /// <summary>Panels that cover n columns.</summary>
    public static int Tasks(int n) => (n + Columns - 1) / Columns;

    /// <summary>One panel of columns: all of k, all rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int task)
    {
        int columns = Columns, column = task * columns;
        int padded = Packing.Padded(M, TTile.Rows);
        float* panel = Scratch.ForTask(((long)Tiling.Depth * columns) + ((long)padded * columns) + (S.Width * S.Width));
        float* c = panel + (Tiling.Depth * columns);
        float* block = c + (padded * columns);

        for (int k0 = 0; k0 < K; k0 += Tiling.Depth)
        {
            int depth = Math.Min(Tiling.Depth, K - k0);
            Packing.Panel<S, V, TFormat>(W, Output.N, K, column, k0, depth, TTile.Vectors, panel, block);
            float* x = PackedX + ((nint)k0 * padded);
            for (int row = 0; row < M; row += TTile.Rows)
            {
                float* tile = c + (row * columns);
                TTile.Run<S, V>(depth, x + ((nint)row * depth), 1, TTile.Rows, panel, columns, tile, columns, accumulate: k0 > 0);
                if (k0 + depth == K)
                    Output.Store<S, V>(tile, columns, Row + row, Math.Min(TTile.Rows, M - row), column, Math.Min(columns, Output.N - column));
            }
        }
    }
}
