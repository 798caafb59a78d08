namespace ManagedTransformers.Diagnostics;

/// <summary>What an explanation has.</summary>
public sealed record ExplanationOptions
{
    /// <summary>The most tokens of an explanation, generated ones included, however small the model: more than this nobody reads at once.</summary>
    public const int MostTokens = 256;

    // Attention grows with the square of the tokens: 64 MB as floats, 21 MB in a page of 8-bit numbers.
    private const long MostAttentions = 16 << 20;

    /// <summary>The defaults.</summary>
    public static ExplanationOptions Default => new();

    /// <summary>Candidates of every prediction.</summary>
    public int TopK { get; init; } = 20;

    /// <summary>Candidates of every place of the logit lens.</summary>
    public int LensTopK { get; init; } = 5;

    /// <summary>Tokens that a decoder writes after the text, greedily; it ends earlier at an end token.</summary>
    public int Generate { get; init; }

    /// <summary>Changes of activations that hold in every pass: what is explained is then the changed model.</summary>
    /// <remarks>Where the residual stream itself is changed, the direct effects of a decoder's parts no longer sum to the difference of the logits.</remarks>
    public IReadOnlyList<Intervention> Interventions { get; init; } = [];

    /// <summary>How many tokens of a model can be explained: 256, or as many as have 16 Mi attention weights (layers · heads · tokens²; half of that where a
    /// token sees only those before it).</summary>
    /// <param name="config">The model's configuration.</param>
    public static int MaxTokens(PretrainedConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        long heads = (long)config.Layers * config.Heads;
        long squares = MostAttentions * (config.IsCausal ? 2 : 1) / Math.Max(1, heads);
        return Math.Min(Math.Min(MostTokens, config.MaxTokens), Math.Max(1, (int)Math.Sqrt(squares)));
    }

    /// <exception cref="ModelInputException">A number is out of its range.</exception>
    internal void Validate()
    {
        if (TopK < 2)
            throw new ModelInputException($"ExplanationOptions.TopK is {TopK}; at least 2 are needed, the answer and the token it is compared with.");
        if (LensTopK < 1)
            throw new ModelInputException($"ExplanationOptions.LensTopK is {LensTopK}; at least 1 is needed.");
        if (Generate < 0)
            throw new ModelInputException($"ExplanationOptions.Generate is {Generate}; 0 or more are possible.");
    }
}

/// <summary>How far an explanation is.</summary>
/// <param name="Done">Passes of the model that are done.</param>
/// <param name="Total">Passes in all.</param>
public readonly record struct ExplanationProgress(int Done, int Total);
