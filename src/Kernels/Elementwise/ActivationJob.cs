namespace ManagedTransformers.Kernels;

/// <summary>y = activation(x) in chunks; one task per chunk.</summary>
internal unsafe struct ActivationJob<S, V> : IJob where S : struct, ISimd<V>
{
    /// <summary>Floats per task: a few microseconds of work, and less than half of an L1 cache.</summary>
    public const int Chunk = 4096;

    public ActivationFunction Activation;
    public float* X, Y;
    public int Length;

    public readonly void Execute(int task)
    {
        nint at = (nint)task * Chunk;
        Elementwise.Body<S, V>(Activation, X + at, Y + at, Math.Min(Chunk, Length - at));
    }
}
