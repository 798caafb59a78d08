using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>Scaled dot-product attention of several heads.</summary>
internal static unsafe class Attention
{
    // What an element of a key costs, in elements of a weight: there is a value for it too, and both are read in short streams.
    private const int KeyCost = 4;

    /// <summary>
    /// Output = softmax(Q · Kᵀ · scale + bias, over the visible keys) · headMask · V, for each head. The result does not depend on the threads.
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
    /// The same for each row of a batch. Where all rows together have at most <see cref="KernelOptions.StreamedRows"/> queries, threads share the rows: one
    /// hand-off instead of one for each.
    /// </summary>
    /// <exception cref="ArgumentException">A length does not fit the sizes and strides of its row.</exception>
    public static void Run<TRows>(int rows, in TRows batch, KernelOptions options) where TRows : struct, IAttentionRows
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.NotNegative(rows);
        if (rows > 1 && HasFewQueries(rows, batch, options.StreamedRows))
        {
            WorkerPool.Shared.Run(rows, options.MaxThreads, new RowsJob<TRows> { Rows = batch, Level = options.Level });
            return;
        }
        for (int row = 0; row < rows; row++) Run(batch.Row(row), options.Level, options.MaxThreads);
    }

    private static bool HasFewQueries<TRows>(int rows, in TRows batch, int few) where TRows : struct, IAttentionRows
    {
        int queries = 0;
        for (int row = 0; row < rows && queries <= few; row++) queries += batch.Row(row).Queries;
        return queries <= few;
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
        nint size = WeightMatrix.ElementSize(a.Type), whole = 0;
        fixed (nint* pages = a.Pages)
        fixed (byte* k = a.K, v = a.V)
        fixed (float* q = a.Q, headMask = a.HeadMask, bias = a.Bias, output = a.Output, probabilities = a.Probabilities)
        fixed (int* places = a.Places)
        {
            var call = new AttentionCall
            {
                Heads = a.Heads,
                Group = a.Group,
                HeadDim = a.HeadDim,
                Queries = a.Queries,
                Keys = a.Keys,
                Scale = a.Scale,
                Causal = a.Causal,
                Q = q,
                QTokenStride = a.QTokenStride,
                QHeadStride = a.QHeadStride,
                Pages = a.IsPaged ? pages : &whole,
                PageShift = a.IsPaged ? BitOperations.Log2((uint)a.PageTokens) : 31,
                K = a.IsPaged ? a.KOffset : (nint)k,
                KTokenBytes = a.KTokenStride * size,
                KHeadBytes = a.KHeadStride * size,
                V = a.IsPaged ? a.VOffset : (nint)v,
                VTokenBytes = a.VTokenStride * size,
                VHeadBytes = a.VHeadStride * size,
                VisibleCount = a.Keys,
                HeadMask = headMask,
                Bias = bias,
                BiasReach = a.BiasReach,
                Places = places,
                Output = output,
                Probabilities = probabilities,
            };
            call.PageMask = (int)((1u << call.PageShift) - 1);
            if (a.KeyMask.Contains((byte)0)) ListVisible(a.KeyMask, ref call);
            int threads = Tiling.Threads(a.Queries, KeyCost * (long)a.Heads * a.Keys * a.HeadDim, maxThreads);
            var jobs = new Jobs { Call = call, Level = level, Threads = threads };
            WeightFormats.VisitFloats(a.Type, ref jobs);
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
                case KernelLevel.Vector128: Run<Simd128, Vector128<float>, Tiles16, TFormat>(); break;
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
                var rows = new AttentionRowJob<S, V, TFormat>(Call, Threads);
                WorkerPool.Shared.Run(rows.Tasks, Threads, rows);
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

/// <summary>Sizes, inputs and outputs of one call of <see cref="Attention"/>. Strides count elements.</summary>
/// <remarks>
/// Value d of head h at token t is at t · TokenStride + h · HeadStride + d: a fused [tokens, 3 · hidden] projection, a
/// [heads, tokens, dim] cache and a plain [tokens, heads · dim] tensor are all read in place. A cache may also be in pages, each with the same number of
/// tokens, and the strides hold within a page (Kwon et al. 2023, arXiv:2309.06180).
/// </remarks>
internal ref struct AttentionArguments
{
    public int Heads, HeadDim;            // heads of queries; HeadDim: values per head
    public int KeyHeads;                  // heads of keys and values, each for Heads / KeyHeads heads of queries in a row; 0: as many as Heads
    public int Queries;                   // query tokens
    public int Keys;                      // key and value tokens, cached ones included; the queries are the last of them where Causal
    public float Scale;                   // multiplies every score; 1/√HeadDim in the paper
    public bool Causal;                   // query i sees keys 0 … Keys − Queries + i only
    public ReadOnlySpan<float> Q;         // queries
    public int QTokenStride, QHeadStride; // elements from one query to the next, and from one head of it to the next
    public StoredSpan K;                  // keys: floats, or stored values that are widened as they are read
    public int KTokenStride, KHeadStride;
    public StoredSpan V;                  // values, in the type of the keys
    public int VTokenStride, VHeadStride;
    public ReadOnlySpan<nint> Pages;      // addresses of pages that stay where they are during the call, in place of K and V; empty: they are whole
    public int PageTokens;                // tokens of a page: a power of two, at least 16
    public nint KOffset, VOffset;         // bytes from a page's address to its keys, and to its values
    public WeightType PageType;           // how pages store both
    public ReadOnlySpan<byte> KeyMask;    // [Keys], 0 hides a key from all queries; empty: all are visible
    public ReadOnlySpan<float> HeadMask;  // [Heads], multiplies the probabilities of a head; empty: none
    public ReadOnlySpan<float> Bias;      // [Heads, 2 · reach − 1]: reach − 1 + d is added to scores of keys d places after the query; empty: none
    public ReadOnlySpan<int> Places;      // [Keys] where tokens stand, less than reach from each other; empty: one after the other
    public Span<float> Output;            // [Queries, Heads · HeadDim]
    public Span<float> Probabilities;     // empty, or [Heads, Queries, Keys]: receives the probabilities after softmax and head mask

    internal readonly bool IsPaged => !Pages.IsEmpty;

    /// <summary>How keys and values are stored.</summary>
    internal readonly WeightType Type => IsPaged ? PageType : K.Type;

    /// <summary>Number d of a key, as a head of queries sees it.</summary>
    internal readonly float Key(int head, int token, int d) => Number(K, KOffset, KTokenStride, KHeadStride, head, token, d);

    /// <summary>Number d of a value.</summary>
    internal readonly float Value(int head, int token, int d) => Number(V, VOffset, VTokenStride, VHeadStride, head, token, d);

    private readonly unsafe float Number(StoredSpan whole, nint offset, int tokenStride, int headStride, int head, int token, int d)
    {
        int start = head / Group * headStride;
        if (!IsPaged) return whole[(token * tokenStride) + start + d];
        int at = (token % PageTokens * tokenStride) + start + d, size = WeightMatrix.ElementSize(PageType);
        byte* page = (byte*)(Pages[token / PageTokens] + offset);
        return new StoredSpan(new ReadOnlySpan<byte>(page + ((nint)at * size), size), PageType)[0];
    }

    /// <summary>Heads of queries that share a head of keys and values.</summary>
    internal readonly int Group => KeyHeads == 0 ? 1 : Heads / KeyHeads;

    /// <summary>The largest distance between two tokens that <see cref="Bias"/> knows, plus 1.</summary>
    internal readonly int BiasReach => Bias.IsEmpty || Heads == 0 ? 0 : ((Bias.Length / Heads) + 1) / 2;

    /// <summary>What is added to the score of a query of a head for a key.</summary>
    internal readonly float BiasOf(int head, int query, int key)
    {
        if (Bias.IsEmpty) return 0;
        query += Keys - Queries;
        int distance = Places.IsEmpty ? key - query : Places[key] - Places[query];
        return Bias[(head * ((2 * BiasReach) - 1)) + BiasReach - 1 + distance];
    }

    internal readonly void Validate()
    {
        Check.NotNegative(Heads);
        Check.NotNegative(KeyHeads);
        if (KeyHeads > 0) Check.Length(Heads, (long)Group * KeyHeads, $"{KeyHeads} heads of keys, each for {Group} heads of queries,");
        Check.NotNegative(HeadDim);
        Check.NotNegative(Queries);
        Check.NotNegative(Keys);
        if (Causal) Check.AtLeast(Keys, Queries, $"causal attention, whose {Queries} queries are the last of the keys,");
        int keyHeads = KeyHeads == 0 ? Heads : KeyHeads;
        CheckStrided(Q.Length, Queries, Heads, QTokenStride, QHeadStride, "Q.Length");
        if (IsPaged)
        {
            CheckPages(PageTokens);
        }
        else
        {
            Check.Same(K.Type, V.Type);
            CheckStrided(K.Length, Keys, keyHeads, KTokenStride, KHeadStride, "K.Length");
            CheckStrided(V.Length, Keys, keyHeads, VTokenStride, VHeadStride, "V.Length");
        }
        if (!KeyMask.IsEmpty) Check.Length(KeyMask.Length, Keys, $"a mask of all keys");
        if (!HeadMask.IsEmpty) Check.Length(HeadMask.Length, Heads, $"a mask of all heads");
        if (!Bias.IsEmpty) CheckBias();
        Check.Length(Output.Length, (long)Queries * Heads * HeadDim, $"Output [{Queries}, {Heads} · {HeadDim}]");
        if (!Probabilities.IsEmpty)
            Check.Length(Probabilities.Length, (long)Heads * Queries * Keys, $"Probabilities [{Heads}, {Queries}, {Keys}]");
    }

    private readonly void CheckPages(int pageTokens)
    {
        const int Fewest = 16;                // the widest vector of a block's keys is of one page
        if (pageTokens < Fewest || !BitOperations.IsPow2(pageTokens))
            throw new ArgumentException($"PageTokens is {pageTokens}; a power of two from {Fewest} on is needed.", nameof(pageTokens));
        if (Pages.Length * (long)pageTokens < Keys)
            throw new ArgumentException($"{Pages.Length} pages of {pageTokens} tokens were given for {Keys} keys.", nameof(pageTokens));
    }

    private readonly void CheckBias()
    {
        Check.Length(Bias.Length, Heads * ((2L * BiasReach) - 1), $"a bias of all heads by distance, 2 · {BiasReach} − 1 of each,");
        Check.AtLeast(Keys, Queries, $"attention with a bias by distance, whose {Queries} queries are the last of the keys,");
        if (!Places.IsEmpty) Check.Length(Places.Length, Keys, $"a place of every key");
        int span = Keys;
        if (!Places.IsEmpty)
        {
            int first = int.MaxValue, last = int.MinValue;
            foreach (int place in Places) (first, last) = (Math.Min(first, place), Math.Max(last, place));
            span = checked(last - first + 1);
        }
        Check.AtLeast(BiasReach, span, $"a bias for tokens that stand in {span} places");
    }

    private readonly void CheckStrided(int length, int tokens, int heads, int tokenStride, int headStride, string name)
    {
        if (tokens == 0 || heads == 0 || HeadDim == 0) return;
        if (tokenStride < 0 || headStride < 0)
            throw new ArgumentException($"{name[0]} has strides {tokenStride} (token) and {headStride} (head); they must not be negative.", name);
        Check.AtLeast(length, ((tokens - 1L) * tokenStride) + ((heads - 1L) * headStride) + HeadDim,
            $"{tokens} tokens with stride {tokenStride} and {heads} heads of {HeadDim} with stride {headStride}", name);
    }
}

/// <summary>The arguments of one call as pointers, which worker threads may hold. The key mask has become a list of the visible keys.</summary>
internal unsafe struct AttentionCall
{
    public int Heads, HeadDim, Queries, Keys;
    public int Group;                             // heads of queries that share a head of keys and values
    public float Scale;
    public bool Causal;
    public float* Q;
    public nint QTokenStride, QHeadStride;
    public nint* Pages;                           // where each page begins; 0 alone where keys and values are whole
    public int PageShift, PageMask;               // a page has 2^PageShift tokens, PageMask is one less; 31 where they are whole
    public nint K, V;                             // from a page's beginning to its keys and values as stored, in bytes
    public nint KTokenBytes, KHeadBytes;          // bytes from a key or value, or from one head of it, to the next
    public nint VTokenBytes, VHeadBytes;
    public int* Visible;                          // ascending numbers of the keys that the mask leaves, or null where there is no mask
    public int VisibleCount;                      // how many keys the mask leaves
    public float* HeadMask;                       // [Heads] or null
    public float* Bias;                           // [Heads, 2 · BiasReach − 1] by distance, or null
    public int BiasReach;
    public int* Places;                           // [Keys] where tokens stand, or null: one after the other
    public float* Output;
    public float* Probabilities;                  // [Heads, Queries, Keys] or null

    /// <summary>The number of the j-th visible key.</summary>
    public readonly int KeyAt(int j) => Visible == null ? j : Visible[j];

    /// <summary>How many visible keys query i sees: always the first ones, so that causal and key mask are one and the same.</summary>
    public readonly int CountFor(int i)
    {
        if (!Causal) return VisibleCount;
        int limit = Keys - Queries + i + 1;
        if (Visible == null) return limit;
        int position = new ReadOnlySpan<int>(Visible, VisibleCount).BinarySearch(limit);
        return position < 0 ? ~position : position;
    }

    /// <summary>Heads of keys and values.</summary>
    public readonly int KeyHeads => Heads / Group;

    public readonly float* QueryOf(int head, int i) => Q + (i * QTokenStride) + (head * QHeadStride);
    public readonly byte* KeyOf(int keyHead, int key) =>
        (byte*)(Pages[key >> PageShift] + K + ((key & PageMask) * KTokenBytes) + (keyHead * KHeadBytes));

    public readonly byte* ValueOf(int keyHead, int key) =>
        (byte*)(Pages[key >> PageShift] + V + ((key & PageMask) * VTokenBytes) + (keyHead * VHeadBytes));

    /// <summary>One past the last of the visible keys from j on, below end, that follow each other in memory, and of which the one
    /// <paramref name="ahead"/> places on does, too.</summary>
    public readonly int EndOfRun(int j, int end, int ahead)
    {
        if (Visible != null) return j + 1;
        long pageEnd = (j | PageMask) + 1L;
        return (int)Math.Min(end, j < pageEnd - ahead ? pageEnd - ahead : pageEnd);
    }
    public readonly float* OutputOf(int head, int i) => Output + ((((nint)i * Heads) + head) * HeadDim);

    /// <summary>What to add to a query's scores, to be read from <paramref name="key"/> on where keys are neither hidden nor stand with gaps.</summary>
    public readonly float* BiasOf(int head, int i, int key) =>
        Bias + ((nint)head * ((2 * BiasReach) - 1)) + BiasReach - 1 + key - (Keys - Queries + i);

    /// <summary>scores[j] += the bias for the visible key <paramref name="first"/> + j, of <paramref name="count"/> keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void AddBias<S, V>(int head, int i, int first, int count, float* scores) where S : struct, ISimd<V>
    {
        if (Visible == null && Places == null)
        {
            float* bias = BiasOf(head, i, first);
            nint j = 0;
            for (; j <= count - S.Width; j += S.Width) S.Store(scores + j, S.Add(S.Load(scores + j), S.Load(bias + j)));
            for (; j < count; j++) scores[j] += bias[j];
            return;
        }
        int query = Keys - Queries + i;
        float* middle = BiasOf(head, i, query);
        for (int j = 0; j < count; j++)
        {
            int key = KeyAt(first + j);
            scores[j] += middle[Places == null ? key - query : Places[key] - Places[query]];
        }
    }

    public readonly float HeadFactor(int head) => HeadMask == null ? 1 : HeadMask[head];
}
