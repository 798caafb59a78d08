namespace ManagedTransformers.Kernels;

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
