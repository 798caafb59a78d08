namespace ManagedTransformers.Kernels;

/// <summary>A product as pointers, which worker threads may hold. The products of one call have as many rows of X, and W of one type.</summary>
internal unsafe struct ProductCall
{
    /// <summary>A product whose parts are pinned. X is null where the product before leaves it packed, Y where the product is passed on.</summary>
    public ProductCall(float* x, WeightMatrix weight, byte* w, float* y, ActivationFunction activation, float* bias, float* residual)
    {
        X = x;
        K = weight.K;
        W = w;
        Output = new Output { Y = y, N = weight.N, Bias = bias, Activation = activation, Residual = residual };
    }

    public float* X;       // [m, K]
    public int K;
    public byte* W;        // as stored, [Output.N, K]
    public Output Output;  // Y and the epilogue

    /// <summary>How many products, the first one included, have the X of the first one.</summary>
    public static int WithSameX(ProductCall* calls, int count)
    {
        int same = 1;
        while (same < count && calls[same].X == calls->X && calls[same].K == calls->K) same++;
        return same;
    }
}
