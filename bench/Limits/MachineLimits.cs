using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>What this machine can do at most, measured when first asked for: per number of threads and, for arithmetic, per level.</summary>
internal sealed class MachineLimits
{
    private readonly Dictionary<int, double> _read = [];
    private readonly Dictionary<(KernelLevel Level, int Threads), double> _fma = [];
    private readonly Dictionary<int, double?> _int8 = [];

    /// <summary>Bytes read per second.</summary>
    public double Read(int threads) => _read.TryGetValue(threads, out double value) ? value : _read[threads] = ReadBandwidth.Measure(threads);

    /// <summary>Floating-point operations per second.</summary>
    public double Fma(KernelLevel level, int threads)
    {
        if (!_fma.TryGetValue((level, threads), out double value))
            _fma[(level, threads)] = value = ArithmeticPeak.FusedMultiplyAdd(level, threads);
        return value;
    }

    /// <summary>8-bit operations per second; null without AVX-VNNI.</summary>
    public double? Int8(int threads) => _int8.TryGetValue(threads, out double? value) ? value : _int8[threads] = ArithmeticPeak.Int8(threads);

    /// <summary>The seconds that no program on this machine can go below for a piece of work, and which limit says so.</summary>
    /// <remarks>The roofline model: Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785.</remarks>
    public (string Limit, double Seconds) LeastSeconds(Work work)
    {
        KernelOptions kernels = work.Kernels;
        bool hasInstructions = kernels.Level is KernelLevel.Avx2 or KernelLevel.Avx512;
        double? integers = work.MultipliesIntegers && hasInstructions ? Int8(kernels.MaxThreads) : null;
        double arithmetic = work.Flops / (integers ?? Fma(kernels.Level, kernels.MaxThreads));
        double reading = work.Bytes / Read(kernels.MaxThreads);
        return arithmetic < reading ? ("read", reading) : (integers is null ? "FMA" : "int8", arithmetic);
    }
}
