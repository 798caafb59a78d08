using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class SamplingTests(string family)
{
    private const int VocabSize = 40;
    private static readonly int[][] s_prompts = [[5, 3, 6, 5, 3, 6, 5], [8], [2, 2, 5, 0, 1], [30, 31, 30, 31, 30]];
    private DecoderForCausalLM _model = null!;

    private static IEnumerable<GenerationOptions> Histories()
    {
        var plain = new GenerationOptions { MaxNewTokens = 24, EosTokenId = [7], DoSample = true, Seed = -9, TopK = 0 };
        yield return plain;
        yield return plain with { RepetitionPenalty = 1.3, NoRepeatNgramSize = 3 };
        yield return plain with { BadWordsIds = [[3, 6], [12]], SequenceBias = [new([5, 3], 4)], MinNewTokens = 12 };
        yield return plain with { TopP = 0.8, Temperature = 0.7, LogitsProcessors = [new ByLength()] };
        yield return plain with { ForcedEosTokenId = [7], BeginSuppressTokens = [5], KeyValueType = Kernels.WeightType.BF16 };
    }

    [OneTimeSetUp]
    public void Load() => _model = TinyDecoder.Model(VocabSize, family: family);

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [TestCaseSource(nameof(Histories))]
    public void A_seed_gives_a_prompt_its_text_in_any_batch_and_with_any_draft(GenerationOptions options)
    {
        int[][] alone = [.. s_prompts.Select(prompt => _model.Generate([prompt], options)[0])];
        Assert.That(_model.Generate(s_prompts, options), Is.EqualTo(alone), "in a batch");
        Assert.That(_model.Generate([.. s_prompts.Reverse()], options).Reverse(), Is.EqualTo(alone), "in another order");
        IReadOnlyList<int[]> several = _model.Generate(s_prompts, options with { NumReturnSequences = 3 });
        Assert.That(several.Where((_, i) => i % 3 == 0), Is.EqualTo(alone), "with more texts of each");
        Assert.That(_model.Generate(s_prompts, options with { PromptLookupNumTokens = 5 }), Is.EqualTo(alone), "with lookup");
        DecoderForCausalLM other = TinyDecoder.Model(VocabSize, seed: 8, family: family), brief = TinyDecoder.Model(VocabSize, positions: 9, family: family);
        foreach (DecoderForCausalLM small in new[] { _model, other, brief })
        {
            var plan = new GenerationPlan(_model, SearchPrompt.Of(s_prompts), options, new());
            using var search = new TokenSearch(plan, new DraftModel(small, s_prompts.Length * plan.Sequences, plan.MaxLength, plan), session: null);
            while (search.MoveNext(CancellationToken.None))
            {
            }
            Assert.That(search.Rows.Select(row => row.Generated.ToArray()), Is.EqualTo(alone), "with a draft model");
            Assert.That(search.Usage.NewTokens, Is.EqualTo(alone.Sum(text => text.Length)));
            Assert.That(search.Usage.AcceptedTokens, Is.LessThanOrEqualTo(search.Usage.DraftedTokens));
        }
    }

    [Test]
    public void Every_seed_is_one_of_its_own([Values(0, -1, 1, long.MinValue, long.MaxValue)] long seed)
    {
        GenerationOptions options = new() { MaxNewTokens = 16, EosTokenId = [], DoSample = true, Seed = seed, TopK = 0, Temperature = 3 };
        int[] text = _model.Generate([[5]], options)[0];
        Assert.That(_model.Generate([[5]], options)[0], Is.EqualTo(text));
        Assert.That(_model.Generate([[5]], options with { Seed = seed ^ 2 })[0], Is.Not.EqualTo(text));
    }

    [Test]
    public void Equal_scores_give_the_first_token_and_a_temperature_near_0_the_best()
    {
        Assert.That(TokenNoise.Best([1, 3, 3, 2]), Is.EqualTo(1));
        Assert.That(TokenNoise.Best([2, 2, 2]), Is.Zero);
        var greedy = new GenerationOptions { MaxNewTokens = 16, EosTokenId = [] };
        var cold = greedy with { DoSample = true, Temperature = 1e-30, Seed = 4 };
        Assert.That(_model.Generate(s_prompts, cold), Is.EqualTo(_model.Generate(s_prompts, greedy)));
        int[] others = [.. Enumerable.Range(0, VocabSize).Where(token => token != 11)];
        Assert.That(_model.Generate([[5]], greedy with { DoSample = true, Seed = 4, SuppressTokens = others })[0], Is.All.EqualTo(11));
    }

    [Test]
    public void A_batch_of_eight_and_lookup_allocate_nothing_for_a_token()
    {
        // A collection in between may empty pools, which are filled once more: the least of three runs counts.
        foreach (bool lookup in new[] { false, true })
        {
            long spent = Enumerable.Range(0, 3).Min(_ => SpentOnTokens(lookup));
            // A pass wider than all before it may make the workspace grow, once.
            Assert.That(spent, lookup ? Is.LessThan(64 * 1024) : Is.Zero);
        }
    }

    private long SpentOnTokens(bool lookup)
    {
        var options = new GenerationOptions { MaxNewTokens = 56, EosTokenId = [], PromptLookupNumTokens = lookup ? 3 : null };
        int[][] prompts = [.. Enumerable.Range(1, lookup ? 2 : 8).Select(i => new[] { i, i + 1, i })];
        using var search = new TokenSearch(new GenerationPlan(_model, SearchPrompt.Of(prompts), options, new()));
        while (search.Rows[^1].Generated.Length < 16)
            search.MoveNext(CancellationToken.None);
        long before = GC.GetAllocatedBytesForCurrentThread();
        while (search.Ended == 0)
            search.MoveNext(CancellationToken.None);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private sealed class ByLength : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => scores[inputIds.Length % scores.Length] += 3;
    }
}

