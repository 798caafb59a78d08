namespace ManagedTransformers;

/// <content>What changes the scores of tokens.</content>
public sealed partial record GenerationOptions
{
    /// <summary>Divides the scores before sampling: below 1 prefers probable tokens, above 1 evens out. Null: 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public double? Temperature { get; init => field = GenerationOptionTable.Temperature.Require(value); }

    /// <summary>Sample from so many most probable tokens; 0: from all. Null: 50, as transformers has it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? TopK { get; init => field = GenerationOptionTable.TopK.Require(value); }

    /// <summary>Sample from the fewest most probable tokens that have this probability together (nucleus sampling). Null: 1, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not in 0 … 1.</exception>
    public double? TopP { get; init => field = GenerationOptionTable.TopP.Require(value); }

    /// <summary>Sample from tokens that have at least this share of the most probable token's probability. Null: 0, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not in 0 … 1.</exception>
    public double? MinP { get; init => field = GenerationOptionTable.MinP.Require(value); }

    /// <summary>Sample from the tokens whose information is closest to what is expected, that have this probability together. Null: 1, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0 and at most 1.</exception>
    public double? TypicalP { get; init => field = GenerationOptionTable.TypicalP.Require(value); }

    /// <summary>Sample from tokens of at least this probability. Null: 0, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not at least 0 and below 1.</exception>
    public double? EpsilonCutoff { get; init => field = GenerationOptionTable.EpsilonCutoff.Require(value); }

    /// <summary>Sample from tokens of at least a probability that falls with the entropy (eta sampling). Null: 0, all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not at least 0 and below 1.</exception>
    public double? EtaCutoff { get; init => field = GenerationOptionTable.EtaCutoff.Require(value); }

    /// <summary>Makes tokens that are in the text already less probable (above 1) or more (below 1). Null: 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public double? RepetitionPenalty { get; init => field = GenerationOptionTable.RepetitionPenalty.Require(value); }

    /// <summary>No sequence of so many tokens comes twice, those of the prompt included; 0: any may. Null: 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? NoRepeatNgramSize { get; init => field = GenerationOptionTable.NoRepeatNgramSize.Require(value); }

    /// <summary>Sequences of tokens that are never generated.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? BadWordsIds { get; init; }

    /// <summary>Sequences of tokens that are made more or less probable.</summary>
    public IReadOnlyList<SequenceBias>? SequenceBias { get; init; }

    /// <summary>Tokens that are never generated.</summary>
    public IReadOnlyList<int>? SuppressTokens { get; init; }

    /// <summary>Tokens that are not generated first.</summary>
    public IReadOnlyList<int>? BeginSuppressTokens { get; init; }

    /// <summary>The tokens one of which is generated last where a text reaches its greatest length.</summary>
    public IReadOnlyList<int>? ForcedEosTokenId { get; init; }

    /// <summary>Make the scores log probabilities again after all processors. Null: false.</summary>
    public bool? RenormalizeLogits { get; init; }
}

/// <summary>How much more or less probable a sequence of tokens is made.</summary>
/// <param name="TokenIds">The sequence, at least one token.</param>
/// <param name="Bias">Added to the score of its last token where the others stand before it; −∞ forbids it.</param>
public readonly record struct SequenceBias(IReadOnlyList<int> TokenIds, float Bias)
{
    /// <summary>Added to the score of the last token where the others stand before it; −∞ forbids it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is NaN.</exception>
    public float Bias { get; init => field = NotNaN(value); } = NotNaN(Bias);

    private static float NotNaN(float bias) =>
        float.IsNaN(bias) ? throw new ArgumentOutOfRangeException(nameof(bias), "Bias is NaN; a number is needed.") : bias;
}
