using System.Text.Json;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class LogitsProcessorTests
{
    private const float Inf = float.PositiveInfinity;
    private SafetensorsFile _expected = null!;

    private static IEnumerable<TestCaseData> Cases()
    {
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllBytes(TestData.Reference("logits-processors/cases.json")));
        foreach (JsonElement row in cases.RootElement.Clone().EnumerateArray())
            yield return new TestCaseData(row).SetArgDisplayNames(row.GetProperty("name").GetString()!);
    }

    [OneTimeSetUp]
    public void Open() => _expected = SafetensorsFile.Open(TestData.Reference("logits-processors/expected.safetensors"));

    [OneTimeTearDown]
    public void Dispose() => _expected.Dispose();

    [Test]
    public void There_are_cases() => Assert.That(Cases().Count(), Is.EqualTo(21));

    [TestCaseSource(nameof(Cases))]
    public void Scores_equal_the_reference(JsonElement row)
    {
        var asked = GenerationOptions.FromJson(row.GetProperty("options"), "options");
        // transformers made them with the processors that are named, and none by default.
        GenerationOptions options = asked with { DoSample = true, TopK = asked.TopK ?? 0 };
        LogitsProcessor[] processors = LogitsProcessors.For(options, promptLength: 14, maxLength: 20, eosTokenId: [], KernelOptions.Default);
        Assert.That(processors, Has.Length.EqualTo(row.GetProperty("options").EnumerateObject().Count()));
        float[] logits = _expected.Weights["logits"].ToSingle(), expected = _expected.Weights[$"out.{row.GetProperty("name").GetString()}"].ToSingle();
        int[] ids = [.. _expected.Weights["input_ids"].ToInt64().Select(id => (int)id)];
        for (int i = 0; i < 3; i++)
        {
            Span<float> scores = logits.AsSpan(i * 64, 64);
            foreach (LogitsProcessor processor in processors)
                processor.Process(ids.AsSpan(i * 14, 14), scores);
            for (int token = 0; token < 64; token++)
            {
                float wanted = expected[i * 64 + token];
                Assert.That(scores[token], float.IsInfinity(wanted) ? Is.EqualTo(wanted) : Is.EqualTo(wanted).Within(1e-4 * Math.Abs(wanted)),
                    $"row {i}, token {token}");
            }
        }
    }

    // What transformers' own tests of its processors expect.
    [Test]
    public void The_nucleus_of_two_distributions()
    {
        Assert.That(Kept(TopP(0.8), 0.3f, 0.1f, 0.1f, 0.5f), Is.EqualTo(new[] { 0, 3 }));
        Assert.That(Kept(TopP(0.8), 0.15f, 0.3f, 0.3f, 0.25f), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(Kept(TopP(0), 0.3f, 0.1f, 0.1f, 0.5f), Is.EqualTo(new[] { 3 }), "0 leaves one");
        Assert.That(Kept(TopP(0.1, minTokensToKeep: 3), 0.3f, 0.15f, 0.05f, 0.5f), Is.EqualTo(new[] { 0, 1, 3 }));
    }

    [Test]
    public void Of_equal_scores_top_p_keeps_the_last_ones_as_an_ascending_sort_does() =>
        Assert.That(Kept(TopP(0.5), 0.25f, 0.25f, 0.25f, 0.25f), Is.EqualTo(new[] { 2, 3 }));

    [Test]
    public void Top_k_keeps_what_equals_the_last_of_k()
    {
        Assert.That(Kept(TopK(2), 0.1f, 0.4f, 0.25f, 0.25f), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(Kept(TopK(1, minTokensToKeep: 2), 0.1f, 0.5f, 0.3f, 0.1f), Is.EqualTo(new[] { 1, 2 }));
    }

    [Test]
    public void Typical_tokens_leave_out_the_most_probable_where_the_others_are_many()
    {
        Assert.That(Kept(Typical(0.5), 0.97f, 0.01f, 0.01f, 0.01f), Is.EqualTo(new[] { 0 }));
        Assert.That(Kept(Typical(0.5), 0.4f, 0.2f, 0.2f, 0.2f), Is.EqualTo(new[] { 1, 2, 3 }));
        // H is 1.28; −log p 0.92, 1.20, 1.61, 2.30: the second is closest and has the mass alone, but two are to stay
        Assert.That(Kept(Typical(0.1, minTokensToKeep: 2), 0.4f, 0.3f, 0.2f, 0.1f), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(Kept(Typical(0.1), 0.4f, 0.3f, 0.2f, 0.1f), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void Epsilon_eta_and_min_p_cut_at_a_probability()
    {
        Assert.That(Kept(Epsilon(0.1), 0.87f, 0.099f, 0.001f, 0.03f), Is.EqualTo(new[] { 0 }));
        Assert.That(Kept(Epsilon(0.1), 0.4f, 0.299f, 0.101f, 0.2f), Is.EqualTo(new[] { 0, 1, 2, 3 }));
        Assert.That(Kept(Epsilon(0.95), 0.4f, 0.3f, 0.1f, 0.2f), Is.EqualTo(new[] { 0 }), "one stays");
        Assert.That(Kept(Eta(0.0625), 0f, 0.1f, 0.8f, 0.1f), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(Kept(Eta(0.0625), 0.01f, 0.04f, 0.9f, 0.05f), Is.EqualTo(new[] { 2 }));
        Assert.That(Kept(MinP(0.2), 0.9f, 0.0274f, 0.047f, 0.0274f), Is.EqualTo(new[] { 0 }));
        Assert.That(Kept(MinP(0.2), 0.15f, 0.3f, 0.3f, 0.25f), Is.EqualTo(new[] { 0, 1, 2, 3 }));
        Assert.That(Kept(MinP(1, minTokensToKeep: 3), 0.2f, 0.4f, 0.2f, 0.2f), Is.EqualTo(new[] { 0, 1, 2 }), "of equals the first");
    }

    [Test]
    public void A_score_that_was_removed_stays_removed()
    {
        LogitsProcessor[] all =
        [
            new RepetitionPenaltyLogitsProcessor(1.3), new TemperatureLogitsWarper(0.5), TopK(3), TopP(0.99), MinP(0),
            Typical(0.99), Epsilon(0.001), Eta(0.001), new LogitNormalization(KernelOptions.Default),
        ];
        foreach (LogitsProcessor processor in all)
        {
            float[] scores = [-Inf, 1, 0.5f, -Inf];
            processor.Process([0, 1], scores);
            Assert.That((scores[0], scores[3]), Is.EqualTo((-Inf, -Inf)), processor.GetType().Name);
            Assert.That(float.IsFinite(scores[1]) && float.IsFinite(scores[2]), processor.GetType().Name);
        }
    }

    [Test]
    public void A_temperature_close_to_0_leaves_the_highest_score_finite()
    {
        float[] scores = [3, 10, -2];
        new TemperatureLogitsWarper(1e-38).Process([], scores);
        Assert.That(scores, Is.EqualTo(new[] { -Inf, 0, -Inf }));
    }

    [Test]
    public void Log_probabilities_add_up_to_1()
    {
        float[] scores = [0, MathF.Log(3)];
        new LogitNormalization(KernelOptions.Default).Process([], scores);
        Assert.That(scores, Is.EqualTo(new[] { MathF.Log(0.25f), MathF.Log(0.75f) }).Within(1e-6));
    }

    [Test]
    public void A_token_that_came_twice_is_penalised_once() =>
        Assert.That(Processed(new RepetitionPenaltyLogitsProcessor(2), [1, 2, 1], 1, 1, -1, 4), Is.EqualTo(new[] { 1, 0.5f, -2, 4 }));

    [Test]
    public void A_sequence_of_n_tokens_comes_once()
    {
        Assert.That(Processed(new NoRepeatNGramLogitsProcessor(2), [1, 1, 2, 1], 0, 0, 0, 0), Is.EqualTo(new[] { 0, -Inf, -Inf, 0 }));
        Assert.That(Processed(new NoRepeatNGramLogitsProcessor(3), [1, 1, 2, 1], 0, 0, 0, 0), Is.EqualTo(new[] { 0f, 0, 0, 0 }));
        Assert.That(Processed(new NoRepeatNGramLogitsProcessor(1), [3, 1], 0, 0, 0, 0), Is.EqualTo(new[] { 0, -Inf, 0, -Inf }));
        Assert.That(Processed(new NoRepeatNGramLogitsProcessor(3), [1], 0, 0, 0, 0), Is.EqualTo(new[] { 0f, 0, 0, 0 }));
    }

    [Test]
    public void A_bias_is_added_where_the_sequence_may_be_completed()
    {
        // What transformers' test_bias_dist_processor expects.
        var bias = new SequenceBiasLogitsProcessor([new([1], 100), new([4], -100), new([1, 0], 100), new([0, 1, 2], -50), new([1, 3, 1, 3], -100)]);
        Assert.That(Processed(bias, [0, 1, 3, 1], 0, 0, 0, 0, 0), Is.EqualTo(new[] { 100f, 100, 0, -100, -100 }));
        Assert.That(Processed(bias, [0, 1, 0, 1], 0, 0, 0, 0, 0), Is.EqualTo(new[] { 100f, 100, -50, 0, -100 }));
        var shortText = new SequenceBiasLogitsProcessor([new([1, 0], 5), new([1, 0], 7)]);
        Assert.That(Processed(shortText, [1], 0, 0), Is.EqualTo(new[] { 0f, 0 }), "a text shorter than the sequence");
        Assert.That(Processed(shortText, [1, 1], 0, 0), Is.EqualTo(new[] { 7f, 0 }), "the last of two biases");
    }

    [Test]
    public void Bad_words_are_not_completed_and_end_tokens_are_not_bad_words()
    {
        var bad = new NoBadWordsLogitsProcessor([[4], [1, 0], [0, 1, 2], [1, 3, 1, 3]], eosTokenId: [4]);
        Assert.That(Processed(bad, [0, 1, 3, 1], 0, 0, 0, 0, 0), Is.EqualTo(new[] { -Inf, 0, 0, -Inf, 0 }));
        Assert.That(Processed(bad, [0, 1, 0, 1], 0, 0, 0, 0, 0), Is.EqualTo(new[] { -Inf, 0, -Inf, 0, 0 }));
    }

    [Test]
    public void End_tokens_come_neither_too_early_nor_too_late()
    {
        Assert.That(Processed(new MinLengthLogitsProcessor(3, [0, 9]), [1, 1], 5, 6), Is.EqualTo(new[] { -Inf, 6 }));
        Assert.That(Processed(new MinLengthLogitsProcessor(3, [0]), [1, 1, 1], 5, 6), Is.EqualTo(new[] { 5f, 6 }));
        Assert.That(Processed(new MinNewTokensLengthLogitsProcessor(2, 1, [0]), [1, 1], 5, 6), Is.EqualTo(new[] { -Inf, 6 }));
        Assert.That(Processed(new MinNewTokensLengthLogitsProcessor(2, 1, [0]), [1, 1, 1], 5, 6), Is.EqualTo(new[] { 5f, 6 }));
        Assert.That(Processed(new ForcedEosTokenLogitsProcessor(3, [0]), [1, 1], 5, 6), Is.EqualTo(new[] { 0, -Inf }));
        Assert.That(Processed(new ForcedEosTokenLogitsProcessor(3, [0]), [1], 5, 6), Is.EqualTo(new[] { 5f, 6 }));
    }

    [Test]
    public void Suppressed_tokens_are_gone_at_once_or_for_ever()
    {
        Assert.That(Processed(new SuppressTokensLogitsProcessor([1]), [0, 0], 5, 6), Is.EqualTo(new[] { 5, -Inf }));
        Assert.That(Processed(new SuppressTokensAtBeginLogitsProcessor([1], beginIndex: 2), [0, 0], 5, 6), Is.EqualTo(new[] { 5, -Inf }));
        Assert.That(Processed(new SuppressTokensAtBeginLogitsProcessor([1], beginIndex: 2), [0, 0, 0], 5, 6), Is.EqualTo(new[] { 5f, 6 }));
    }

    private static TopPLogitsWarper TopP(double topP, int minTokensToKeep = 1) => new(topP, minTokensToKeep, KernelOptions.Default);

    private static TopKLogitsWarper TopK(int topK, int minTokensToKeep = 1) => new(topK, minTokensToKeep);

    private static MinPLogitsWarper MinP(double minP, int minTokensToKeep = 1) => new(minP, minTokensToKeep, KernelOptions.Default);

    private static TypicalLogitsWarper Typical(double mass, int minTokensToKeep = 1) => new(mass, minTokensToKeep, KernelOptions.Default);

    private static EpsilonLogitsWarper Epsilon(double epsilon) => new(epsilon, 1, KernelOptions.Default);

    private static EtaLogitsWarper Eta(double epsilon) => new(epsilon, 1, KernelOptions.Default);

    private static float[] Processed(LogitsProcessor processor, int[] ids, params float[] scores)
    {
        processor.Process(ids, scores);
        return scores;
    }

    private static int[] Kept(LogitsProcessor processor, params float[] probabilities)
    {
        float[] before = [.. probabilities.Select(p => MathF.Log(p))], after = [.. before];
        processor.Process([], after);
        int[] kept = [.. Enumerable.Range(0, after.Length).Where(token => after[token] > -Inf)];
        Assert.That(kept.Select(token => after[token]), Is.EqualTo(kept.Select(token => before[token])), "what stays is not changed");
        return kept;
    }
}
