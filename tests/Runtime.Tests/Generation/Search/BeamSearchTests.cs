using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Beam search against transformers' loop written down once more: whole sequences, no cache, no arrays that are reused.</summary>
[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class BeamSearchTests(string family)
{
    private const int VocabSize = 9;
    private DecoderForCausalLM _model = null!;

    private static IEnumerable<GenerationOptions> Cases()
    {
        var plain = new GenerationOptions { MaxNewTokens = 9, NumBeams = 3, NumReturnSequences = 3 };
        foreach (int[] ends in new int[][] { [], [4], [4, 7], [2, 4, 7] })
            foreach (EarlyStopping early in Enum.GetValues<EarlyStopping>())
                foreach (double penalty in new[] { 1, 0, -1.5, 2.5 })
                    yield return plain with { EosTokenId = ends, EarlyStopping = early, LengthPenalty = penalty };
        yield return plain with { EosTokenId = [4], NumBeams = 8, NumReturnSequences = 5 };
        yield return plain with { EosTokenId = [4, 7], MinNewTokens = 5 };
        yield return plain with { EosTokenId = [4], MinLength = 7 };
        yield return plain with { EosTokenId = [4], ForcedEosTokenId = [4] };
        yield return plain with { EosTokenId = [4], RepetitionPenalty = 1.7, BeginSuppressTokens = [0, 3], SuppressTokens = [8] };
        yield return plain with { EosTokenId = [4], NumBeams = 2, NumReturnSequences = 1, MaxNewTokens = 1 };
    }

    [OneTimeSetUp]
    public void Load() => _model = TinyDecoder.Model(VocabSize, family: family);

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [TestCaseSource(nameof(Cases))]
    public void Texts_and_scores_are_those_of_the_loop_written_plainly(GenerationOptions options)
    {
        int[][] prompts = [[5, 3, 6], [8], [2, 2, 5, 0, 1]];
        foreach (int[] prompt in prompts)
        {
            GenerationOutput output = _model.GenerateSequences([prompt], options);
            List<(int[] Tokens, double Score)> expected = Plain(prompt, options);
            Assert.That(output.Sequences.Select(one => one.TokenIds), Is.EqualTo(expected.Select(one => one.Tokens)));
            Assert.That(output.Sequences.Select(one => one.Score!.Value), Is.EqualTo(expected.Select(one => one.Score)).Within(0.001).Percent);
            Assert.That(output.Usage.NewTokens, Is.EqualTo(output.Sequences.Sum(one => one.TokenIds.Count)));
            Assert.That(output.Usage.PromptTokens, Is.EqualTo(prompt.Length));
        }
        GenerationOutput together = _model.GenerateSequences(prompts, options with { MinLength = null });
        for (int i = 0; i < prompts.Length; i++)
            Assert.That(together.Sequences.Where(one => one.PromptIndex == i).Select(one => one.TokenIds),
                Is.EqualTo(_model.GenerateSequences([prompts[i]], options with { MinLength = null }).Sequences.Select(one => one.TokenIds)));
    }

    [Test]
    public void Of_several_end_tokens_the_first_is_written_whichever_came()
    {
        var options = new GenerationOptions { MaxNewTokens = 9, NumBeams = 2, EosTokenId = [3, 6], LogitsProcessors = [new TinyDecoder.Script(1, [5, 5, 6])] };
        GeneratedSequence best = _model.GenerateSequences([[2]], options).Sequences[0];
        Assert.That((best.TokenIds, best.FinishReason), Is.EqualTo((new[] { 5, 5, 3 }, FinishReason.EndToken)));
    }

    [Test]
    public void More_beams_than_tokens_are_searched_and_one_possible_token_is_taken()
    {
        var many = new GenerationOptions { MaxNewTokens = 4, NumBeams = 20, EosTokenId = [] };
        Assert.That(_model.GenerateSequences([[5]], many).Sequences[0].Score, Is.EqualTo(Plain([5], many)[0].Score).Within(1e-4));
        var single = many with { NumBeams = 3, SuppressTokens = [0, 1, 2, 3, 4, 5, 6, 8] };
        Assert.That(_model.Generate([[5]], single)[0], Is.EqualTo(new[] { 7, 7, 7, 7 }));
        Assert.That(_model.Generate([[5]], single with { DoSample = true, Seed = 1 })[0], Is.EqualTo(new[] { 7, 7, 7, 7 }));
    }

    [Test]
    public void Time_counts_from_the_call_on_for_all_prompts()
    {
        var options = new GenerationOptions { MaxNewTokens = 8, NumBeams = 2, EosTokenId = [], MaxTime = TimeSpan.FromTicks(1) };
        GenerationOutput output = _model.GenerateSequences([[5], [6], [7]], options);
        Assert.That(output.Sequences.Select(one => (one.TokenIds.Count, one.FinishReason)), Is.All.EqualTo((1, FinishReason.MaxTime)));
    }

    // transformers 4.46: GenerationMixin._beam_search, BeamSearchScorer.process and finalize, BeamHypotheses.
    private List<(int[] Tokens, double Score)> Plain(int[] prompt, GenerationOptions options)
    {
        (int beams, double penalty, int most) = (options.NumBeams!.Value, options.LengthPenalty ?? 1, options.MaxNewTokens!.Value);
        IReadOnlyList<int> ends = options.EosTokenId!;
        LogitsProcessor[] processors = LogitsProcessors.For(options, prompt.Length, prompt.Length + most, ends, KernelOptions.Default);
        var hypotheses = new List<(int[] Tokens, double Score)>();
        var open = Enumerable.Range(0, beams).Select(beam => (Ids: prompt, Sum: beam == 0 ? 0f : -1e9f)).ToList();
        double worst = 1e9;
        void Add(int[] tokens, double sum, int length)
        {
            double score = sum / Math.Pow(length, penalty);
            if (hypotheses.Count >= beams && score <= worst)
                return;
            hypotheses.Add((tokens, score));
            if (hypotheses.Count > beams)
                hypotheses.RemoveAt(hypotheses.IndexOf(hypotheses.MinBy(one => one.Score)));
            worst = hypotheses.Min(one => one.Score);
        }
        for (int length = 1; ; length++)
        {
            var candidates = new List<(int Beam, int Token, float Score)>();
            for (int beam = 0; beam < beams; beam++)
            {
                float[] scores = LogSoftmax(open[beam].Ids);
                foreach (LogitsProcessor processor in processors)
                    processor.Process(open[beam].Ids, scores);
                candidates.AddRange(scores.Select((score, token) => (beam, token, score + open[beam].Sum)));
            }
            candidates = [.. candidates.OrderByDescending(one => one.Score).Take(Math.Max(2, 1 + ends.Count) * beams)];
            var next = new List<(int[] Ids, float Sum)>();
            for (int rank = 0; rank < candidates.Count && next.Count < beams; rank++)
            {
                (int beam, int token, float score) = candidates[rank];
                if (!ends.Contains(token))
                    next.Add(([.. open[beam].Ids, token], score));
                else if (rank < beams)
                    Add([.. open[beam].Ids[prompt.Length..], ends[0]], score, length);
            }
            open = next;
            double reachable = candidates[0].Score / Math.Pow(options.EarlyStopping == EarlyStopping.Never && penalty > 0 ? most : length, penalty);
            if (hypotheses.Count >= beams && (options.EarlyStopping == EarlyStopping.True || worst >= reachable))
                break;
            if (length < most)
                continue;
            foreach ((int[] ids, float sum) in open)
                Add(ids[prompt.Length..], sum, length);
            break;
        }
        // Python sorts upwards, stably, and takes from the end.
        return [.. Enumerable.Reverse(hypotheses).OrderByDescending(one => one.Score).Take(options.NumReturnSequences ?? 1)];
    }

    private float[] LogSoftmax(int[] ids)
    {
        using Session session = _model.CreateSession();
        float[] scores = _model.Forward(ids, session).Logits.Row(ids.Length - 1).ToArray();
        double logSum = Math.Log(scores.Sum(score => Math.Exp(score)));
        return [.. scores.Select(score => score - (float)logSum)];
    }
}
