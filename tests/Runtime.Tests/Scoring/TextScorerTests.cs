using System.Globalization;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class TextScorerTests
{
    private const string Code = "def add(a, b):\n    return a + b\n";
    private const int EndOfText = 8188;
    private static readonly ScoringOptions Bare = new() { AddBeginOfText = false };
    private TextScorer _scorer = null!;
    private CodeGenForCausalLM _model = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _scorer = TextScorer.Load(TestData.Model("demo-codegen"));
        _model = (CodeGenForCausalLM)_scorer.Model;
    }

    [OneTimeTearDown]
    public void Dispose() => _scorer.Dispose();

    [Test]
    public void Log_probabilities_are_the_log_softmax_of_the_logits_before_each_token()
    {
        TextScore score = _scorer.Score(Code);
        double[] expected = SlowLogProbabilities([EndOfText, .. _scorer.Tokenizer.Encode(Code).Ids]);
        Assert.That(score.Tokens.Select(token => token.LogProbability), Is.EqualTo(expected).Within(1e-4));
        Assert.That(score.LogProbability, Is.EqualTo(expected.Sum()).Within(1e-3));
        Assert.That(score.TokenCount, Is.EqualTo(expected.Length));
        Assert.That(score.Perplexity, Is.EqualTo(Math.Exp(-expected.Average())).Within(1e-3));
        Assert.That(_scorer.Perplexity(Code), Is.EqualTo(score.Perplexity));
    }

    [Test]
    public void Without_a_token_that_begins_the_text_its_first_token_does_not_count()
    {
        TextScore score = _scorer.Score(Code, Bare);
        double[] expected = SlowLogProbabilities(_scorer.Tokenizer.Encode(Code).Ids);
        Assert.That(score.Tokens.Select(token => token.LogProbability), Is.EqualTo(expected).Within(1e-4));
        Assert.That(score.Tokens[0].Start, Is.EqualTo("def".Length));
        Assert.That((score.Bytes, score.Characters), Is.EqualTo((Code.Length - 3, Code.Length - 3)));
    }

    [Test]
    public void Tokens_tell_where_they_stand_and_what_they_say()
    {
        const string text = "x = 'é😀'";
        TextScore score = _scorer.Score(text);
        Assert.That(score.Tokens.Select(token => token.TokenId), Is.EqualTo(_scorer.Tokenizer.Encode(text).Ids));
        Assert.That(score.Tokens[^1], Is.EqualTo(score.Tokens[^1] with { TokenText = "'", Start = 8, End = 9, CodePointStart = 7, CodePointEnd = 8 }));
        Assert.That(score.Tokens[1].Token, Is.EqualTo("Ġ="));
        Assert.That(score.Tokens[1].TokenText, Is.EqualTo(" ="));
        Assert.That((score.Bytes, score.Characters), Is.EqualTo((12, 8)), "é is 2 bytes, the emoji 4 and a surrogate pair");
        Assert.That(score.BitsPerByte * 12, Is.EqualTo(score.BitsPerCharacter * 8).Within(1e-9));
        Assert.That(score.BitsPerByte * 12 * Math.Log(2), Is.EqualTo(-score.LogProbability).Within(1e-9));
        Assert.That(_scorer.Score(text, new ScoringOptions { OutputTokens = false }).Tokens, Is.Empty);
    }

    [Test]
    public void A_character_of_which_one_token_is_not_scored_counts_as_a_whole()
    {
        Assert.That(_scorer.Tokenizer.Encode("é").Length, Is.EqualTo(2));
        TextScore score = _scorer.Score("é", Bare);
        Assert.That((score.TokenCount, score.Bytes, score.Characters), Is.EqualTo((1, 2, 1)));
    }

    [Test]
    public void Alternatives_are_the_likeliest_tokens_and_all_of_them_together_have_probability_1()
    {
        foreach (TokenScore token in _scorer.Score(Code, new ScoringOptions { TopK = 5 }).Tokens)
        {
            Assert.That(token.Alternatives, Has.Count.EqualTo(5));
            Assert.That(token.Alternatives.Select(one => one.LogProbability), Is.Ordered.Descending);
            int among = token.Alternatives.ToList().FindIndex(one => one.TokenId == token.TokenId);
            Assert.That(token.Rank, among < 0 ? Is.GreaterThan(5) : Is.EqualTo(among + 1));
            Assert.That(token.LogProbability,
                among < 0 ? Is.LessThanOrEqualTo(token.Alternatives[^1].LogProbability) : Is.EqualTo(token.Alternatives[among].LogProbability));
        }
        TokenScore whole = _scorer.Score("x", new ScoringOptions { TopK = 100_000 }).Tokens[0];
        Assert.That(whole.Alternatives, Has.Count.EqualTo(8192));
        Assert.That(whole.Alternatives.Sum(one => Math.Exp(one.LogProbability)), Is.EqualTo(1).Within(1e-5));
        Assert.That(whole.Alternatives[whole.Rank - 1].TokenId, Is.EqualTo(whole.TokenId));
    }

    [Test]
    public void The_greedy_continuation_has_rank_1_everywhere()
    {
        using TextGenerator generator = TextGenerator.Create(_model, _scorer.Tokenizer);
        string continuation = generator.Generate("def hello_world():", new GenerationOptions { MaxNewTokens = 12 });
        Assert.That(_scorer.ScoreContinuation("def hello_world():", continuation, Bare).Tokens.Select(token => token.Rank), Is.All.EqualTo(1));
    }

    [Test]
    public void Context_and_continuation_together_are_the_text()
    {
        TextScore context = _scorer.Score("def add(a, b):\n"), continuation = _scorer.ScoreContinuation("def add(a, b):\n", "    return a + b\n"),
            whole = _scorer.Score(Code);
        Assert.That(continuation.TokenCount, Is.EqualTo(whole.TokenCount - context.TokenCount));
        Assert.That(context.LogProbability + continuation.LogProbability, Is.EqualTo(whole.LogProbability).Within(1e-3));
        Assert.That(continuation.Tokens[0].Start, Is.Zero);
        Assert.That(continuation.Bytes, Is.EqualTo("    return a + b\n".Length));
        Assert.That(_scorer.ScoreContinuation("", Code).LogProbability, Is.EqualTo(whole.LogProbability));
    }

    [TestCase(512)]
    [TestCase(8, Description = "the context fits no window, so that each continuation reads it anew")]
    public void Continuations_are_ranked_with_the_scores_that_each_has_alone(int window)
    {
        string[] continuations = [" pd", " numpy as np\nx = np.zeros(3)", " np", ""];
        var options = new ScoringOptions { Window = window, Stride = 4 };
        Assert.That(() => _scorer.Rank("import numpy as", continuations, options),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("continuation 3"));
        IReadOnlyList<ContinuationScore> ranked = _scorer.Rank("import os\nimport sys\nimport numpy as", continuations[..3], options);
        Assert.That(ranked[0].Text, Is.EqualTo(" np"));
        Assert.That(ranked.Select(one => one.Score.LogProbability), Is.Ordered.Descending);
        foreach (ContinuationScore one in ranked)
        {
            Assert.That(one.Text, Is.EqualTo(continuations[one.Index]));
            TextScore alone = _scorer.ScoreContinuation("import os\nimport sys\nimport numpy as", one.Text, options);
            Assert.That(one.Score.Tokens.Select(token => token.LogProbability), Is.EqualTo(alone.Tokens.Select(token => token.LogProbability)).Within(1e-4));
        }
        Assert.That(_scorer.Rank("x", []), Is.Empty);
    }

    [Test]
    public void Threads_that_share_a_scorer_get_what_one_gets()
    {
        string[] texts = ["def hello_world():", "class Queue:\n", "import json\n", "x = 1"];
        double[] alone = [.. texts.Select(text => _scorer.Score(text).LogProbability)];
        var together = new double[texts.Length];
        Parallel.For(0, texts.Length, i => together[i] = _scorer.Score(texts[i]).LogProbability);
        Assert.That(together, Is.EqualTo(alone));
    }

    [Test]
    public void Progress_ends_with_all_tokens_and_cancelling_ends_the_work()
    {
        string text = string.Concat(Enumerable.Range(0, 200).Select(i => string.Create(CultureInfo.InvariantCulture, $"x{i} = {i * i}\n")));
        var reports = new Reports();
        int tokens = _scorer.Score(text, options: null, reports).TokenCount;
        Assert.That(tokens, Is.GreaterThan(1024));
        Assert.That(reports.Values.Select(value => value.Scored), Is.Ordered);
        Assert.That(reports.Values, Has.Count.GreaterThan(8).And.All.Property("Total").EqualTo(tokens));
        Assert.That(reports.Values[^1].Scored, Is.EqualTo(tokens));
        reports.Values.Clear();
        _scorer.Rank("x", ["y = 1", "z"], options: null, reports);
        Assert.That(reports.Values[^1].Scored, Is.EqualTo(reports.Values[^1].Total));

        using var source = new CancellationTokenSource();
        var cancelling = new Reports(source);
        Assert.That(() => _scorer.Perplexity(text, options: null, cancelling, source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(cancelling.Values, Has.Count.EqualTo(1));
    }

    [Test]
    public void Texts_without_a_probability_are_refused()
    {
        Assert.That(() => _scorer.Score(""), Throws.TypeOf<ModelInputException>().With.Message.Contains("0 characters"));
        Assert.That(() => _scorer.Score("x", Bare),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("single token").And.Message.Contains("AddBeginOfText"));
        Assert.That(() => _scorer.ScoreContinuation("x", ""), Throws.TypeOf<ModelInputException>().With.Message.Contains("continuation"));
        Assert.That(() => _scorer.ScoreContinuation("", "x", Bare), Throws.TypeOf<ModelInputException>().With.Message.Contains("context is empty"));
        Assert.That(_scorer.Score("x").TokenCount, Is.EqualTo(1));
    }

    [Test]
    public void Windows_that_the_model_cannot_read_are_refused_with_the_numbers()
    {
        Assert.That(() => _scorer.Score("x", new ScoringOptions { Window = 513 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("513").And.Message.Contains("512"));
        Assert.That(() => _scorer.Score("x", new ScoringOptions { Window = 8, Stride = 9 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("Stride is 9 and the window 8"));
        Assert.That(() => new ScoringOptions { Window = 1 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Window is 1"));
        Assert.That(() => new ScoringOptions { Stride = 0 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Stride is 0"));
        Assert.That(() => new ScoringOptions { TopK = -1 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("TopK is -1"));
    }

    [Test]
    public void Another_architecture_is_refused() =>
        Assert.That(() => TextScorer.Load(TestData.Model("demo-fill-mask")), Throws.TypeOf<ConfigException>().With.Message.Contains("CodeGenForCausalLM"));

    /// <summary>log softmax in double, over the logits of all places at once.</summary>
    private double[] SlowLogProbabilities(int[] ids)
    {
        using Session session = _model.CreateSession();
        FloatTensor logits = _model.Forward(ids, session).Logits;
        return [.. Enumerable.Range(1, ids.Length - 1).Select(i =>
        {
            double[] row = [.. logits.Row(i - 1).ToArray().Select(score => (double)score)];
            double max = row.Max();
            return row[ids[i]] - max - Math.Log(row.Sum(score => Math.Exp(score - max)));
        })];
    }

    private sealed class Reports(CancellationTokenSource? source = null) : IProgress<ScoringProgress>
    {
        public List<ScoringProgress> Values { get; } = [];

        public void Report(ScoringProgress value)
        {
            Values.Add(value);
            source?.Cancel();
        }
    }
}
