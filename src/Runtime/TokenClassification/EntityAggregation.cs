namespace ManagedTransformers;

/// <summary>A token's probabilities, [labels], and whether it goes on with the word of the token before it.</summary>
internal readonly record struct TokenScores(float[] Probabilities, bool IsSubword);

/// <summary>A run of tokens with a label; the last token is included.</summary>
internal readonly record struct LabelledRun(string Label, float Score, int FirstToken, int LastToken);

/// <summary>Joins labelled tokens to entities: the arithmetic of transformers' TokenClassificationPipeline, without its texts.</summary>
internal static class EntityAggregation
{
    /// <summary>Entities in the order of the text; nothing is left out, the label "O" is one like others. Special tokens are not among the tokens.</summary>
    public static IReadOnlyList<LabelledRun> Aggregate(IReadOnlyList<TokenScores> tokens, AggregationStrategy strategy, Func<int, string> label)
    {
        List<LabelledRun> units = strategy is AggregationStrategy.None or AggregationStrategy.Simple
            ? [.. tokens.Select((token, i) => Labelled(token.Probabilities, i, i, label))]
            : [.. Words(tokens).Select(word => Labelled(WordScores(tokens, word.First, word.Last, strategy), word.First, word.Last, label))];
        return strategy == AggregationStrategy.None ? units : Group(units);
    }

    private static LabelledRun Labelled(ReadOnlySpan<float> probabilities, int first, int last, Func<int, string> label)
    {
        int best = Ranking.Best(probabilities, 1)[0];
        return new LabelledRun(label(best), probabilities[best], first, last);
    }

    private static IEnumerable<(int First, int Last)> Words(IReadOnlyList<TokenScores> tokens)
    {
        for (int first = 0; first < tokens.Count;)
        {
            int next = first + 1;
            while (next < tokens.Count && tokens[next].IsSubword)
                next++;
            yield return (first, next - 1);
            first = next;
        }
    }

    private static float[] WordScores(IReadOnlyList<TokenScores> tokens, int first, int last, AggregationStrategy strategy)
    {
        float[][] scores = [.. Enumerable.Range(first, last - first + 1).Select(i => tokens[i].Probabilities)];
        return strategy switch
        {
            AggregationStrategy.First => scores[0],
            AggregationStrategy.Max => scores.MaxBy(token => token.Max())!,
            AggregationStrategy.Average => [.. Enumerable.Range(0, scores[0].Length).Select(label => scores.Average(token => token[label]))],
            _ => throw new ArgumentOutOfRangeException(nameof(strategy), strategy, "This strategy does not look at words."),
        };
    }

    /// <summary>Joins neighbours with the same tag. I-X after I-X or B-X goes on, B-X begins anew, and so does another tag.</summary>
    private static List<LabelledRun> Group(List<LabelledRun> units)
    {
        var groups = new List<LabelledRun>();
        for (int first = 0; first < units.Count;)
        {
            string tag = Tag(units[first].Label).Name;
            int next = first + 1;
            while (next < units.Count && Tag(units[next].Label) is { Begins: false } following && following.Name == tag)
                next++;
            float score = units.GetRange(first, next - first).Average(unit => unit.Score);
            groups.Add(new LabelledRun(GroupName(units[first].Label), score, units[first].FirstToken, units[next - 1].LastToken));
            first = next;
        }
        return groups;
    }

    /// <summary>B-X → X, begins; I-X and, without either, the whole label → goes on.</summary>
    private static (bool Begins, string Name) Tag(string label) =>
        label.StartsWith("B-", StringComparison.Ordinal) ? (true, label[2..])
        : label.StartsWith("I-", StringComparison.Ordinal) ? (false, label[2..])
        : (false, label);

    /// <summary>What stands after the first hyphen, as transformers names the group.</summary>
    private static string GroupName(string label) => label[(label.IndexOf('-', StringComparison.Ordinal) + 1)..];
}
