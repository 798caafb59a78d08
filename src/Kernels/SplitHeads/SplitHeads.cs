using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>Takes query, key and value projections, fused or not, apart: rotates queries and keys, and stores keys and values where attention reads
/// them.</summary>
internal static unsafe class SplitHeads
{
    /// <summary>
    /// Q = rotated queries; K and V get the rotated keys and the values of the tokens, head by head. Up to <see cref="MatMul.StreamedRows"/> tokens are split
    /// on the calling thread, before another one would have begun.
    /// </summary>
    /// <remarks>
    /// Rotary position embedding, Su et al. 2021, arXiv:2104.09864, of the pairs that the table names.
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
        fixed (float* queries = a.Query.X, keys = a.Key.X, values = a.Value.X)
        fixed (float* q = a.Q, cos = rotary is null ? [] : rotary.AllCos, sin = rotary is null ? [] : rotary.AllSin)
        fixed (byte* k = a.K, v = a.V)
        fixed (int* positions = a.Positions)
        {
            var call = new SplitHeadsCall
            {
                Tokens = a.Tokens,
                Query = new ProjectedCall(queries, a.Query),
                Key = new ProjectedCall(keys, a.Key),
                Value = new ProjectedCall(values, a.Value),
                Cos = cos,
                Sin = sin,
                Pairs = rotary is null ? 0 : rotary.RotaryDim / 2,
                Halves = rotary?.Pairs == RotaryPairs.Halves,
                First = rotary is null ? 0 : rotary.First,
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
    public int Tokens, MaxLength, Past;
    public ProjectedCall Query, Key, Value;
    public float* Q;
    public byte* K, V;
    public float* Cos, Sin;  // [positions from First on, Pairs]
    public int Pairs;        // pairs of a head that turn
    public bool Halves;      // pairs are (i, i + Pairs)
    public int First;
    public int* Positions;
}

/// <summary>A projection as a pointer.</summary>
internal readonly unsafe struct ProjectedCall(float* x, in ProjectedHeads heads)
{
    private readonly float* _x = x;
    private readonly int _width = heads.Width;

    public HeadLayout Layout { get; } = heads.Layout;

    public float* Of(int token, int head) => _x + ((nint)token * _width) + Layout.Start(head);
}

/// <summary>One token per task.</summary>
internal unsafe struct SplitHeadsJob<S, V, TFormat> : IJob
    where S : struct, ISimd<V>
    where TFormat : struct, IWeightFormat
{
    public SplitHeadsCall Call;

    public readonly void Execute(int task)
    {
        int d = Call.Query.Layout.HeadDim, pairs = Call.Pairs;
        float* cos = null, sin = null;
        if (pairs > 0)
        {
            nint angles = (nint)(Call.Positions[task] - Call.First) * pairs;
            cos = Call.Cos + angles;
            sin = Call.Sin + angles;
            if (!Call.Halves)
            {
                float* both = Scratch.ForTask(4L * pairs), signed = both + (2 * pairs);
                RotaryHead.Angles(cos, sin, pairs, both, signed);
                cos = both;
                sin = signed;
            }
        }
        float* query = Call.Q + ((nint)task * Call.Query.Layout.Heads * d);
        for (int head = 0; head < Call.Query.Layout.Heads; head++)
        {
            float* q = Call.Query.Of(task, head), to = query + ((nint)head * d);
            Turn(q, cos, sin);
            if (q != to) new ReadOnlySpan<float>(q, d).CopyTo(new Span<float>(to, d));
        }
        for (int head = 0; head < Call.Key.Layout.Heads; head++)
        {
            float* k = Call.Key.Of(task, head);
            Turn(k, cos, sin);
            Store(k, Call.K, head, Call.Past + task, d);
            Store(Call.Value.Of(task, head), Call.V, head, Call.Past + task, d);
        }
    }

    private readonly void Turn(float* head, float* cos, float* sin)
    {
        if (Call.Halves)
            RotaryHead.TurnHalves<S, V>(head, cos, sin, Call.Pairs);
        else
            RotaryHead.Turn<S, V>(head, cos, sin, 2 * Call.Pairs);
    }

    private readonly void Store(float* vector, byte* cache, int head, int token, int d) =>
        Narrowing.Body<S, V, TFormat>(vector, cache + TFormat.RowBytes((((nint)head * Call.MaxLength) + token) * d), d);
}

/// <summary>Sizes, inputs and outputs of one call of <see cref="SplitHeads"/>: tokens of one sequence.</summary>
internal ref struct SplitHeadsArguments
{
    public int Tokens;
    public ProjectedHeads Query;         // queries; they are rotated in place
    public ProjectedHeads Key;           // keys, also rotated in place; they may have fewer heads than the queries
    public ProjectedHeads Value;         // values; they have as many heads as the keys
    public RotaryTable? Rotary;          // the angles by which queries and keys turn; null: they stay as they are
    public ReadOnlySpan<int> Positions;  // the position of each token, [Tokens]; read only where there is a Rotary
    public Span<float> Q;                // receives the queries, [Tokens, heads · head_dim]; may be Query.X where that has this form
    public Span<byte> K, V;              // the sequence's keys and values, [key heads, MaxLength, head_dim] of Type; those of the tokens are written
    public WeightType Type;              // F32, F16 or BF16
    public int MaxLength;                // tokens that K and V have room for
    public int Past;                     // tokens that they hold already: the first new one comes there

    internal readonly void Validate()
    {
        Check.NotNegative(Tokens);
        Check.NotNegative(MaxLength);
        Check.NotNegative(Past);
        Query.Validate(Tokens, nameof(Query));
        Key.Validate(Tokens, nameof(Key));
        Value.Validate(Tokens, nameof(Value));
        (HeadLayout query, HeadLayout key, HeadLayout value) = (Query.Layout, Key.Layout, Value.Layout);
        Check.Same(key.Heads, value.Heads);
        Check.Same(query.HeadDim, key.HeadDim);
        Check.Same(key.HeadDim, value.HeadDim);
        Check.Length(Q.Length, (long)Tokens * query.Heads * query.HeadDim, $"Q [{Tokens}, {query.Heads} · {query.HeadDim}]");
        int size = WeightMatrix.ElementSize(Type);
        Check.Length(K.Length, (long)key.Heads * MaxLength * key.HeadDim * size, $"K [{key.Heads}, {MaxLength}, {key.HeadDim}] in {Type}");
        Check.Length(V.Length, (long)value.Heads * MaxLength * value.HeadDim * size, $"V [{value.Heads}, {MaxLength}, {value.HeadDim}] in {Type}");
        Check.AtLeast(MaxLength, (long)Past + Tokens, $"{Tokens} tokens after {Past}");
        if (Rotary is null) return;
        Check.AtLeast(query.HeadDim, Rotary.RotaryDim, $"Rotary, which turns {Rotary.RotaryDim} values of a head,");
        Check.Length(Positions.Length, Tokens, $"a position of each of {Tokens} tokens");
        CheckPositions(Positions, Rotary);
    }

    private static void CheckPositions(ReadOnlySpan<int> positions, RotaryTable known)
    {
        for (int i = 0; i < positions.Length; i++)
        {
            if (positions[i] < known.First || positions[i] >= known.Positions)
                throw new ArgumentOutOfRangeException(nameof(positions), positions[i],
                    $"Positions[{i}] is {positions[i]}; the table has positions {known.First} to {known.Positions - 1}.");
        }
    }
}

/// <summary>Heads among the values of a projection, which may be of their own or one that queries, keys and values share.</summary>
/// <param name="x">The projection, [tokens, width].</param>
/// <param name="width">Values of a token.</param>
/// <param name="layout">Where the heads lie in a row.</param>
internal readonly ref struct ProjectedHeads(Span<float> x, int width, HeadLayout layout)
{
    public Span<float> X { get; } = x;
    public int Width { get; } = width;
    public HeadLayout Layout { get; } = layout;

    /// <summary>The values of a token.</summary>
    public Span<float> Row(int token) => X.Slice(token * Width, Width);

    internal void Validate(int tokens, string name)
    {
        Check.NotNegative(Width);
        Layout.Validate(Width, name);
        Check.Length(X.Length, (long)tokens * Width, $"{name} [{tokens}, {Width}]");
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
