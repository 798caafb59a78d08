using ManagedTransformers.Kernels;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The warpers put in order only what they keep; here they meet a full sort, over as many tokens as CodeGen has.</summary>
public sealed class LargeVocabularyTests
{
    private const int VocabSize = 51_200;
    private static readonly KernelOptions s_kernels = KernelOptions.Default;

    private static IEnumerable<TestCaseData> All() => new LogitsProcessor[]
    {
        new RepetitionPenaltyLogitsProcessor(1.2), new NoRepeatNGramLogitsProcessor(3), new NoBadWordsLogitsProcessor([[7, 8]], []),
        new SequenceBiasLogitsProcessor([new([5], 1)]),
        new MinLengthLogitsProcessor(999, [2]), new MinNewTokensLengthLogitsProcessor(3, 999, [2]), new ForcedEosTokenLogitsProcessor(999, [2]),
        new SuppressTokensLogitsProcessor([4]), new SuppressTokensAtBeginLogitsProcessor([4], 200), new TemperatureLogitsWarper(0.9),
        new TopKLogitsWarper(400, 1), new TopPLogitsWarper(0.9, 1, s_kernels),
        new MinPLogitsWarper(0.9, 5, s_kernels), new TypicalLogitsWarper(0.9, 1, s_kernels),
        new EpsilonLogitsWarper(0.001, 1, s_kernels), new EtaLogitsWarper(0.001, 1, s_kernels),
        new LogitNormalization(s_kernels),
    }.Select(processor => new TestCaseData(processor).SetArgDisplayNames(processor.GetType().Name));

    [Test]
    public void Top_k_keeps_what_a_full_sort_keeps([Values(1, 2, 50, 1000, VocabSize - 1, VocabSize, VocabSize + 1)] int k)
    {
        float[] before = Scores(seed: 1), after = [.. before];
        new TopKLogitsWarper(k, 1).Process([], after);
        float lowest = before.OrderDescending().ElementAt(Math.Min(k, VocabSize) - 1);
        Assert.That(before.Select(score => score < lowest ? float.NegativeInfinity : score).SequenceEqual(after));
    }

    [Test]
    public void Top_p_keeps_what_a_full_sort_keeps([Values(0.01, 0.5, 0.9, 0.9999)] double p, [Values(1, 3)] int keep)
    {
        float[] before = Scores(seed: 2), after = [.. before];
        new TopPLogitsWarper(p, keep, s_kernels).Process([], after);
        double[] probabilities = Softmax(before);
        int[] ascending = [.. Enumerable.Range(0, VocabSize).OrderBy(token => before[token])];
        double cumulated = 0;
        var wrong = new List<int>();
        for (int i = 0; i < VocabSize; i++)
        {
            cumulated += probabilities[ascending[i]];
            // Where rounding decides, either may be right.
            if (Math.Abs(cumulated - (1 - p)) > 1e-5 && float.IsNegativeInfinity(after[ascending[i]]) != (cumulated <= 1 - p && i < VocabSize - keep))
                wrong.Add(i);
        }
        Assert.That(wrong, Is.Empty);
    }

    [Test]
    public void Typical_keeps_what_a_full_sort_keeps([Values(0.1, 0.5, 0.95)] double mass)
    {
        float[] before = Scores(seed: 3), after = [.. before];
        new TypicalLogitsWarper(mass, 1, s_kernels).Process([], after);
        double[] probabilities = Softmax(before);
        double entropy = -probabilities.Sum(p => p * Math.Log(p));
        double[] distances = [.. probabilities.Select(p => Math.Abs(-Math.Log(p) - entropy))];
        int[] order = [.. Enumerable.Range(0, VocabSize).OrderBy(token => distances[token])];
        double cumulated = 0;
        double last = distances[order.First(token => (cumulated += probabilities[token]) >= mass)];
        Assert.That(order.Where(token => Math.Abs(distances[token] - last) > 1e-4 && float.IsNegativeInfinity(after[token]) != distances[token] > last),
            Is.Empty);
    }

    [TestCaseSource(nameof(All))]
    public void A_call_allocates_nothing(LogitsProcessor processor)
    {
        float[] original = Scores(seed: 4), scores = [.. original];
        int[] ids = [.. Enumerable.Range(0, 200).Select(i => i % 90)];
        processor.Process(ids, scores);                       // fills the pool
        Assert.That(ManagedTransformers.Testing.Allocations.Of(() =>
        {
            original.CopyTo(scores, 0);
            processor.Process(ids, scores);
        }), Is.Zero);
    }

    // Steps of 1/64, so that many are equal.
    private static float[] Scores(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, VocabSize).Select(_ => random.Next(-640, 640) / 64f)];
    }

    private static double[] Softmax(float[] scores)
    {
        double max = scores.Max(), sum = scores.Sum(score => Math.Exp(score - max));
        return [.. scores.Select(score => Math.Exp(score - max) / sum)];
    }
}
