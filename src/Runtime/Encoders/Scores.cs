namespace ManagedTransformers;

/// <summary>Numbers that an answer is made of. NaN compares with nothing, so what is ranked or chosen by it would be an accident.</summary>
internal static class Scores
{
    /// <summary>Each must be a number.</summary>
    /// <param name="scores">Scores, probabilities or the components of a vector.</param>
    /// <param name="what">What they are, such as <c>score of token</c>.</param>
    /// <param name="model">The model that computed them.</param>
    /// <exception cref="CheckpointException">One is NaN.</exception>
    public static void RequireNumbers(ReadOnlySpan<float> scores, string what, IPretrainedModel model)
    {
        for (int i = 0; i < scores.Length; i++)
        {
            if (float.IsNaN(scores[i]))
                throw new CheckpointException($"{model.Architecture}: the {what} {i} is NaN; a number is needed. The weights hold NaN or infinite numbers, " +
                    "or such large ones that they overflow: download the checkpoint or export it again.");
        }
    }

    /// <summary>Each must be a number, and finite: a softmax over infinite scores is none.</summary>
    /// <inheritdoc cref="RequireNumbers" path="/param"/>
    /// <exception cref="CheckpointException">One is NaN or infinite.</exception>
    public static void RequireFinite(ReadOnlySpan<float> scores, string what, IPretrainedModel model)
    {
        RequireNumbers(scores, what, model);
        int infinite = scores.IndexOfAny(float.PositiveInfinity, float.NegativeInfinity);
        if (infinite >= 0)
            throw new CheckpointException($"{model.Architecture}: the {what} {infinite} is {(scores[infinite] > 0 ? "+∞" : "−∞")}; a finite " +
                "number is needed. The weights hold infinite numbers, or such large ones that they overflow: download the checkpoint or export it again.");
    }
}
