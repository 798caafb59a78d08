namespace ManagedTransformers.Runtime.Tests;

public sealed class EntityAggregationTests
{
    private static readonly string[] Labels = ["O", "B-NAME", "I-NAME", "B-KEY", "I-KEY"];

    // Made by hand; the second, third and fifth tokens go on with the word before.
    private static readonly TokenScores[] Tokens =
    [
        new([0.1f, 0.6f, 0.1f, 0.1f, 0.1f], IsSubword: false),     // B-NAME
        new([0.0f, 0.1f, 0.7f, 0.1f, 0.1f], IsSubword: true),      // I-NAME
        new([0.1f, 0.0f, 0.0f, 0.0f, 0.9f], IsSubword: true),      // I-KEY
        new([0.8f, 0.1f, 0.1f, 0.0f, 0.0f], IsSubword: false),     // O
        new([0.3f, 0.0f, 0.5f, 0.2f, 0.0f], IsSubword: true),      // I-NAME
        new([0.0f, 0.0f, 0.8f, 0.2f, 0.0f], IsSubword: false),     // I-NAME
        new([0.0f, 0.7f, 0.3f, 0.0f, 0.0f], IsSubword: false),     // B-NAME
    ];

    [Test]
    public void None_labels_every_token() =>
        Check(AggregationStrategy.None, ("B-NAME", 0.6, 0, 0), ("I-NAME", 0.7, 1, 1), ("I-KEY", 0.9, 2, 2), ("O", 0.8, 3, 3), ("I-NAME", 0.5, 4, 4),
            ("I-NAME", 0.8, 5, 5), ("B-NAME", 0.7, 6, 6));

    [Test]
    public void Simple_joins_the_same_tag_and_begins_anew_at_B() =>
        Check(AggregationStrategy.Simple, ("NAME", 0.65, 0, 1), ("KEY", 0.9, 2, 2), ("O", 0.8, 3, 3), ("NAME", 0.65, 4, 5), ("NAME", 0.7, 6, 6));

    [Test]
    public void First_labels_a_word_by_its_first_token() =>
        Check(AggregationStrategy.First, ("NAME", 0.6, 0, 2), ("O", 0.8, 3, 4), ("NAME", 0.8, 5, 5), ("NAME", 0.7, 6, 6));

    [Test]
    public void Max_labels_a_word_by_its_surest_token() =>
        Check(AggregationStrategy.Max, ("KEY", 0.9, 0, 2), ("O", 0.8, 3, 4), ("NAME", 0.8, 5, 5), ("NAME", 0.7, 6, 6));

    [Test]
    public void Average_labels_a_word_by_the_mean_of_its_tokens() =>
        // First word: O .2/3, B-NAME .7/3, I-NAME .8/3, B-KEY .2/3, I-KEY 1.1/3; second: O .55, I-NAME .3.
        Check(AggregationStrategy.Average, ("KEY", 1.1 / 3, 0, 2), ("O", 0.55, 3, 4), ("NAME", 0.8, 5, 5), ("NAME", 0.7, 6, 6));

    [Test]
    public void Labels_without_B_and_I_join_their_neighbours()
    {
        string[] labels = ["PER", "LOC"];
        var runs = EntityAggregation.Aggregate([new([0.9f, 0.1f], false), new([0.7f, 0.3f], false), new([0.2f, 0.8f], false)],
            AggregationStrategy.Simple, i => labels[i]);
        Assert.That(runs.Select(run => (run.Label, run.FirstToken, run.LastToken)), Is.EqualTo(new[] { ("PER", 0, 1), ("LOC", 2, 2) }));
    }

    [Test]
    public void No_tokens_give_no_entities([Values] AggregationStrategy strategy) =>
        Assert.That(EntityAggregation.Aggregate([], strategy, i => Labels[i]), Is.Empty);

    private static void Check(AggregationStrategy strategy, params (string Label, double Score, int First, int Last)[] expected)
    {
        var runs = EntityAggregation.Aggregate(Tokens, strategy, i => Labels[i]);
        Assert.That(runs.Select(run => (run.Label, run.FirstToken, run.LastToken)), Is.EqualTo(expected.Select(e => (e.Label, e.First, e.Last))));
        Assert.That(runs.Select(run => (double)run.Score), Is.EqualTo(expected.Select(e => e.Score)).Within(1e-6));
    }
}
