using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Scaled dot-product attention of several heads.</summary>
public static unsafe class Attention
{
    // What an element of a key costs, in elements of a weight: there is a value for it too, and both are read in short streams.
    private const int KeyCost = 4;

    /// <summary>Output = softmax(Q · Kᵀ · scale, over the visible keys) · headMask · V, for each head.</summary>
    /// <param name="a">Sizes, strides, inputs and outputs.</param>
    /// <param name="options">Level and threads; the result does not depend on the threads.</param>
    /// <remarks>
    /// Vaswani et al. 2017, arXiv:1706.03762. A query that sees no key attends to all keys equally, causal or not: what
    /// transformers' eager attention gives, which masks with the lowest float rather than −∞.
    /// A [Queries, Keys] matrix exists only where <see cref="AttentionArguments.Probabilities"/> asks for it.
    /// </remarks>
    /// <exception cref="ArgumentException">A length does not fit the sizes and strides.</exception>
    public static void Run(in AttentionArguments a, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        a.Validate();
        if (a.Output.IsEmpty && a.Probabilities.IsEmpty) return;
        switch (a.Keys == 0 ? KernelLevel.Reference : options.Level)
        {
            case KernelLevel.Avx512:   Run<Avx512, Vector512<float>, Tiles32>(a, options.MaxThreads); break;
            case KernelLevel.Avx2:     Run<Avx2, Vector256<float>, Tiles16>(a, options.MaxThreads); break;
            case KernelLevel.Portable: Run<Portable, Vector<float>, PortableTiles>(a, options.MaxThreads); break;
            default:                   AttentionReference.Run(a); break;
        }
    }

    private static void Run<S, V, TTiles>(in AttentionArguments a, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
    {
        switch (a.K.Type)
        {
            case WeightType.F32: Run<S, V, TTiles, F32Format>(a, maxThreads); break;
            case WeightType.F16: Run<S, V, TTiles, F16Format>(a, maxThreads); break;
            case WeightType.BF16: Run<S, V, TTiles, BF16Format>(a, maxThreads); break;
        }
    }

    private static void Run<S, V, TTiles, TFormat>(in AttentionArguments a, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IWeightFormat
    {
        fixed (byte* k = a.K, v = a.V)
        fixed (float* q = a.Q, headMask = a.HeadMask, output = a.Output, probabilities = a.Probabilities)
        {
            var call = new AttentionCall
            {
                Heads = a.Heads, HeadDim = a.HeadDim, Queries = a.Queries, Keys = a.Keys, Scale = a.Scale, Causal = a.Causal,
                Q = q, QTokenStride = a.QTokenStride, QHeadStride = a.QHeadStride,
                K = k, KTokenBytes = TFormat.RowBytes(a.KTokenStride), KHeadBytes = TFormat.RowBytes(a.KHeadStride),
                V = v, VTokenBytes = TFormat.RowBytes(a.VTokenStride), VHeadBytes = TFormat.RowBytes(a.VHeadStride),
                VisibleCount = a.Keys, HeadMask = headMask, Output = output, Probabilities = probabilities,
            };
            if (a.KeyMask.Contains((byte)0)) ListVisible(a.KeyMask, ref call);

            int threads = Tiling.Threads(a.Queries, KeyCost * (long)a.Heads * a.Keys * a.HeadDim, maxThreads);
            // Few queries run one by one: a tile would be mostly empty, and each has the same bits as alone.
            if (probabilities != null || a.Queries <= MatMul.StreamedRows)
            {
                WorkerPool.Shared.Run(checked(a.Heads * a.Queries), threads, new AttentionRowJob<S, V, TFormat> { Call = call });
                return;
            }
            var job = new AttentionBlockJob<S, V, TTiles, TFormat> { Call = call };
            WorkerPool.Shared.Run(job.Tasks, threads, job);
        }
    }

    private static void ListVisible(ReadOnlySpan<byte> mask, ref AttentionCall call)
    {
        int* visible = (int*)Scratch.ForCall(mask.Length);
        int count = 0;
        for (int key = 0; key < mask.Length; key++)
        {
            if (mask[key] != 0) visible[count++] = key;
        }
        call.Visible = visible;
        call.VisibleCount = count;
    }
}
