using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Copies of rows in the order in which a tile reads them.</summary>
internal static unsafe class Packing
{
    /// <summary>Lanes of the widest vector that there is.</summary>
    public const int MaxWidth = 16;

    /// <summary><paramref name="rows"/> rounded up to whole tiles.</summary>
    public static int Padded(int rows, int tile) => (rows + tile - 1) / tile * tile;

    /// <summary>panel[p, j] = x[j, p] for a vector of rows j and depth columns p; a vector is written every width floats. Rows beyond the last are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Strip<S, V>(float* x, int rows, nint stride, int depth, float* panel, nint width) where S : struct, ISimd<V>
    {
        int p = 0;
        if (rows == S.Width)
        {
            for (; p <= depth - S.Width; p += S.Width) S.Transpose(x + p, stride, panel + (p * width), width);
        }
        for (; p < depth; p++)
        {
            for (int r = 0; r < S.Width; r++) panel[(p * width) + r] = r < rows ? x[(r * stride) + p] : 0;
        }
    }
}

/// <summary>Packs X [m, k] into panels [k, width], one vector of rows per task; rows beyond m are 0.</summary>
internal unsafe struct PackRowsJob<S, V> : IJob where S : struct, ISimd<V>
{
    public float* X;       // [M, K]
    public int M, K;
    public Panels Layout;
    public float* Packed;  // Layout.Padded · K floats: panel after panel

    public readonly int Tasks => Layout.Padded / S.Width;

    public readonly void Execute(int task)
    {
        int first = task * S.Width, panel = Layout.Of(first), start = Layout.First(panel);
        float* destination = Packed + ((nint)start * K) + (first - start);
        Packing.Strip<S, V>(X + ((nint)first * K), Math.Min(S.Width, M - first), K, K, destination, Layout.Width(panel));
    }
}
