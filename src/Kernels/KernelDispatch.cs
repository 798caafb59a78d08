using X86 = System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels;

/// <summary>Which kernel levels this CPU has, and which one is used by default.</summary>
public static class KernelDispatch
{
    /// <summary>The environment variable that overrides the default level: Reference, Portable, Avx2 or Avx512, in any case.</summary>
    public const string EnvironmentVariable = "MTX_KERNELS";

    /// <summary>The levels of this CPU, slowest first; Reference and Portable are always there.</summary>
    public static IReadOnlyList<KernelLevel> Supported { get; } =
        Array.AsReadOnly([.. Enum.GetValues<KernelLevel>().Where(IsSupported)]);

    // Lazy rather than a static initializer: a wrong MTX_KERNELS then throws its own message, not a TypeInitializationException.
    private static readonly Lazy<KernelLevel> s_level =
        new(() => Choose(Environment.GetEnvironmentVariable(EnvironmentVariable), Supported));

    /// <summary>The best level of this CPU, or the one that <c>MTX_KERNELS</c> names. Read once per process.</summary>
    /// <exception cref="InvalidOperationException"><c>MTX_KERNELS</c> holds a name that is no level.</exception>
    /// <exception cref="PlatformNotSupportedException"><c>MTX_KERNELS</c> names a level that this CPU lacks.</exception>
    public static KernelLevel Level => s_level.Value;

    /// <summary>Whether this CPU can run <paramref name="level"/>.</summary>
    /// <remarks>
    /// <see cref="System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated"/> is false on CPUs that lower their clock for
    /// 512-bit work, although 512-bit FMA is still far faster there; so the instruction set itself decides.
    /// </remarks>
    public static bool IsSupported(KernelLevel level) => level switch
    {
        KernelLevel.Reference or KernelLevel.Portable => true,
        KernelLevel.Avx2 => X86.Avx2.IsSupported && X86.Fma.IsSupported,
        KernelLevel.Avx512 => X86.Avx512F.IsSupported && X86.Avx512BW.IsSupported && X86.Avx512DQ.IsSupported
                              && X86.Avx512F.VL.IsSupported && X86.Fma.IsSupported,
        _ => false,
    };

    /// <summary>What a switch over levels throws where it meets one that it has no code for.</summary>
    internal static ArgumentException Unknown(KernelLevel level) =>
        new($"{level} is no kernel level; known are {string.Join(", ", Enum.GetNames<KernelLevel>())}.", nameof(level));

    /// <summary>The level for a value of <c>MTX_KERNELS</c>: the last of <paramref name="supported"/> where it is null or blank.</summary>
    internal static KernelLevel Choose(string? requested, IReadOnlyList<KernelLevel> supported)
    {
        string name = (requested ?? "").Trim();
        if (name.Length == 0) return supported[^1];

        foreach (KernelLevel level in Enum.GetValues<KernelLevel>())
        {
            if (!name.Equals(level.ToString(), StringComparison.OrdinalIgnoreCase)) continue;
            if (supported.Contains(level)) return level;
            throw new PlatformNotSupportedException(
                $"{EnvironmentVariable} asks for {level}, which this CPU does not have; it has {string.Join(", ", supported)}. Unset it to use the best one.");
        }
        throw new InvalidOperationException(
            $"{EnvironmentVariable} is '{requested}', which is no kernel level; it must be unset or one of {string.Join(", ", Enum.GetNames<KernelLevel>())}.");
    }
}
