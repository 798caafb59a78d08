using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Scaled dot-product attention of several heads.</summary>
internal static unsafe class Attention
{
    // What an element of a key costs, in elements of a weight: there is a value for it too, and both are read in short streams.
    private const int KeyCost = 4;

    /// <summary>
    /// Output = softmax(Q · Kᵀ · scale, over the visible keys) · headMask · V, for each head. The result does not depend on the threads.
    /// </summary>
    /// <remarks>
    /// Vaswani et al. 2017, arXiv:1706.03762. A query that sees no key attends to all keys equally, causal or not: what transformers' eager attention gives,
    /// which masks with the lowest float rather than −∞. A [Queries, Keys] matrix exists only where <see cref="AttentionArguments.Probabilities"/> asks for
    /// it.
    /// </remarks>
    /// <exception cref="ArgumentException">A length does not fit the sizes and strides.</exception>
    public static void Run(in AttentionArguments a, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Run(a, options.Level, options.MaxThreads);
    }

    /// <summary>
    /// The same for each row of a batch. Where all rows together have at most <see cref="MatMul.StreamedRows"/> queries, threads share the rows: one hand-off
    /// instead of one for each.
    /// </summary>
    /// <exception cref="ArgumentException">A length does not fit the sizes and strides of its row.</exception>
    public static void Run<TRows>(int rows, in TRows batch, KernelOptions options) where TRows : struct, IAttentionRows
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.NotNegative(rows);
        if (rows > 1 && HasFewQueries(rows, batch))
        {
            WorkerPool.Shared.Run(rows, options.MaxThreads, new RowsJob<TRows> { Rows = batch, Level = options.Level });
            return;
        }
        for (int row = 0; row < rows; row++) Run(batch.Row(row), options.Level, options.MaxThreads);
    }

    private static bool HasFewQueries<TRows>(int rows, in TRows batch) where TRows : struct, IAttentionRows
    {
        int queries = 0;
        for (int row = 0; row < rows && queries <= MatMul.StreamedRows; row++) queries += batch.Row(row).Queries;
        return queries <= MatMul.StreamedRows;
    }

    private static void Run(in AttentionArguments a, KernelLevel level, int maxThreads)
    {
        a.Validate();
        if (a.Output.IsEmpty && a.Probabilities.IsEmpty) return;
        if (level == KernelLevel.Reference || a.Keys == 0)
        {
            AttentionReference.Run(a);
            return;
        }
        nint size = WeightMatrix.ElementSize(a.K.Type);
        fixed (byte* k = a.K, v = a.V)
        fixed (float* q = a.Q, headMask = a.HeadMask, output = a.Output, probabilities = a.Probabilities)
        {
            var call = new AttentionCall
            {
                Heads = a.Heads,
                HeadDim = a.HeadDim,
                Queries = a.Queries,
                Keys = a.Keys,
                Scale = a.Scale,
                Causal = a.Causal,
                Q = q,
                QTokenStride = a.QTokenStride,
                QHeadStride = a.QHeadStride,
                K = k,
                KTokenBytes = a.KTokenStride * size,
                KHeadBytes = a.KHeadStride * size,
                V = v,
                VTokenBytes = a.VTokenStride * size,
                VHeadBytes = a.VHeadStride * size,
                VisibleCount = a.Keys,
                HeadMask = headMask,
                Output = output,
                Probabilities = probabilities,
            };
            if (a.KeyMask.Contains((byte)0)) ListVisible(a.KeyMask, ref call);
            int threads = Tiling.Threads(a.Queries, KeyCost * (long)a.Heads * a.Keys * a.HeadDim, maxThreads);
            var jobs = new Jobs { Call = call, Level = level, Threads = threads };
            WeightFormats.VisitFloats(a.K.Type, ref jobs);
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

    private struct Jobs : IFloatFormatVisitor
    {
        public AttentionCall Call;
        public KernelLevel Level;
        public int Threads;

        public readonly void Visit<TFormat>() where TFormat : struct, IWeightFormat
        {
            switch (Level)
            {
                case KernelLevel.Avx512: Run<Avx512, Vector512<float>, Tiles32, TFormat>(); break;
                case KernelLevel.Avx2: Run<Avx2, Vector256<float>, Tiles16, TFormat>(); break;
                case KernelLevel.Portable: Run<Portable, Vector<float>, Tiles16, TFormat>(); break;
                default: throw KernelDispatch.Unknown(Level);
            }
        }

        private readonly void Run<S, V, TTiles, TFormat>()
            where S : struct, ISimd<V>
            where TTiles : struct, ITiles
            where TFormat : struct, IWeightFormat
        {
            // Few queries run one by one: a tile would be mostly empty, and each has the same bits as alone.
            if (Call.Probabilities != null || Call.Queries <= MatMul.StreamedRows)
            {
                WorkerPool.Shared.Run(checked(Call.Heads * Call.Queries), Threads, new AttentionRowJob<S, V, TFormat> { Call = Call });
                return;
            }
            var job = new AttentionBlockJob<S, V, TTiles, TFormat> { Call = Call };
            WorkerPool.Shared.Run(job.Tasks, Threads, job);
        }
    }

    // One row of a batch per task.
    private struct RowsJob<TRows> : IJob where TRows : struct, IAttentionRows
    {
        public TRows Rows;
        public KernelLevel Level;

        public readonly void Execute(int task) => Run(Rows.Row(task), Level, maxThreads: 1);
    }
}

/// <summary>A batch whose rows have queries, keys and values of their own, as sequences of different lengths have.</summary>
internal interface IAttentionRows
{
    /// <summary>The call for one row. Any thread may ask, and more than once.</summary>
    AttentionArguments Row(int row);
}
