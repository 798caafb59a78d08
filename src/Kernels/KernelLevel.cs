namespace ManagedTransformers.Kernels;

/// <summary>How the kernels compute: one meaning, four ways to get there.</summary>
public enum KernelLevel
{
    /// <summary>Plain loops with sums in double: the definition of what is right, written to be stepped through. One thread.</summary>
    Reference,

    /// <summary><see cref="System.Numerics.Vector{T}"/>: any CPU that .NET runs on.</summary>
    Portable,

    /// <summary>256-bit vectors with fused multiply-add (x86-64-v3).</summary>
    Avx2,

    /// <summary>512-bit vectors (AVX-512 F, BW, DQ and VL).</summary>
    Avx512,
}
