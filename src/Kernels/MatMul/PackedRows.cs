using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>
/// How X [m, k] lies when a tile reads it: panels [k, width] with the rows of X side by side, first the wide panels of
/// TTile.Vectors vectors, then a narrower one for what is left; rows beyond m are 0.
/// </summary>
internal readonly unsafe struct PackedRows<S, V, TTile>(int m)
    where S : struct, ISimd<V>
    where V : struct
    where TTile : struct, ITile
{
    /// <summary>Rows of X per wide panel.</summary>
    public static int WideRows => TTile.Vectors * S.Width;

    /// <summary>m, rounded up to whole vectors.</summary>
    public int Padded { get; } = Packing.Padded(m, S.Width);

    /// <summary>Wide panels.</summary>
    public int WidePanels => Padded / WideRows;

    /// <summary>Panels of either kind.</summary>
    public int Panels => (Padded + WideRows - 1) / WideRows;

    /// <summary>Vectors of rows: the tasks of packing.</summary>
    public int Strips => Padded / S.Width;

    /// <summary>The first row of a panel.</summary>
    public int FirstRow(int panel) => panel * WideRows;

    /// <summary>Rows of a panel.</summary>
    public int Width(int panel) => Math.Min(WideRows, Padded - (panel * WideRows));
}

/// <summary>Packs X, one strip of a vector's rows per task.</summary>
internal unsafe struct PackRowsJob<S, V, TTile> : IJob
    where S : struct, ISimd<V>
    where V : struct
    where TTile : struct, ITile
{
    /// <summary>X, [M, K].</summary>
    public float* X;

    /// <summary>Rows.</summary>
    public int M;

    /// <summary>Columns.</summary>
    public int K;

    /// <summary>M, rounded up to whole vectors, · K floats.</summary>
    public float* Packed;

    /// <summary>One strip, all of k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int task)
    {
        var layout = new PackedRows<S, V, TTile>(M);
        int first = task * S.Width, rows = Math.Min(S.Width, M - first);
        int panel = first / PackedRows<S, V, TTile>.WideRows;
        int width = layout.Width(panel);
        float* destination = Packed + ((nint)layout.FirstRow(panel) * K) + (first - layout.FirstRow(panel));
        float* source = X + ((nint)first * K);
        int p = 0;
        if (rows == S.Width)
        {
            for (; p <= K - S.Width; p += S.Width) S.Transpose(source + p, K, destination + ((nint)p * width), width);
        }
        for (; p < K; p++)
        {
            for (int r = 0; r < S.Width; r++)
                destination[((nint)p * width) + r] = r < rows ? source[((nint)r * K) + p] : 0;
        }
    }
}
