using ManagedTransformers.Kernels;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class KeyValueCacheTests(string family)
{
    private DecoderForCausalLM _model = null!;

    [OneTimeSetUp]
    public void Load() => _model = DecoderFamilies.Model(family);

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [Test]
    public void Rows_of_any_lengths_give_each_token_the_bits_that_it_gets_alone()
    {
        using Session together = _model.CreateSession(new SessionOptions { BatchSize = 3 });
        Fill(together, 0, [5, 17, 3]);
        Fill(together, 2, [22, 9, 30, 11, 2, 8, 14, 3, 7, 21]);
        float[] scores = _model.Append([1, 2, 3, 4, 5, 6], [1, 2, 3], [2, 1, 0], together, ScoresOf.AllTokens).ToArray();
        float[] alone = [.. Alone([22, 9, 30, 11, 2, 8, 14, 3, 7, 21], [1]), .. Alone([], [2, 3]), .. Alone([5, 17, 3], [4, 5, 6])];
        Assert.That(scores, Is.EqualTo(alone));
        Assert.That(Enumerable.Range(0, 3).Select(together.Cache!.Length), Is.EqualTo(new[] { 6, 2, 11 }));
    }

    [TestCase(16, 1)]
    [TestCase(8, 8)]
    [TestCase(64, 1)]
    public void Up_to_64_tokens_of_sequences_that_decode_together_have_the_bits_that_they_have_alone(int sequences, int tokens)
    {
        using Session together = _model.CreateSession(new SessionOptions { BatchSize = sequences, MaxLength = 16 });
        using Session alone = _model.CreateSession(new SessionOptions { BatchSize = sequences, MaxLength = 16 });
        int[] ids = [.. Enumerable.Range(0, sequences * tokens).Select(i => (7 * i + 3) % 40)], slots = [.. Enumerable.Range(0, sequences)];
        for (int i = 0; i < sequences; i++)
        {
            Fill(together, i, [i % 40, 5]);
            Fill(alone, i, [i % 40, 5]);
        }
        float[] scores = _model.Append(ids, [.. slots.Select(_ => tokens)], slots, together, ScoresOf.AllTokens).ToArray();
        foreach (int i in slots)
        {
            float[] own = _model.Append(ids.AsSpan(i * tokens, tokens), [tokens], [i], alone, ScoresOf.AllTokens).ToArray();
            Assert.That(scores.AsSpan(i * own.Length, own.Length).SequenceEqual(own), Is.True, $"sequence {i}");
        }
        Assert.That(together.Kernels.StreamedRows, Is.EqualTo(MatMul.MaxStreamedRows));
    }

    [Test]
    public void Scores_after_the_last_tokens_are_those_rows_of_all_scores()
    {
        using Session session = _model.CreateSession(new SessionOptions { BatchSize = 2 });
        float[] all = _model.Append([1, 2, 3, 4, 5], [2, 3], [0, 1], session, ScoresOf.AllTokens).ToArray();
        session.Cache!.Clear();
        Assert.That(_model.Append([1, 2, 3, 4, 5], [2, 3], [0, 1], session, ScoresOf.LastTokens).ToArray(), Is.EqualTo(all[40..80].Concat(all[160..])));
        session.Cache.Clear();
        Assert.That(_model.Append([1, 2, 3, 4, 5], [2, 3], [0, 1], session, ScoresOf.None).Shape.ToArray(), Is.EqualTo(new[] { 0, 40 }));
        Assert.That(session.Cache.Length(1), Is.EqualTo(3));
    }

    [Test]
    public void What_follows_a_truncated_sequence_is_what_follows_its_beginning()
    {
        using Session session = _model.CreateSession();
        Fill(session, 0, [5, 17, 3, 22, 9]);
        session.Cache!.Truncate(0, 2);
        Assert.That(Next(session, 0, [8, 1]), Is.EqualTo(Alone([5, 17], [8, 1])));
        Assert.That(session.Cache.Columns, Is.EqualTo(4));
        Assert.That(() => session.Cache.Truncate(0, 5), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("0 … 4"));
    }

    [Test]
    public void A_copied_sequence_continues_as_its_original_would_also_in_another_session()
    {
        using Session first = _model.CreateSession(new SessionOptions { BatchSize = 2, MaxLength = 20 });
        using Session second = _model.CreateSession(new SessionOptions { BatchSize = 1, MaxLength = 9 });
        Fill(first, 0, [5, 17, 3]);
        first.Cache!.Copy(first.Cache, 0, 1);
        second.Cache!.Copy(first.Cache, 1, 0);
        Fill(first, 0, [30, 30]);
        Assert.That(Next(first, 1, [8, 1]), Is.EqualTo(Alone([5, 17, 3], [8, 1])));
        Assert.That(Next(second, 0, [8, 1]), Is.EqualTo(Alone([5, 17, 3], [8, 1])));
        Fill(first, 0, [1, 2, 3, 4, 5]);
        Assert.That(() => second.Cache.Copy(first.Cache, 0, 0), Throws.ArgumentException.With.Message.Contains("10 tokens").And.Message.Contains("at most 9"));
    }

    [TestCase(new[] { 0, 1, 2, 3 })]
    [TestCase(new[] { 3, 2, 1, 0 })]
    [TestCase(new[] { 1, 1, 1, 1 })]
    [TestCase(new[] { 2, 2, 0, 0 })]
    [TestCase(new[] { 1, 0, 0, 3 })]
    public void Reordered_sequences_follow_their_parents(int[] parents)
    {
        int[][] texts = [[5, 17, 3], [22, 9], [30, 11, 2, 8], [14]];
        using Session session = _model.CreateSession(new SessionOptions { BatchSize = 4 });
        for (int i = 0; i < 4; i++)
            Fill(session, i, texts[i]);
        session.Cache!.Reorder(parents);
        for (int i = 0; i < 4; i++)
            Assert.That(Next(session, i, [7]), Is.EqualTo(Alone(texts[parents[i]], [7])), $"sequence {i}");
        Assert.That(() => session.Cache.Reorder([0, 2]), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("0 … 1"));
    }

    [Test]
    public void Rows_that_do_not_fit_are_refused_and_leave_the_session_as_it_was()
    {
        using Session session = _model.CreateSession(new SessionOptions { BatchSize = 2, MaxLength = 4 });
        Fill(session, 0, [1, 2, 3]);
        Assert.That(() => Fill(session, 0, [4, 5]), Throws.TypeOf<ModelInputException>().With.Message.Contains("holds 3 tokens and 2 more make 5"));
        Assert.That(() => _model.Append([4, 40], [1, 1], [0, 1], session, ScoresOf.None), Throws.TypeOf<ModelInputException>().With.Message.Contains("is 40"));
        Assert.That(() => _model.Append([4, 4], [1, 1], [0, 0], session, ScoresOf.None), Throws.TypeOf<ModelInputException>().With.Message.Contains("twice"));
        Assert.That(() => _model.Append([4, 4], [1, 2], [0, 1], session, ScoresOf.None),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("add up to 3"));
        Assert.That(() => _model.Append([4, 4], [2, 0], [0, 1], session, ScoresOf.None),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("0 tokens"));
        Assert.That(() => _model.Append([], [], [0], session, ScoresOf.None), Throws.TypeOf<ModelInputException>().With.Message.Contains("No tokens"));
        Assert.That(Next(session, 0, [4]), Is.EqualTo(Alone([1, 2, 3], [4])));
    }

    private void Fill(Session session, int sequence, int[] tokens) => _model.Append(tokens, [tokens.Length], [sequence], session, ScoresOf.None);

    private float[] Next(Session session, int sequence, int[] tokens) =>
        _model.Append(tokens, [tokens.Length], [sequence], session, ScoresOf.AllTokens).ToArray();

    private float[] Alone(int[] past, int[] tokens)
    {
        using Session session = _model.CreateSession();
        if (past.Length > 0)
            Fill(session, 0, past);
        return Next(session, 0, tokens);
    }
}
