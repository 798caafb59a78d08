using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>A weight of a model as kernels read it: [n, k], rows contiguous, in its stored type.</summary>
[DebuggerDisplay("{Weight.Name,nq} {Type} [{N}, {K}]")]
internal sealed class Matrix(Weight weight, WeightType type, int n, int k)
{
    public Weight Weight { get; } = weight;
    public WeightType Type { get; } = type;
    public int N { get; } = n;
    public int K { get; } = k;

    /// <summary>The stored bytes; in a mapped file, no copy.</summary>
    public WeightMatrix View => new(Weight.Bytes, Type, N, K);
}
