using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Where a product goes and what happens to it on the way: Y and the epilogue as pointers, which worker threads may hold.</summary>
internal unsafe struct Output
{
    public float* Y;                       // [m, N]
    public int N;                          // columns of Y
    public float* Bias;                    // [N] or null
    public ActivationFunction Activation;  // applied after the bias
    public float* Residual;                // [m, N] or null; may be Y

    /// <summary>Finishes a block of products and stores it at Y[row …, column …]. The products are overwritten.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void Store<S, V>(float* products, nint stride, int row, int rows, int column, int columns) where S : struct, ISimd<V>
    {
        for (int r = 0; r < rows; r++)
        {
            float* c = products + (r * stride);
            nint at = ((nint)(row + r) * N) + column;
            if (Bias != null) Sum.Body<S, V>(c, Bias + column, c, columns);
            if (Activation != ActivationFunction.None) Elementwise.Body<S, V>(Activation, c, c, columns);
            if (Residual != null) Sum.Body<S, V>(c, Residual + at, Y + at, columns);
            else Elementwise.Body<S, V>(ActivationFunction.None, c, Y + at, columns);
        }
    }

    /// <summary>
    /// Finishes a block of products [columns, stride] that has rows of W as its rows and stores it at Y[row …, column …], transposed. The products are
    /// overwritten; a row of them has room for rows, rounded up to whole vectors, and block for Width × Width floats.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void StoreTransposed<S, V>(float* products, nint stride, int column, int columns, int row, int rows, float* block)
        where S : struct, ISimd<V>
    {
        Finish<S, V>(products, stride, column, columns, rows);
        for (int r = 0; r < rows; r += S.Width)
        {
            int height = Math.Min(S.Width, rows - r);
            for (int j = 0; j < columns; j += S.Width)
            {
                int width = Math.Min(S.Width, columns - j);
                nint at = ((nint)(row + r) * N) + column + j;
                if (Residual == null && height == S.Width && width == S.Width)
                    S.Transpose(products + (j * stride) + r, stride, Y + at, N);
                else
                    StoreBlock<S, V>(products + (j * stride) + r, stride, at, height, width, block);
            }
        }
    }

    /// <summary>Bias and activation of products that have rows of W as their rows, in place.</summary>
    public readonly void Finish<S, V>(float* products, nint stride, int column, int columns, int rows) where S : struct, ISimd<V>
    {
        for (int j = 0; j < columns; j++)
        {
            float* c = products + (j * stride);
            if (Bias != null) Elementwise.Shift<S, V>(c, Bias[column + j], rows);
            if (Activation != ActivationFunction.None) Elementwise.Body<S, V>(Activation, c, c, rows);
        }
    }

    private readonly void StoreBlock<S, V>(float* products, nint stride, nint at, int height, int width, float* block) where S : struct, ISimd<V>
    {
        if (width == S.Width)
        {
            S.Transpose(products, stride, block, S.Width);
        }
        else
        {
            for (int j = 0; j < width; j++)
            {
                for (int r = 0; r < height; r++) block[(r * S.Width) + j] = products[(j * stride) + r];
            }
        }
        for (int r = 0; r < height; r++, at += N)
        {
            if (Residual != null) Sum.Body<S, V>(block + (r * S.Width), Residual + at, Y + at, width);
            else Elementwise.Body<S, V>(ActivationFunction.None, block + (r * S.Width), Y + at, width);
        }
    }
}
