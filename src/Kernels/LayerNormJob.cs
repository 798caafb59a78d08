using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>LayerNorm, one task per row.</summary>
internal unsafe struct LayerNormJob<S, V> : IJob where S : struct, ISimd<V>
{
    public LayerNorm.Rows Rows;

    /// <summary>One row: mean, then variance around it (a one-pass variance would cancel), then the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void Execute(int task)
    {
        nint n = Rows.Hidden, whole = n - (n % S.Width);
        float* x = Rows.X + (task * n), y = Rows.Y + (task * n), weight = Rows.Weight, bias = Rows.Bias;

        V sums = S.Broadcast(0f);
        for (nint i = 0; i < whole; i += S.Width) sums = S.Add(sums, S.Load(x + i));
        float sum = S.Sum(sums);
        for (nint i = whole; i < n; i++) sum += x[i];
        float mean = sum / n;

        V means = S.Broadcast(mean), squares = S.Broadcast(0f);
        for (nint i = 0; i < whole; i += S.Width)
        {
            V centered = S.Subtract(S.Load(x + i), means);
            squares = S.MultiplyAdd(centered, centered, squares);
        }
        float square = S.Sum(squares);
        for (nint i = whole; i < n; i++) square += (x[i] - mean) * (x[i] - mean);

        float scale = 1f / MathF.Sqrt((square / n) + Rows.Eps);
        V scales = S.Broadcast(scale);
        for (nint i = 0; i < whole; i += S.Width)
        {
            V normed = S.Multiply(S.Subtract(S.Load(x + i), means), scales);
            S.Store(y + i, S.MultiplyAdd(normed, S.Load(weight + i), S.Load(bias + i)));
        }
        for (nint i = whole; i < n; i++) y[i] = ((x[i] - mean) * scale * weight[i]) + bias[i];
    }
}
