using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using X86 = System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels;

/// <summary>Which kernel levels this CPU has, and which one is used by default.</summary>
/// <remarks>
/// An app that is compiled ahead of time has the levels that it is compiled for, by the MSBuild property <c>IlcInstructionSet</c>: with the package's
/// default (avx) <see cref="KernelLevel.Avx2"/> where the CPU has it, with x86-64-v4 <see cref="KernelLevel.Avx512"/> on CPUs that must have it.
/// </remarks>
public static class KernelDispatch
{
    /// <summary>The environment variable that overrides the default level: Reference, Portable, Vector128, Avx2 or Avx512, in any case.</summary>
    public const string EnvironmentVariable = "MTX_KERNELS";

    /// <summary>The levels of this CPU and this app, slowest first; Reference and Portable are always there.</summary>
    public static IReadOnlyList<KernelLevel> Supported { get; } =
        Array.AsReadOnly([.. Enum.GetValues<KernelLevel>().Where(IsSupported)]);

    // A compiler at hand knows the CPU. Without one the instructions were chosen when the app was built.
    private static readonly bool s_compiledAhead = !RuntimeFeature.IsDynamicCodeSupported;

    // Lazy rather than a static initializer: a wrong MTX_KERNELS then throws its own message, not a TypeInitializationException.
    private static readonly Lazy<KernelLevel> s_level =
        new(() => Choose(Environment.GetEnvironmentVariable(EnvironmentVariable), Supported, s_compiledAhead));

    /// <summary>The best level of this CPU, or the one that <c>MTX_KERNELS</c> names. Read once per process.</summary>
    /// <exception cref="InvalidOperationException"><c>MTX_KERNELS</c> holds a name that is no level.</exception>
    /// <exception cref="PlatformNotSupportedException"><c>MTX_KERNELS</c> names a level that this CPU lacks.</exception>
    public static KernelLevel Level => s_level.Value;

    /// <summary>Whether this CPU, and this app, can run <paramref name="level"/>.</summary>
    /// <remarks>
    /// <see cref="Vector512.IsHardwareAccelerated"/> is false on CPUs that lower their clock for
    /// 512-bit work, although 512-bit FMA is still far faster there; so the instruction set itself decides.
    /// </remarks>
    public static bool IsSupported(KernelLevel level) => level switch
    {
        KernelLevel.Reference or KernelLevel.Portable => true,
        KernelLevel.Vector128 => Vector128.IsHardwareAccelerated,
        KernelLevel.Avx2 => X86.Avx2.IsSupported && X86.Fma.IsSupported,
        KernelLevel.Avx512 => X86.Avx512F.IsSupported && X86.Avx512BW.IsSupported && X86.Avx512DQ.IsSupported
                              && X86.Avx512F.VL.IsSupported && X86.Fma.IsSupported,
        _ => false,
    };

    /// <summary>What a switch over levels throws where it meets one that it has no code for.</summary>
    internal static ArgumentException Unknown(KernelLevel level) =>
        new($"{level} is no kernel level; known are {string.Join(", ", Enum.GetNames<KernelLevel>())}.", nameof(level));

    /// <summary>What to say of a level that is not there.</summary>
    internal static string Unavailable(KernelLevel level) => $"Kernel level {level} is one that {Lacks(s_compiledAhead)} {string.Join(", ", Supported)}.";

    private static string Lacks(bool compiledAhead) => compiledAhead
        ? "this CPU does not have, or for which this app was not compiled (ahead of time, for the instructions of IlcInstructionSet); there are"
        : "this CPU does not have; it has";

    /// <summary>The level for a value of <c>MTX_KERNELS</c>: the last of <paramref name="supported"/> where it is null or blank.</summary>
    internal static KernelLevel Choose(string? requested, IReadOnlyList<KernelLevel> supported, bool compiledAhead)
    {
        string name = (requested ?? "").Trim();
        if (name.Length == 0) return supported[^1];

        foreach (KernelLevel level in Enum.GetValues<KernelLevel>())
        {
            if (!name.Equals(level.ToString(), StringComparison.OrdinalIgnoreCase)) continue;
            if (supported.Contains(level)) return level;
            throw new PlatformNotSupportedException(
                $"{EnvironmentVariable} asks for {level}, which {Lacks(compiledAhead)} {string.Join(", ", supported)}. Unset it to use the best one.");
        }
        throw new InvalidOperationException(
            $"{EnvironmentVariable} is '{requested}', which is no kernel level; it must be unset or one of {string.Join(", ", Enum.GetNames<KernelLevel>())}.");
    }
}

/// <summary>How the kernels compute: one meaning, five ways to get there.</summary>
public enum KernelLevel
{
    /// <summary>Plain loops with sums in double: the definition of what is right, written to be stepped through. One thread.</summary>
    Reference,

    /// <summary><see cref="System.Numerics.Vector{T}"/>: any CPU that .NET runs on.</summary>
    Portable,

    /// <summary>128-bit vectors: Arm (AdvSimd), a browser's WebAssembly, and x64 without AVX2.</summary>
    Vector128,

    /// <summary>256-bit vectors with fused multiply-add (x86-64-v3).</summary>
    Avx2,

    /// <summary>512-bit vectors (AVX-512 F, BW, DQ and VL).</summary>
    Avx512,
}

/// <summary>How one call computes: at which level, on how many threads. Every kernel takes it; there is no hidden global state.</summary>
public sealed record KernelOptions
{
    /// <summary>The best level of this CPU (or that of <c>MTX_KERNELS</c>), on all processors.</summary>
    public static KernelOptions Default => new();

    /// <summary>The level; by default <see cref="KernelDispatch.Level"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">This CPU does not have the level.</exception>
    public KernelLevel Level
    {
        get;
        init => field = KernelDispatch.IsSupported(value)
            ? value
            : throw new PlatformNotSupportedException(KernelDispatch.Unavailable(value));
    } = KernelDispatch.Level;

    /// <summary>
    /// The most threads that a call may use, its own included; 1 means: never another thread. By default all processors; always 1 at
    /// <see cref="KernelLevel.Reference"/>, whose plain loops are there to be stepped through, and in a browser, where .NET has one thread.
    /// </summary>
    /// <remarks>Results do not depend on it.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int MaxThreads
    {
        get => Level == KernelLevel.Reference || OperatingSystem.IsBrowser() ? 1 : field;
        init => field = value >= 1
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "MaxThreads counts the calling thread and must be at least 1.");
    } = Environment.ProcessorCount;

    /// <summary>Up to this many rows a product streams W. A session raises it for a pass in which sequences decode together.</summary>
    internal int StreamedRows { get; init; } = MatMul.StreamedRows;
}
