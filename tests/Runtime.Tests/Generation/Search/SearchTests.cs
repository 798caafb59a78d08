using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class SearchTests
{
    private static readonly int[][] s_prompts = [[63, 150, 55, 171, 48, 9, 123, 133, 119, 169, 142, 72], [131, 33], [193, 87, 3, 228]];
    private static readonly GenerationOptions s_sampling = new() { MaxNewTokens = 24, EosTokenId = [], DoSample = true, Seed = 5, TopK = 0 };
    private CodeGenForCausalLM _model = null!;

    private static IEnumerable<TestCaseData> Cases()
    {
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllBytes(TestData.Reference("generation/cases.json")));
        foreach (JsonElement row in cases.RootElement.Clone().EnumerateArray())
            yield return new TestCaseData(row).SetArgDisplayNames(row.GetProperty("name").GetString()!);
    }

    [OneTimeSetUp]
    public void Load() => _model = PretrainedModels.Load<CodeGenForCausalLM>(TestData.Reference("generation"));

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [TestCaseSource(nameof(Cases))]
    public void Sequences_and_scores_equal_the_reference(JsonElement row)
    {
        GenerationOptions options = GenerationOptions.FromJson(row.GetProperty("options"), "options");
        int[][] ids = Rows(row, "input_ids"), expected = Rows(row, "sequences");
        GenerationOutput output = _model.GenerateBatch(ids, Rows(row, "attention_mask"), options);
        IReadOnlyList<int> ends = options.EosTokenId ?? _model.Config.EosTokenId;
        Assert.That(PaddedPrompts.Sequences(ids, output, options.PadTokenId ?? ends[0]), Is.EqualTo(expected));
        if (row.TryGetProperty("sequences_scores", out JsonElement scores))
            Assert.That(output.Sequences.Select(one => one.Score), Is.EqualTo(scores.EnumerateArray().Select(score => score.GetDouble())).Within(1e-4));
    }

    [Test]
    public void There_are_cases_of_all_kinds() => Assert.That(Cases().Count(), Is.EqualTo(17));

    [Test]
    public void A_row_that_ended_leaves_the_batch_and_the_others_go_on_as_alone()
    {
        var options = new GenerationOptions { MaxNewTokens = 24, EosTokenId = [92, 74] };
        IReadOnlyList<int[]> together = _model.Generate(s_prompts, options);
        Assert.That(together.Select(tokens => tokens.Length).Distinct().Count(), Is.GreaterThan(1), "rows end at different steps");
        for (int i = 0; i < s_prompts.Length; i++)
            Assert.That(together[i], Is.EqualTo(_model.Generate([s_prompts[i]], options)[0]));
    }

    [Test]
    public void More_prompts_than_one_pass_holds_keep_their_order([Values] bool sample)
    {
        int[][] prompts = [.. Enumerable.Range(0, 20).Select(i => Enumerable.Range(5 + i, 1 + i % 4).ToArray())];
        GenerationOptions options = sample ? s_sampling : new GenerationOptions { MaxNewTokens = 4, EosTokenId = [] };
        IReadOnlyList<int[]> together = _model.Generate(prompts, options);
        for (int i = 0; i < prompts.Length; i++)
            Assert.That(together[i], Is.EqualTo(_model.Generate([prompts[i]], options)[0]));
    }

    [Test]
    public void A_seed_gives_the_same_texts_whatever_the_threads_and_the_number_of_texts()
    {
        var several = s_sampling with { NumReturnSequences = 11 };
        IReadOnlyList<int[]> texts = _model.Generate([s_prompts[0]], several);
        Assert.That(texts.Select(text => string.Join(' ', text)).Distinct().Count(), Is.EqualTo(11), "texts of one prompt differ");
        Assert.That(_model.Generate([s_prompts[0]], s_sampling)[0], Is.EqualTo(texts[0]));
        using var alone = PretrainedModels.Load<CodeGenForCausalLM>(TestData.Reference("generation"), new LoadOptions { Kernels = new() { MaxThreads = 1 } });
        Assert.That(alone.Generate([s_prompts[0]], several), Is.EqualTo(texts));
        Assert.That(_model.Generate([s_prompts[0]], s_sampling with { Seed = 6 })[0], Is.Not.EqualTo(texts[0]));
        IReadOnlyList<int[]> unseeded = [.. Enumerable.Range(0, 2).Select(_ => _model.Generate([s_prompts[0]], s_sampling with { Seed = null })[0])];
        Assert.That(unseeded[0], Is.Not.EqualTo(unseeded[1]));
    }

    [Test]
    public void Several_texts_of_a_prompt_pay_for_reading_it_once()
    {
        GenerationUsage usage = _model.GenerateSequences([s_prompts[0]], s_sampling with { NumReturnSequences = 8 }).Usage;
        Assert.That((usage.PromptTokens, usage.CachedTokens, usage.NewTokens, usage.Passes), Is.EqualTo((8 * 12, 7 * 12, 8 * 24, 23)));
    }

    [Test]
    public void Tokens_are_drawn_with_their_probabilities()
    {
        float[] scores = [MathF.Log(0.5f), float.NegativeInfinity, MathF.Log(0.3f), MathF.Log(0.15f), MathF.Log(0.05f)];
        const int Draws = 20_000;
        var counts = new int[scores.Length];
        for (int seed = 0; seed < Draws / 10; seed++)
            for (int place = 0; place < 10; place++)
                counts[new TokenNoise(seed, 0).Draw(scores, place)]++;
        Assert.That(counts[1], Is.Zero);
        double chiSquare = scores.Select((score, i) => i == 1 ? 0 : Math.Pow(counts[i] - Draws * Math.Exp(score), 2) / (Draws * Math.Exp(score))).Sum();
        Assert.That(chiSquare, Is.LessThan(16.27), "3 degrees of freedom, 0.1 %");
    }

    [Test]
    public void Beams_that_are_drawn_differ_by_seed_and_repeat_with_it()
    {
        GenerationOptions options = new() { MaxNewTokens = 12, EosTokenId = [], DoSample = true, Seed = 3, NumBeams = 3, NumReturnSequences = 2 };
        IReadOnlyList<int[]> first = _model.Generate(s_prompts, options);
        Assert.That(first, Has.Count.EqualTo(6));
        Assert.That(_model.Generate(s_prompts, options), Is.EqualTo(first));
        Assert.That(_model.Generate(s_prompts, options with { Seed = 4 }), Is.Not.EqualTo(first));
    }

    [Test]
    public void More_beams_than_one_pass_holds_are_searched_too()
    {
        GenerationOptions options = new() { MaxNewTokens = 6, EosTokenId = [], NumBeams = 11, NumReturnSequences = 11 };
        GenerationOutput output = _model.GenerateSequences([s_prompts[0]], options);
        Assert.That(output.Sequences.Select(one => one.Score), Is.Ordered.Descending);
        foreach (GeneratedSequence found in output.Sequences)
            Assert.That(found.Score, Is.EqualTo(LogProbability(s_prompts[0], found.TokenIds) / 6).Within(1e-4));
    }

    [Test]
    public void Log_probabilities_are_those_of_the_models_own_scores()
    {
        GenerationOptions options = s_sampling with { Temperature = 0.5, TopLogProbabilities = 3, RepetitionPenalty = 1.2 };
        GeneratedSequence text = _model.GenerateSequences([s_prompts[0]], options).Sequences[0];
        Assert.That(text.LogProbabilities!.Select(one => one.TokenId), Is.EqualTo(text.TokenIds));
        Assert.That(text.LogProbabilities!.Sum(one => one.LogProbability), Is.EqualTo(LogProbability(s_prompts[0], text.TokenIds)).Within(1e-3));
        foreach (TokenProbability one in text.LogProbabilities!)
        {
            Assert.That(one.Alternatives.Select(top => top.LogProbability), Is.Ordered.Descending);
            Assert.That(one.Alternatives, Has.Count.EqualTo(3));
            Assert.That(one.Alternatives[0].LogProbability, Is.GreaterThanOrEqualTo(one.LogProbability));
        }
    }

    [Test]
    public void Greedy_steps_allocate_nothing()
    {
        var plan = new GenerationPlan(_model, SearchPrompt.Of([s_prompts[0]]), new() { MaxNewTokens = 64, EosTokenId = [] }, new());
        using var search = new TokenSearch(plan);
        for (int i = 0; i < 8; i++)
            search.MoveNext(CancellationToken.None);
        Assert.That(ManagedTransformers.Testing.Allocations.Of(() =>
        {
            for (int i = 0; i < 8; i++)
                search.MoveNext(CancellationToken.None);
        }), Is.Zero);
        Assert.That(search.Rows[0].Generated.Length, Is.EqualTo(48));
    }

    [Test]
    public void Scores_that_leave_no_token_are_refused()
    {
        int[] all = [.. Enumerable.Range(0, _model.Config.VocabSize)];
        Assert.That(() => _model.Generate([s_prompts[0]], new GenerationOptions { SuppressTokens = all }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("no token"));
        Assert.That(() => _model.Generate([s_prompts[0]], new GenerationOptions { SuppressTokens = all, NumBeams = 2 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("no token"));
        Assert.That(() => _model.Generate([s_prompts[0]], new GenerationOptions { StopStrings = ["x"] }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("tokenizer"));
    }

    [Test]
    public void A_score_that_no_number_is_is_refused_with_the_name_of_its_processor(
        [Values(float.NaN, float.PositiveInfinity)] float score, [Values(1, 3)] int beams, [Values] bool sample)
    {
        var options = new GenerationOptions { MaxNewTokens = 4, NumBeams = beams, DoSample = sample, LogitsProcessors = [new Spoiler(score)] };
        Assert.That(() => _model.Generate([s_prompts[0]], options), Throws.TypeOf<ModelInputException>()
            .With.Message.Contains($"Spoiler made the score of token 3 {(float.IsNaN(score) ? "NaN" : "+∞")}")
            .And.Message.Contains("numbers are needed, or −∞"));
        Assert.That(() => _model.Generate([s_prompts[0]], options with { LogitsProcessors = [new Spoiler(float.NegativeInfinity)] }), Throws.Nothing);
    }

    [Test]
    public void A_bias_of_plus_infinity_is_refused() => Assert.That(
        () => _model.Generate([s_prompts[0]], new GenerationOptions { SequenceBias = [new SequenceBias([5], float.PositiveInfinity)] }),
        Throws.TypeOf<ModelInputException>().With.Message.Contains("to the score of token 5").And.Message.Contains("a number is needed, or −∞"));

    private sealed class Spoiler(float score) : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => scores[3] = score;
    }

    // Σ ln p(token | before), from the scores of one pass over all of it.
    private double LogProbability(int[] prompt, IReadOnlyList<int> tokens)
    {
        using Session session = _model.CreateSession();
        FloatTensor logits = _model.Forward([.. prompt, .. tokens], session).Logits;
        return tokens.Select((token, i) => LogOf(logits.Row(prompt.Length - 1 + i), token)).Sum();
    }

    private static double LogOf(ReadOnlySpan<float> scores, int token)
    {
        double sum = 0;
        foreach (float score in scores)
            sum += Math.Exp(score);
        return scores[token] - Math.Log(sum);
    }

    private static int[][] Rows(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(array => array.Ints())];
}
