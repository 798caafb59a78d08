using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Where a product goes and what happens to it on the way: Y and the epilogue as pointers, which worker threads may hold.</summary>
internal unsafe struct Output
{
    /// <summary>[m, N].</summary>
    public float* Y;

    /// <summary>Columns of Y.</summary>
    public int N;

    /// <summary>[N] or null.</summary>
    public float* Bias;

    /// <summary>Applied after the bias.</summary>
    public Activation Activation;

    /// <summary>[m, N] or null; may be Y.</summary>
    public float* Residual;

    /// <summary>Finishes a block of products and stores it at Y[row …, column …]. The products are overwritten.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Store<S, V>(float* products, nint stride, int row, int rows, int column, int columns)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (int r = 0; r < rows; r++)
        {
            float* c = products + (r * stride);
            nint at = ((nint)(row + r) * N) + column;
            if (Bias != null) Sum.Body<S, V>(c, Bias + column, c, columns);
            if (Activation != Activation.None) Elementwise.Body<S, V>(Activation, c, c, columns);
            if (Residual != null) Sum.Body<S, V>(c, Residual + at, Y + at, columns);
            else Elementwise.Body<S, V>(Activation.None, c, Y + at, columns);
        }
    }
}
