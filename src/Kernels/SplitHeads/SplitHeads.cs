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
                case KernelLevel.Vector128: Run(new SplitHeadsJob<Simd128, Vector128<float>, TFormat> { Call = Call }); break;
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

/// <summary>Sizes, inputs and outputs of one call of <see cref="SplitHeads"/>: tokens of one sequence.</summary>
internal ref struct SplitHeadsArguments
{
    public int Tokens;
    public int Width;                    // values of a token in X
    public Span<float> X;                // the fused projection, [Tokens, Width]; queries and keys are rotated in place
    public HeadLayout QueryLayout;       // where the queries lie in a row of X
    public HeadLayout KeyLayout;         // where the keys lie; they may have fewer heads than the queries
    public HeadLayout ValueLayout;       // where the values lie; they have as many heads as the keys
    public RotaryTable? Rotary;          // the angles by which queries and keys turn; null: they stay as they are
    public ReadOnlySpan<int> Positions;  // the position of each token, [Tokens]; read only where there is a Rotary
    public Span<float> Q;                // receives the queries, [Tokens, heads · head_dim]
    public Span<byte> K, V;              // the sequence's keys and values, [key heads, MaxLength, head_dim] of Type; those of the tokens are written
    public WeightType Type;              // F32, F16 or BF16
    public int MaxLength;                // tokens that K and V have room for
    public int Past;                     // tokens that they hold already: the first new one comes there

    internal readonly void Validate()
    {
        Check.NotNegative(Tokens);
        Check.NotNegative(Width);
        Check.NotNegative(MaxLength);
        Check.NotNegative(Past);
        QueryLayout.Validate(Width, nameof(QueryLayout));
        KeyLayout.Validate(Width, nameof(KeyLayout));
        ValueLayout.Validate(Width, nameof(ValueLayout));
        Check.Same(KeyLayout.Heads, ValueLayout.Heads);
        Check.Same(QueryLayout.HeadDim, KeyLayout.HeadDim);
        Check.Same(KeyLayout.HeadDim, ValueLayout.HeadDim);
        Check.Length(X.Length, (long)Tokens * Width, $"X [{Tokens}, {Width}]");
        Check.Length(Q.Length, (long)Tokens * QueryLayout.Heads * QueryLayout.HeadDim, $"Q [{Tokens}, {QueryLayout.Heads} · {QueryLayout.HeadDim}]");
        int size = WeightMatrix.ElementSize(Type);
        Check.Length(K.Length, (long)KeyLayout.Heads * MaxLength * KeyLayout.HeadDim * size,
            $"K [{KeyLayout.Heads}, {MaxLength}, {KeyLayout.HeadDim}] in {Type}");
        Check.Length(V.Length, (long)ValueLayout.Heads * MaxLength * ValueLayout.HeadDim * size,
            $"V [{ValueLayout.Heads}, {MaxLength}, {ValueLayout.HeadDim}] in {Type}");
        Check.AtLeast(MaxLength, (long)Past + Tokens, $"{Tokens} tokens after {Past}");
        if (Rotary is null) return;
        Check.AtLeast(QueryLayout.HeadDim, Rotary.RotaryDim, $"Rotary, which turns {Rotary.RotaryDim} values of a head,");
        Check.Length(Positions.Length, Tokens, $"a position of each of {Tokens} tokens");
        CheckPositions(Positions, Rotary.Positions);
    }

    private static void CheckPositions(ReadOnlySpan<int> positions, int known)
    {
        for (int i = 0; i < positions.Length; i++)
        {
            if ((uint)positions[i] >= (uint)known)
                throw new ArgumentOutOfRangeException(nameof(positions), positions[i],
                    $"Positions[{i}] is {positions[i]}; the table has positions 0 to {known - 1}.");
        }
    }
}

/// <summary>Where the heads of a token lie in its row of values.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="HeadDim">Width of each.</param>
/// <param name="First">Where the first one begins.</param>
/// <param name="HeadsPerBlock">Heads that follow each other without a gap.</param>
/// <param name="BlockStride">From one such block to the next.</param>
/// <remarks>
/// The keys of a fused projection, for example: q|k|v has them at (h, d, h · d, h, 0); per head [q|k|v] at (h, d, d, 1, 3 · d); CodeGen's four
/// blocks of [q|v|k] at (h, d, 2 · part, h / 4, 3 · part), where part = h / 4 · d.
/// </remarks>
internal readonly record struct HeadLayout(int Heads, int HeadDim, int First, int HeadsPerBlock, int BlockStride)
{
    /// <summary>All heads without a gap, from the start of the row.</summary>
    public HeadLayout(int heads, int headDim) : this(heads, headDim, 0, heads, 0)
    {
    }

    public int Start(int head) => First + (head / HeadsPerBlock * BlockStride) + (head % HeadsPerBlock * HeadDim);
    public Span<float> Of(Span<float> row, int head) => row.Slice(Start(head), HeadDim);

    internal void Validate(int width, string name)
    {
        if (Heads < 0 || HeadDim < 0 || First < 0 || BlockStride < 0)
            throw new ArgumentException($"{name} is {this}; none of its sizes may be negative.", name);
        if (Heads == 0) return;
        if (HeadsPerBlock < 1 || Heads % HeadsPerBlock != 0)
            throw new ArgumentException($"{name} has {Heads} heads in blocks of {HeadsPerBlock}; whole blocks are needed.", name);
        long end = First + (((Heads / HeadsPerBlock) - 1L) * BlockStride) + ((long)HeadsPerBlock * HeadDim);
        Check.AtLeast(width, end, $"{name}, {Heads} heads of {HeadDim} from {First} on in blocks of {HeadsPerBlock} with stride {BlockStride},", "Width");
    }
}
