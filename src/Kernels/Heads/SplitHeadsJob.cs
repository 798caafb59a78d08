namespace ManagedTransformers.Kernels;

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
