namespace ManagedTransformers.Kernels;

/// <summary>Sizes, inputs and outputs of one call of <see cref="Attention"/>. Strides count elements.</summary>
/// <remarks>
/// Value d of head h at token t is at t · TokenStride + h · HeadStride + d: a fused [tokens, 3 · hidden] projection, a
/// [heads, tokens, dim] cache and a plain [tokens, heads · dim] tensor are all read in place.
/// </remarks>
internal ref struct AttentionArguments
{
    /// <summary>Attention heads.</summary>
    public int Heads { get; set; }

    /// <summary>Values per head.</summary>
    public int HeadDim { get; set; }

    /// <summary>Query tokens.</summary>
    public int Queries { get; set; }

    /// <summary>Key and value tokens, cached ones included; the queries are the last of them where <see cref="Causal"/>.</summary>
    public int Keys { get; set; }

    /// <summary>Multiplies every score; 1/√HeadDim in the paper.</summary>
    public float Scale { get; set; }

    /// <summary>Query i sees keys 0 … Keys − Queries + i only.</summary>
    public bool Causal { get; set; }

    /// <summary>Queries.</summary>
    public ReadOnlySpan<float> Q { get; set; }

    /// <summary>Elements from one query to the next.</summary>
    public int QTokenStride { get; set; }

    /// <summary>Elements from one head of a query to the next.</summary>
    public int QHeadStride { get; set; }

    /// <summary>Keys: floats, or stored values that are widened as they are read.</summary>
    public StoredSpan K { get; set; }

    /// <summary>Elements from one key to the next.</summary>
    public int KTokenStride { get; set; }

    /// <summary>Elements from one head of a key to the next.</summary>
    public int KHeadStride { get; set; }

    /// <summary>Values, in the type of the keys.</summary>
    public StoredSpan V { get; set; }

    /// <summary>Elements from one value to the next.</summary>
    public int VTokenStride { get; set; }

    /// <summary>Elements from one head of a value to the next.</summary>
    public int VHeadStride { get; set; }

    /// <summary>[Keys], 0 hides a key from all queries; empty: all are visible.</summary>
    public ReadOnlySpan<byte> KeyMask { get; set; }

    /// <summary>[Heads], multiplies the probabilities of a head; empty: none.</summary>
    public ReadOnlySpan<float> HeadMask { get; set; }

    /// <summary>[Queries, Heads · HeadDim].</summary>
    public Span<float> Output { get; set; }

    /// <summary>Empty, or [Heads, Queries, Keys]: receives the probabilities after softmax and head mask.</summary>
    public Span<float> Probabilities { get; set; }

    internal readonly void Validate()
    {
        Check.NotNegative(Heads);
        Check.NotNegative(HeadDim);
        Check.NotNegative(Queries);
        Check.NotNegative(Keys);
        if (Causal) Check.AtLeast(Keys, Queries, $"causal attention, whose {Queries} queries are the last of the keys,");
        Check.SameType(K.Type, V.Type);
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
