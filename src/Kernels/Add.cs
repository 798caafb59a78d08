using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Elementwise sum.</summary>
internal static unsafe class Add
{
    /// <summary>destination = x + y, element by element.</summary>
    /// <param name="x">First summand.</param>
    /// <param name="y">Second summand.</param>
    /// <param name="destination">As long as both; may be either of them.</param>
    /// <param name="options">Level and threads.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Run(ReadOnlySpan<float> x, ReadOnlySpan<float> y, Span<float> destination, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Same(x.Length, y.Length);
        Check.Same(x.Length, destination.Length);
        fixed (float* px = x, py = y, pd = destination)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512: Run<Avx512, Vector512<float>>(px, py, pd, x.Length, options.MaxThreads); break;
                case KernelLevel.Avx2: Run<Avx2, Vector256<float>>(px, py, pd, x.Length, options.MaxThreads); break;
                case KernelLevel.Portable: Run<Portable, Vector<float>>(px, py, pd, x.Length, options.MaxThreads); break;
                case KernelLevel.Reference:
                    for (int i = 0; i < x.Length; i++) destination[i] = x[i] + y[i];
                    break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    private static void Run<S, V>(float* x, float* y, float* destination, int length, int maxThreads) where S : struct, ISimd<V>
    {
        var job = new SumJob<S, V> { X = x, Y = y, Destination = destination, Length = length };
        WorkerPool.Shared.Run(job.Tasks, maxThreads, job);
    }
}

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
