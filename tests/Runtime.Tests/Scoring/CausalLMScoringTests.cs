using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Likelihoods of ids against the losses that Forward computes, window by window.</summary>
public sealed class CausalLMScoringTests
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 100).Select(i => 3 + i * 37 % 41 + i % 5)];
    private CodeGenForCausalLM _model = null!;

    [OneTimeSetUp]
    public void Create() => _model = PretrainedModels.FromConfig<CodeGenForCausalLM>(
        new CodeGenConfig { VocabSize = 50, NEmbd = 32, NLayer = 2, NHead = 4, RotaryDim = 4, NPositions = 128, InitializerRange = 0.4 }, seed: 7);

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [Test]
    public void A_text_of_10_tokens_is_read_in_windows_of_4_that_score_what_the_one_before_did_not()
    {
        Assert.That(SlidingWindow.Over(10, firstTarget: 1, window: 4, stride: 2),
            Is.EqualTo(new SlidingWindow[] { new(0, 4, 1), new(2, 6, 4), new(4, 8, 6), new(6, 10, 8) }));
        Assert.That(SlidingWindow.Over(9, firstTarget: 6, window: 4, stride: 3), Is.EqualTo(new SlidingWindow[] { new(3, 7, 6), new(6, 9, 7) }),
            "windows that score none are left out");
        Assert.That(SlidingWindow.Over(6, firstTarget: 1, window: 4, stride: 4), Is.EqualTo(new SlidingWindow[] { new(0, 4, 1), new(3, 6, 4) }),
            "token 4 needs one before it");
        Assert.That(SlidingWindow.Over(4, firstTarget: 1, window: 4, stride: 1), Is.EqualTo(new SlidingWindow[] { new(0, 4, 1) }));
    }

    [Test]
    public void Every_token_is_scored_once_with_the_context_that_the_stride_promises()
    {
        for (int window = 2; window <= 9; window++)
        {
            for (int stride = 1; stride <= window; stride++)
            {
                var scored = new List<int>();
                foreach (SlidingWindow part in SlidingWindow.Over(30, firstTarget: 1, window, stride))
                {
                    Assert.That(part.End - part.Begin, Is.LessThanOrEqualTo(window));
                    Assert.That(part.FirstTarget - part.Begin, Is.GreaterThanOrEqualTo(Math.Min(part.FirstTarget, Math.Max(1, window - stride))));
                    scored.AddRange(Enumerable.Range(part.FirstTarget, part.End - part.FirstTarget));
                }
                Assert.That(scored, Is.EqualTo(Enumerable.Range(1, 29)), $"window {window}, stride {stride}");
            }
        }
    }

    [Test]
    public void Their_mean_is_the_negative_loss_that_Forward_gives() =>
        Assert.That(_model.LogProbabilities(Ids).Average(), Is.EqualTo(-Loss(Ids, Ids)).Within(1e-5));

    [TestCase(32, 16)]
    [TestCase(32, 31)]
    [TestCase(24, 1)]
    [TestCase(50, 25, Description = "the last window ends with the text")]
    [TestCase(2, 1)]
    [TestCase(100, 50)]
    public void Windows_give_the_losses_of_the_documented_recipe(int window, int stride)
    {
        double[] found = _model.LogProbabilities(Ids, new ScoringOptions { Window = window, Stride = stride });
        // for begin_loc in range(0, seq_len, stride): … target_ids[:, :-trg_len] = -100 … if end_loc == seq_len: break
        int previousEnd = 0;
        for (int begin = 0; previousEnd < Ids.Length; begin += stride)
        {
            int end = Math.Min(begin + window, Ids.Length), targets = end - previousEnd;
            int[] labels = [.. Ids[begin..end].Select((id, i) => i < end - begin - targets ? -100 : id)];
            double[] scored = found[Math.Max(previousEnd - 1, 0)..(end - 1)];
            Assert.That(scored.Average(), Is.EqualTo(-Loss(Ids[begin..end], labels)).Within(1e-5), $"tokens {begin} … {end}");
            previousEnd = end;
        }
    }

    [Test]
    public void A_stride_of_a_whole_window_still_scores_every_token() => Assert.That(
        _model.LogProbabilities(Ids, new ScoringOptions { Window = 20, Stride = 20 }),
        Is.EqualTo(_model.LogProbabilities(Ids, new ScoringOptions { Window = 20, Stride = 19 })));

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(32)]
    public void Results_do_not_depend_on_how_many_places_are_read_at_once(int partTokens)
    {
        var options = new ScoringOptions { Window = 48 };
        var found = new double[Ids.Length - 1];
        CausalLMScoring.Visit(_model, Ids, 1, options, (index, _, logProbability) => found[index - 1] = logProbability, progress: null,
            CancellationToken.None, partTokens);
        Assert.That(found, Is.EqualTo(_model.LogProbabilities(Ids, options)).Within(1e-4));
    }

    [Test]
    public void Ids_that_cannot_be_scored_are_refused()
    {
        Assert.That(() => _model.LogProbabilities([5]), Throws.TypeOf<ModelInputException>().With.Message.Contains("1 ids"));
        Assert.That(() => _model.LogProbabilities([]), Throws.TypeOf<ModelInputException>().With.Message.Contains("0 ids"));
        Assert.That(() => _model.LogProbabilities([5, 50]), Throws.TypeOf<ModelInputException>().With.Message.Contains("50"));
        Assert.That(() => _model.LogProbabilities([50, 5]), Throws.TypeOf<ModelInputException>().With.Message.Contains("50"));
        Assert.That(() => _model.LogProbabilities(Ids, new ScoringOptions { Window = 129 }), Throws.TypeOf<ModelInputException>().With.Message.Contains("129"));
    }

    [Test]
    public void A_model_that_reads_one_token_gives_no_probability()
    {
        using CodeGenForCausalLM model = PretrainedModels.FromConfig<CodeGenForCausalLM>(
            new CodeGenConfig { VocabSize = 50, NEmbd = 32, NLayer = 1, NHead = 4, RotaryDim = 4, NPositions = 1 });
        Assert.That(() => model.LogProbabilities([1, 2]),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("reads 1 token").And.Message.Contains("at least 2"));
    }

    private float Loss(int[] ids, int[] labels)
    {
        using Session session = _model.CreateSession();
        return _model.Forward(new ModelInputs(1, ids.Length) { InputIds = ids, Labels = labels }, session).Loss!.Value;
    }
}
