namespace ManagedTransformers.Kernels;

/// <summary>Sizes, inputs and outputs of one call of <see cref="SplitHeads"/>: tokens of one sequence.</summary>
internal ref struct SplitHeadsArguments
{
    /// <summary>Tokens.</summary>
    public int Tokens { get; set; }

    /// <summary>Values of a token in <see cref="X"/>.</summary>
    public int Width { get; set; }

    /// <summary>The fused projection, [Tokens, Width]; queries and keys are rotated in place.</summary>
    public Span<float> X { get; set; }

    /// <summary>Where the queries lie in a row of <see cref="X"/>.</summary>
    public HeadLayout QueryLayout { get; set; }

    /// <summary>Where the keys lie; they may have fewer heads than the queries.</summary>
    public HeadLayout KeyLayout { get; set; }

    /// <summary>Where the values lie; they have as many heads as the keys.</summary>
    public HeadLayout ValueLayout { get; set; }

    /// <summary>The angles by which queries and keys turn; null: they stay as they are.</summary>
    public RotaryTable? Rotary { get; set; }

    /// <summary>The position of each token, [Tokens]; read only where there is a <see cref="Rotary"/>.</summary>
    public ReadOnlySpan<int> Positions { get; set; }

    /// <summary>Receives the queries, [Tokens, heads · head_dim].</summary>
    public Span<float> Q { get; set; }

    /// <summary>The sequence's keys, [key heads, MaxLength, head_dim] of <see cref="Type"/>; those of the tokens are written.</summary>
    public Span<byte> K { get; set; }

    /// <summary>The sequence's values, [key heads, MaxLength, head_dim] of <see cref="Type"/>; those of the tokens are written.</summary>
    public Span<byte> V { get; set; }

    /// <summary>How keys and values are stored: F32, F16 or BF16.</summary>
    public WeightType Type { get; set; }

    /// <summary>Tokens that <see cref="K"/> and <see cref="V"/> have room for.</summary>
    public int MaxLength { get; set; }

    /// <summary>Tokens that they hold already: the first new one comes there.</summary>
    public int Past { get; set; }

    internal readonly void Validate()
    {
        Check.NotNegative(Tokens);
        Check.NotNegative(Width);
        Check.NotNegative(MaxLength);
        Check.NotNegative(Past);
        QueryLayout.Validate(Width, nameof(QueryLayout));
        KeyLayout.Validate(Width, nameof(KeyLayout));
        ValueLayout.Validate(Width, nameof(ValueLayout));
        Check.SameLength(KeyLayout.Heads, ValueLayout.Heads);
        Check.SameLength(QueryLayout.HeadDim, KeyLayout.HeadDim);
        Check.SameLength(KeyLayout.HeadDim, ValueLayout.HeadDim);
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
