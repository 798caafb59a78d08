namespace ManagedTransformers;

/// <summary>How scores become probabilities.</summary>
public enum ClassificationFunction
{
    /// <summary>Each class for itself: 1 / (1 + exp(−x)).</summary>
    Sigmoid,

    /// <summary>The classes share a probability of 1.</summary>
    Softmax,

    /// <summary>The scores as they are; regression.</summary>
    None,
}

/// <summary>What text classification returns.</summary>
public sealed record TextClassificationOptions
{
    /// <summary>The defaults.</summary>
    public static TextClassificationOptions Default { get; } = new();

    /// <summary>How scores become probabilities; null: as config.json's problem_type and number of labels say (see <see
    /// cref="TextClassificationPipeline"/>).</summary>
    public ClassificationFunction? Function { get; init; }

    /// <summary>How many classes to give, the best ones; null: all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? TopK { get; init => field = OptionRange.Least(1, value); }

    /// <summary>Cuts a text that is too long at its end (of a pair the longer one first), instead of refusing it.</summary>
    public bool Truncation { get; init; }
}

/// <summary>A class and its probability.</summary>
/// <param name="Label">Its name, from id2label.</param>
/// <param name="Score">Its probability, or its score where the function is <see cref="ClassificationFunction.None"/>.</param>
/// <param name="Id">Its number.</param>
public sealed record LabelScore(string Label, float Score, int Id);
