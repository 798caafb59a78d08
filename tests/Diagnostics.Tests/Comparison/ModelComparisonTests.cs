using ManagedTransformers.Models;

namespace ManagedTransformers.Diagnostics.Tests;

/// <summary>Divergence and agreement of two models against the formula, place by place.</summary>
public sealed class ModelComparisonTests
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 150).Select(i => 3 + i * 37 % 41 + i % 5)];

    [Test]
    public void Equal_models_have_no_divergence_and_always_agree()
    {
        using DecoderForCausalLM model = TinyDecoder.Model(50), same = TinyDecoder.Model(50);
        ModelComparison found = ModelComparison.Of(model, same, Ids);
        Assert.That((found.MeanDivergence, found.Divergence99, found.Agreement, found.TokenCount), Is.EqualTo((0.0, 0.0, 1.0, Ids.Length - 1)));
        Assert.That(found.Perplexity, Is.EqualTo(found.AgainstPerplexity));
        Assert.That(found.Perplexity, Is.EqualTo(Math.Exp(-model.LogProbabilities(Ids).Average())).Within(1e-4));
    }

    [Test]
    public void Numbers_are_those_of_the_formula()
    {
        using DecoderForCausalLM model = TinyDecoder.Model(50, seed: 3), against = TinyDecoder.Model(50, seed: 4);
        int[] ids = Ids[..40];
        double[][] q = Probabilities(model, ids), p = Probabilities(against, ids);
        double[] divergences = [.. p.Zip(q, (one, other) => one.Zip(other, (a, b) => a * Math.Log(a / b)).Sum())];
        double agreement = p.Zip(q, (one, other) => Array.IndexOf(one, one.Max()) == Array.IndexOf(other, other.Max()) ? 1.0 : 0).Average();

        ModelComparison found = ModelComparison.Of(model, against, ids);
        Assert.That(found.TokenCount, Is.EqualTo(39));
        Assert.That(found.MeanDivergence, Is.EqualTo(divergences.Average()).Within(1e-5).And.GreaterThan(0.1));
        Assert.That(found.Divergence99, Is.EqualTo(divergences.Max()).Within(1e-5), "⌈0.99 · 39⌉ is the 39th of 39");
        Assert.That(found.Agreement, Is.EqualTo(agreement).Within(1e-12).And.LessThan(1));
        Assert.That(found.Perplexity, Is.EqualTo(Math.Exp(-q.Select((row, i) => Math.Log(row[ids[i + 1]])).Average())).Within(1e-3));
        Assert.That(found.AgainstPerplexity, Is.EqualTo(Math.Exp(-p.Select((row, i) => Math.Log(row[ids[i + 1]])).Average())).Within(1e-3));
    }

    [Test]
    public void A_text_of_several_windows_and_parts_has_the_perplexities_of_its_windows([Values(20, 64, 140)] int window)
    {
        using DecoderForCausalLM model = TinyDecoder.Model(50, positions: 140, seed: 3), against = TinyDecoder.Model(50, positions: 160, seed: 4);
        var options = new ScoringOptions { Window = window };
        ModelComparison found = ModelComparison.Of(model, against, Ids, options);
        Assert.That(found.TokenCount, Is.EqualTo(Ids.Length - 1));
        Assert.That(found.Perplexity, Is.EqualTo(Math.Exp(-model.LogProbabilities(Ids, options).Average())).Within(1e-3));
        Assert.That(found.AgainstPerplexity, Is.EqualTo(Math.Exp(-against.LogProbabilities(Ids, options).Average())).Within(1e-3));
    }

    [Test]
    public void Without_a_window_that_of_the_shorter_model_is_taken()
    {
        using DecoderForCausalLM model = TinyDecoder.Model(50, positions: 64, seed: 3), against = TinyDecoder.Model(50, positions: 160, seed: 4);
        ModelComparison expected = ModelComparison.Of(model, against, Ids, new ScoringOptions { Window = 64 });
        Assert.That(ModelComparison.Of(model, against, Ids).MeanDivergence, Is.EqualTo(expected.MeanDivergence));
        Assert.That(ModelComparison.Of(against, model, Ids).Perplexity, Is.EqualTo(expected.AgainstPerplexity));
        Assert.That(() => ModelComparison.Of(model, against, Ids, new ScoringOptions { Window = 65 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("65"));
    }

    [Test]
    public void Fewer_bits_are_farther_away()
    {
        const string text = "def add(a, b):\n    \"\"\"Return the sum.\"\"\"\n    return a + b\n";
        using TextScorer stored = TextScorer.Load(TestData.Model("demo-codegen")), int8 = Quantized(WeightFormat.Int8), int4 = Quantized(WeightFormat.Int4);
        ModelComparison eight = ModelComparison.Of(int8, stored, text), four = ModelComparison.Of(int4, stored, text);
        Assert.That(eight.MeanDivergence, Is.GreaterThan(0).And.LessThan(0.01));
        Assert.That(four.MeanDivergence, Is.GreaterThan(eight.MeanDivergence).And.LessThan(1));
        Assert.That(eight.AgainstPerplexity, Is.EqualTo(stored.Perplexity(text)).Within(1e-3));
    }

    [Test]
    public void What_cannot_be_compared_is_refused()
    {
        using DecoderForCausalLM model = TinyDecoder.Model(50), wider = TinyDecoder.Model(51);
        Assert.That(() => ModelComparison.Of(model, wider, Ids),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("51 tokens").And.Message.Contains("50"));
        Assert.That(() => ModelComparison.Of(model, model, [5]), Throws.TypeOf<ModelInputException>().With.Message.Contains("1 ids"));
        Assert.That(() => ModelComparison.Of(model, model, [5, 50]), Throws.TypeOf<ModelInputException>().With.Message.Contains("50"));
        using TextScorer scorer = TextScorer.Load(TestData.Model("demo-codegen"));
        Assert.That(() => ModelComparison.Of(scorer, scorer, ""), Throws.TypeOf<ModelInputException>().With.Message.Contains("0 characters"));
        Assert.That(() => ModelComparison.Of(scorer, scorer, "x", new ScoringOptions { AddBeginOfText = false }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("single token"));
        using TextScorer other = TextScorer.Create(scorer.CausalLM, TestData.Tokenizer("wordpiece-code-4k"));
        Assert.That(() => ModelComparison.Of(scorer, other, "x"), Throws.TypeOf<ModelInputException>().With.Message.Contains("another tokenizer"));
    }

    private static TextScorer Quantized(WeightFormat format) =>
        TextScorer.Load(TestData.Model("demo-codegen"), new PipelineOptions { Load = new LoadOptions { WeightFormat = format } });

    /// <summary>softmax of the logits before every id but the first.</summary>
    private static double[][] Probabilities(DecoderForCausalLM model, int[] ids)
    {
        using Session session = model.CreateSession();
        FloatTensor logits = model.Forward(ids, session).Logits;
        return [.. Enumerable.Range(0, ids.Length - 1).Select(place =>
        {
            double[] exp = [.. logits.Row(place).ToArray().Select(x => Math.Exp(x))];
            return exp.Select(x => x / exp.Sum()).ToArray();
        })];
    }
}
