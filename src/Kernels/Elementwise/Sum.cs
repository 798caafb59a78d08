using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>destination[i] = x[i] + y[i].</summary>
internal static unsafe class Sum
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V>(float* x, float* y, float* destination, nint length) where S : struct, ISimd<V>
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(destination + i, S.Add(S.Load(x + i), S.Load(y + i)));
        for (; i < length; i++) destination[i] = x[i] + y[i];
    }
}

/// <summary>The same, one stretch per task.</summary>
internal unsafe struct SumJob<S, V> : IJob where S : struct, ISimd<V>
{
    private const int Stretch = WorkerPool.SerialFloats;

    public float* X, Y, Destination;
    public int Length;

    public readonly int Tasks => (int)(((long)Length + Stretch - 1) / Stretch);

    public readonly void Execute(int task)
    {
        nint first = (nint)task * Stretch;
        Sum.Body<S, V>(X + first, Y + first, Destination + first, Math.Min(Stretch, Length - first));
    }
}
