using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Takes a fused query, key and value projection apart: rotates queries and keys, and stores keys and values where attention reads them.</summary>
internal static unsafe class SplitHeads
{
    /// <summary>
    /// Q = rotated queries; K and V get the rotated keys and the values of the tokens, head by head. Up to <see cref="MatMul.StreamedRows"/> tokens are split
    /// on the calling thread, before another one would have begun.
    /// </summary>
    /// <remarks>
    /// Rotary position embedding of interleaved pairs (2i, 2i + 1), Su et al. 2021, arXiv:2104.09864; GPT-J's and CodeGen's rotate_every_two.
    /// What is narrower than float32 is rounded to nearest, ties to even.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// A length does not fit the sizes and layouts, the layouts do not fit each other, or the type stores blocks.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, or a position is not in the table of angles.</exception>
    public static void Run(in SplitHeadsArguments a, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        a.Validate();
        if (options.Level == KernelLevel.Reference)
        {
            SplitHeadsReference.Run(a);
            return;
        }
        RotaryTable? rotary = a.Rotary;
        fixed (float* x = a.X, q = a.Q, cos = rotary is null ? [] : rotary.AllCos, sin = rotary is null ? [] : rotary.AllSin)
        fixed (byte* k = a.K, v = a.V)
        fixed (int* positions = a.Positions)
        {
            var call = new SplitHeadsCall
            {
                Tokens = a.Tokens,
                Width = a.Width,
                X = x,
                QueryLayout = a.QueryLayout,
                KeyLayout = a.KeyLayout,
                ValueLayout = a.ValueLayout,
                Cos = cos,
                Sin = sin,
                Pairs = rotary is null ? 0 : rotary.RotaryDim / 2,
                Positions = positions,
                Q = q,
                K = k,
                V = v,
                MaxLength = a.MaxLength,
                Past = a.Past,
            };
            var jobs = new Jobs { Call = call, Level = options.Level, Threads = a.Tokens <= MatMul.StreamedRows ? 1 : options.MaxThreads };
            WeightFormats.VisitFloats(a.Type, ref jobs);
        }
    }

    private struct Jobs : IFloatFormatVisitor
    {
        public SplitHeadsCall Call;
        public KernelLevel Level;
        public int Threads;

        public readonly void Visit<TFormat>() where TFormat : struct, IWeightFormat
        {
            switch (Level)
            {
                case KernelLevel.Avx512: Run(new SplitHeadsJob<Avx512, Vector512<float>, TFormat> { Call = Call }); break;
                case KernelLevel.Avx2: Run(new SplitHeadsJob<Avx2, Vector256<float>, TFormat> { Call = Call }); break;
                case KernelLevel.Portable: Run(new SplitHeadsJob<Portable, Vector<float>, TFormat> { Call = Call }); break;
                default: throw KernelDispatch.Unknown(Level);
            }
        }

        private readonly void Run<TJob>(in TJob job) where TJob : struct, IJob => WorkerPool.Shared.Run(Call.Tokens, Threads, job);
    }
}

/// <summary>The arguments of one call as pointers, which worker threads may hold.</summary>
internal unsafe struct SplitHeadsCall
{
    public int Tokens, Width, MaxLength, Past;
    public HeadLayout QueryLayout, KeyLayout, ValueLayout;
    public float* X, Q;
    public byte* K, V;
    public float* Cos, Sin;  // [positions, Pairs]
    public int Pairs;        // pairs of a head that turn
    public int* Positions;
}

/// <summary>One token per task.</summary>
internal unsafe struct SplitHeadsJob<S, V, TFormat> : IJob
    where S : struct, ISimd<V>
    where TFormat : struct, IWeightFormat
{
    public SplitHeadsCall Call;

    public readonly void Execute(int task)
    {
        int d = Call.QueryLayout.HeadDim, pairs = Call.Pairs;
        float* x = Call.X + ((nint)task * Call.Width), cos = Scratch.ForTask(4L * pairs), sin = cos + (2 * pairs);
        if (pairs > 0)
        {
            nint angles = (nint)Call.Positions[task] * pairs;
            RotaryHead.Angles(Call.Cos + angles, Call.Sin + angles, pairs, cos, sin);
        }
        float* query = Call.Q + ((nint)task * Call.QueryLayout.Heads * d);
        for (int head = 0; head < Call.QueryLayout.Heads; head++)
        {
            float* q = x + Call.QueryLayout.Start(head);
            RotaryHead.Turn<S, V>(q, cos, sin, 2 * pairs);
            new ReadOnlySpan<float>(q, d).CopyTo(new Span<float>(query + ((nint)head * d), d));
        }
        for (int head = 0; head < Call.KeyLayout.Heads; head++)
        {
            float* k = x + Call.KeyLayout.Start(head), v = x + Call.ValueLayout.Start(head);
            RotaryHead.Turn<S, V>(k, cos, sin, 2 * pairs);
            Store(k, Call.K, head, Call.Past + task, d);
            Store(v, Call.V, head, Call.Past + task, d);
        }
    }

    private readonly void Store(float* vector, byte* cache, int head, int token, int d) =>
        Narrowing.Body<S, V, TFormat>(vector, cache + TFormat.RowBytes((((nint)head * Call.MaxLength) + token) * d), d);
}
