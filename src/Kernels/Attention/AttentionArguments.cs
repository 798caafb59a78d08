namespace ManagedTransformers.Kernels;

/// <summary>Sizes, inputs and outputs of one call of <see cref="Attention"/>. Strides count elements.</summary>
/// <remarks>
/// Value d of head h at token t is at t · TokenStride + h · HeadStride + d: a fused [tokens, 3 · hidden] projection, a
/// [heads, tokens, dim] cache and a plain [tokens, heads · dim] tensor are all read in place.
/// </remarks>
internal ref struct AttentionArguments
{
    public int Heads, HeadDim;            // HeadDim: values per head
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
    public ReadOnlySpan<byte> KeyMask;    // [Keys], 0 hides a key from all queries; empty: all are visible
    public ReadOnlySpan<float> HeadMask;  // [Heads], multiplies the probabilities of a head; empty: none
    public Span<float> Output;            // [Queries, Heads · HeadDim]
    public Span<float> Probabilities;     // empty, or [Heads, Queries, Keys]: receives the probabilities after softmax and head mask

    internal readonly void Validate()
    {
        Check.NotNegative(Heads);
        Check.NotNegative(HeadDim);
        Check.NotNegative(Queries);
        Check.NotNegative(Keys);
        if (Causal) Check.AtLeast(Keys, Queries, $"causal attention, whose {Queries} queries are the last of the keys,");
        Check.Same(K.Type, V.Type);
        CheckStrided(Q.Length, Queries, QTokenStride, QHeadStride, "Q.Length");
        CheckStrided(K.Length, Keys, KTokenStride, KHeadStride, "K.Length");
        CheckStrided(V.Length, Keys, VTokenStride, VHeadStride, "V.Length");
        if (!KeyMask.IsEmpty) Check.Length(KeyMask.Length, Keys, $"a mask of all keys");
        if (!HeadMask.IsEmpty) Check.Length(HeadMask.Length, Heads, $"a mask of all heads");
        Check.Length(Output.Length, (long)Queries * Heads * HeadDim, $"Output [{Queries}, {Heads} · {HeadDim}]");
        if (!Probabilities.IsEmpty)
            Check.Length(Probabilities.Length, (long)Heads * Queries * Keys, $"Probabilities [{Heads}, {Queries}, {Keys}]");
    }

    private readonly void CheckStrided(int length, int tokens, int tokenStride, int headStride, string name)
    {
        if (tokens == 0 || Heads == 0 || HeadDim == 0) return;
        if (tokenStride < 0 || headStride < 0)
            throw new ArgumentException($"{name[0]} has strides {tokenStride} (token) and {headStride} (head); they must not be negative.", name);
        Check.AtLeast(length, ((tokens - 1L) * tokenStride) + ((Heads - 1L) * headStride) + HeadDim,
            $"{tokens} tokens with stride {tokenStride} and {Heads} heads of {HeadDim} with stride {headStride}", name);
    }
}
