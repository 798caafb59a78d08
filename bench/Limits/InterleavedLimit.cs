using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>
/// The machine's limit as a peer: the arithmetic or the reading of a piece of work and nothing else, timed in interleaved runs with it. On a
/// machine that others use too, that says more than a limit from a better moment.
/// </summary>
internal sealed class InterleavedLimit(string name, Func<double> seconds, IDisposable? owned = null) : ITimed, IDisposable
{
    public string Name { get; } = name;

    /// <summary>A work's operations in registers.</summary>
    public static InterleavedLimit Arithmetic(double flops, KernelOptions kernels) =>
        new("FMA alone", () => ArithmeticPeak.Seconds(kernels.Level, kernels.MaxThreads, flops));

    /// <summary>A work's bytes, read and thrown away.</summary>
    public static InterleavedLimit Reading(double bytes, KernelOptions kernels)
    {
        var read = new ReadBandwidth(kernels.MaxThreads);
        return new InterleavedLimit("reading alone", () => read.Seconds(bytes), read);
    }

    public double RunOnce() => seconds() * 1000;

    public void Dispose() => owned?.Dispose();
}