/// <summary>The random numbers behind the draws.</summary>
public sealed class TokenNoiseTests
{
    [Test]
    public void Neighbouring_places_seeds_and_numbers_draw_independently()
    {
        // 16 equally probable tokens: of two independent draws each of the 256 pairs is equally frequent.
        const int Draws = 25_600;
        float[] even = new float[16];
        int Draw(long seed, int number, int place) => new TokenNoise(seed, number).Draw(even, place);
        foreach ((string what, Func<int, (int, int)> pair) in new (string, Func<int, (int, int)>)[]
        {
            ("places", i => (Draw(1, 0, i), Draw(1, 0, i + 1))),
            ("seeds", i => (Draw(i, 0, 3), Draw(i + 1, 0, 3))),
            ("numbers", i => (Draw(1, i, 3), Draw(1, i + 1, 3))),
            ("seed and number", i => (Draw(i, 1, 0), Draw(i + 1, 0, 0))),
            ("number and place", i => (Draw(5, i, 1), Draw(5, i + 1, 0))),
        })
        {
            var counts = new int[256];
            for (int i = 0; i < Draws; i++)
            {
                (int first, int second) = pair(i);
                counts[first * 16 + second]++;
            }
            double chiSquare = counts.Sum(count => Math.Pow(count - Draws / 256.0, 2) / (Draws / 256.0));
            Assert.That(chiSquare, Is.InRange(190, 331), $"{what}: 255 degrees of freedom, 0.1 % on either side");
        }
    }

    [Test]
    public void Numbers_of_neighbouring_tokens_are_independent()
    {
        const int Count = 50_000;
        var values = new float[Count + 8];
        float[] race = new TokenNoise(7, 0).Race(new float[Count + 8], place: 0);
        for (int i = 0; i < values.Length; i++)
            values[i] = MathF.Exp(-MathF.Exp(-race[i]));            // Gumbel to uniform
        Assert.That(values.Average(), Is.EqualTo(0.5).Within(4 * Math.Sqrt(1.0 / 12 / Count)));
        for (int lag = 1; lag <= 8; lag++)
        {
            double correlation = 12 * Enumerable.Range(0, Count).Average(i => (values[i] - 0.5) * (values[i + lag] - 0.5));
            Assert.That(correlation, Is.EqualTo(0).Within(4 / Math.Sqrt(Count)), $"lag {lag}");
        }
    }
}
