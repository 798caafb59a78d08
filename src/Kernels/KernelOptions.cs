namespace ManagedTransformers.Kernels;

/// <summary>How one call computes: at which level, on how many threads. Every kernel takes it; there is no hidden global state.</summary>
public sealed record KernelOptions
{
    /// <summary>The best level of this CPU (or that of <c>MTX_KERNELS</c>), on all processors.</summary>
    public static KernelOptions Default => field ??= new KernelOptions();

    /// <summary>The level; by default <see cref="KernelDispatch.Level"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">This CPU does not have the level.</exception>
    public KernelLevel Level
    {
        get;
        init => field = KernelDispatch.IsSupported(value)
            ? value
            : throw new PlatformNotSupportedException(
                $"Kernel level {value} is not available on this CPU; it has {string.Join(", ", KernelDispatch.Supported)}.");
    } = KernelDispatch.Level;

    /// <summary>
    /// The most threads that a call may use, its own included; 1 means: never another thread. By default all processors; always 1 at
    /// <see cref="KernelLevel.Reference"/>, whose plain loops are there to be stepped through.
    /// </summary>
    /// <remarks>Results do not depend on it.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int MaxThreads
    {
        get => Level == KernelLevel.Reference ? 1 : field;
        init => field = value >= 1
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "MaxThreads counts the calling thread and must be at least 1.");
    } = Environment.ProcessorCount;
}
