using System.Globalization;
using System.Text.Json;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Playground.Tests;

/// <summary>What the models in the page say is what the same models say here: whole, with switches, and while they write.</summary>
[NonParallelizable]
public sealed class AnswerTests
{
    private const double Near = 2e-4;                      // of probabilities: the browser's kernels sum in another order
    private const string Sum = "def add(a, b):\n    \"\"\"Return the sum.\"\"\"\n    return a +";
    private const string Php = "public static <mask> set(string $key, <mask>) {";
    private ModelExplainer _decoder = null!, _encoder = null!;
    private LivePage _page = null!;

    [OneTimeSetUp]
    public async Task OpenAsync()
    {
        _page = await LivePage.OfAsync();
        (_decoder, _encoder) = (ModelExplainer.Load(Directory("demo-codegen")), ModelExplainer.Load(Directory("demo-fill-mask")));
    }

    [OneTimeTearDown]
    public async Task CloseAsync()
    {
        if (_page is null)
            return;
        await _page.DisposeAsync();
        _decoder.Dispose();
        _encoder.Dispose();
    }

    private static string Directory(string model) => Path.Combine(Folders.Repository, "models", model);

    /// <summary>The page's answer is the first of these; the whole model's is the second.</summary>
    private async Task AssertAnswerAsync(ExplainedPrediction now, ExplainedPrediction whole)
    {
        double[] ids = await _page.NumbersAsync("#answers .name", "data-id");
        double[] probabilities = await _page.NumbersAsync("#answers .fill", "data-probability");
        double[] before = await _page.NumbersAsync("#answers .fill", "data-whole");
        Assert.That(probabilities, Is.Ordered.Descending);
        AssertProbabilities(now, ids, probabilities);
        AssertProbabilities(whole, ids, before);
        Assert.That(ids[0], Is.EqualTo(now.Candidates[0].TokenId));
    }

    private static void AssertProbabilities(ExplainedPrediction expected, double[] ids, double[] probabilities)
    {
        var known = expected.Candidates.ToDictionary(one => one.TokenId, one => one.Probability);
        int[] common = [.. Enumerable.Range(0, ids.Length).Where(i => known.ContainsKey((int)ids[i]))];
        Assert.That(common, Has.Length.GreaterThan(3));
        Assert.That(common.Select(i => probabilities[i]), Is.EqualTo(common.Select(i => known[(int)ids[i]])).Within(Near));
    }

    [Test]
    public async Task Tokens_attention_norms_lens_and_effects_are_the_apis()
    {
        await _page.FollowAsync("demo-codegen", Sum);
        ModelExplanation expected = _decoder.Explain(Sum);
        Assert.That(await _page.NumbersAsync("#tokens .token", "data-id"), Is.EqualTo(expected.Tokens.Select(token => (double)token.TokenId)));
        await AssertAnswerAsync(expected.Predictions[^1], expected.Predictions[^1]);
        await _page.Find(".head[data-layer='1'][data-head='2']").ClickAsync();
        int last = expected.Tokens.Count - 1;
        Assert.That(await _page.NumbersAsync(".to [data-to]", "data-weight"),
            Is.EqualTo(Enumerable.Range(0, last + 1).Select(to => (double)expected.Attentions[1][2, last, to])).Within(1.0 / 255));
        Assert.That(await _page.NumbersAsync("#residual [data-norm]", "data-norm"),
            Is.EqualTo(Enumerable.Range(0, 5).Select(stage => (double)expected.ResidualNorms[stage, last])).Within(0.01));
        Assert.That(await _page.NumbersAsync(".lens td button", "data-probability"),
            Is.EqualTo(expected.LogitLens.Reverse().SelectMany(stage => stage.Select(place => place[0].Probability))).Within(1e-3));
        Assert.That(await _page.NumbersAsync(".effects:not(.board) [data-effect]", "data-effect"),
            Is.EqualTo(expected.Predictions[^1].Attribution.Effects.Where(effect => effect.Layer >= 0).Select(effect => effect.Effect)).Within(0.02));
    }

    [Test]
    public async Task Filled_masks_are_those_of_mtx_fill_mask()
    {
        await _page.FollowAsync("demo-fill-mask", Php);
        JsonElement[] masks = [.. MtxRun.Of("fill-mask", Php, "--top-k", "5", "--json").Json.GetProperty("masks").EnumerateArray()];
        foreach (int mask in new[] { 1, 0 })
        {
            int place = _encoder.Explain(Php).Predictions[mask].Position;
            await _page.Find("#tokens .token").Nth(place).ClickAsync();
            await _page.SettledAsync();
            Assert.That(await _page.Find("#answers").GetAttributeAsync("data-position"), Is.EqualTo($"{place}"));
            double[] scores = [.. masks[mask].EnumerateArray().Select(one => one.GetProperty("score").GetDouble())];
            double[] ids = [.. masks[mask].EnumerateArray().Select(one => one.GetProperty("token_id").GetDouble())];
            Assert.That((await _page.NumbersAsync("#answers .fill", "data-probability"))[..5], Is.EqualTo(scores).Within(Near));
            Assert.That((await _page.NumbersAsync("#answers .name", "data-id"))[..5], Is.EqualTo(ids));
        }
    }

    [Test]
    public async Task A_head_that_is_switched_off_changes_the_answer_as_an_intervention_does()
    {
        await _page.FollowAsync("demo-codegen", Sum);
        ModelExplanation whole = _decoder.Explain(Sum);
        Intervention[] zeros = [Intervention.ZeroHead("transformer.h.3.attn", 2), Intervention.ZeroHead("transformer.h.0.attn", 1)];
        ModelExplanation without = _decoder.Explain(Sum, new ExplanationOptions { Interventions = zeros });
        Assert.That(without.Predictions[^1].Candidates[0].Probability, Is.Not.EqualTo(whole.Predictions[^1].Candidates[0].Probability).Within(1e-3));
        await _page.PressAsync("h3.2");
        await _page.PressAsync("h0.1");
        await AssertAnswerAsync(without.Predictions[^1], whole.Predictions[^1]);
        Assert.That(await _page.NumbersAsync(".effects:not(.board) [data-effect]", "data-effect"),
            Is.EqualTo(without.Predictions[^1].Attribution.Effects.Where(effect => effect.Layer >= 0).Select(effect => effect.Effect)).Within(0.02));
        await _page.PressAsync("h3.2");
        await _page.PressAsync("h0.1");
        await AssertAnswerAsync(whole.Predictions[^1], whole.Predictions[^1]);
    }

    [TestCase("demo-codegen", Sum, "m2", "transformer.h.2.mlp")]
    [TestCase("demo-fill-mask", Php, "m1", "roberta.encoder.layer.1.output.dense")]
    public async Task An_mlp_that_is_switched_off_puts_out_zeros(string model, string text, string part, string activation)
    {
        ModelExplainer explainer = model == "demo-codegen" ? _decoder : _encoder;
        await _page.FollowAsync(model, text);
        await _page.PressAsync(part);
        ModelExplanation without = explainer.Explain(text, new ExplanationOptions { Interventions = [new Intervention(activation, mlp => mlp.Span.Clear())] });
        int place = model == "demo-codegen" ? without.Predictions.Count - 1 : 0;
        await AssertAnswerAsync(without.Predictions[place], explainer.Explain(text).Predictions[place]);
    }

    [Test]
    public async Task No_other_token_looks_at_a_position_that_is_switched_off()
    {
        await _page.FollowAsync("demo-codegen", Sum, "&off=p5");
        Assert.That(await _page.NumbersAsync(".to [data-to]", "data-weight"), Has.ItemAt(5).Zero);
        var hide = new Intervention("transformer.h.*.attn.scores", scores =>
        {
            for (int row = 0; row < scores.Length / scores.Shape[3]; row++)
            {
                if (row % scores.Shape[2] != 5)
                    scores.Row(row)[5] = float.NegativeInfinity;
            }
        });
        ModelExplanation hidden = _decoder.Explain(Sum, new ExplanationOptions { Interventions = [hide] });
        await AssertAnswerAsync(hidden.Predictions[^1], _decoder.Explain(Sum).Predictions[^1]);
    }

    [Test]
    public async Task An_activation_that_is_copied_from_a_second_text_gives_its_answer()
    {
        const string text = "def largest(numbers):\n    \"\"\"Return the largest of the numbers.\"\"\"\n    return";
        string second = text.Replace("largest", "sum", StringComparison.Ordinal);
        ModelExplanation whole = _decoder.Explain(text), other = _decoder.Explain(second);
        Assert.That((whole.Predictions[^1].Candidates[0].TokenText, other.Predictions[^1].Candidates[0].TokenText), Is.EqualTo((" max", " sum")));
        // The whole stream after the last layer of another text is that text's answer.
        await _page.FollowAsync("demo-codegen", text, $"&b={Uri.EscapeDataString(second)}&copy=s3@all");
        await AssertAnswerAsync(other.Predictions[^1], whole.Predictions[^1]);
        // At the first token, which both texts have, nothing is another.
        await _page.FollowAsync("demo-codegen", text, $"&b={Uri.EscapeDataString(second)}&copy=s3@0,h1.1@0,m2@0");
        await AssertAnswerAsync(whole.Predictions[^1], whole.Predictions[^1]);
    }

    [TestCase("likeliest")]
    [TestCase("drawn", "--do-sample", "--temperature", "1.3", "--top-p", "0.9", "--top-k", "0", "--seed", "7")]
    public async Task What_it_writes_is_what_mtx_generate_writes(string how, params string[] options)
    {
        const string text = "for i in range(10):\n    print(";
        await _page.FollowAsync("demo-codegen", text, how == "drawn" ? "&temperature=1.3&top_p=0.9" : "");
        await _page.Find("#how").SelectOptionAsync(how);
        await _page.Find("#seed").FillAsync("7");
        await _page.Find("#seed").BlurAsync();
        await _page.Find("#write-one").ClickAsync();
        await _page.SettledAsync();
        await _page.Find("#write-many").ClickAsync();
        await _page.SettledAsync();
        string expected = MtxRun.Of(["generate", text, "--max-new-tokens", "13", .. options, "--json"]).Json.GetProperty("generated_text").GetString()!;
        int steps = int.Parse(await _page.Find("#step").GetAttributeAsync("max") ?? "", CultureInfo.InvariantCulture);
        Assert.That((await _page.TextsAsync(".written"))[0], Is.EqualTo(text + expected));
        Assert.That(steps, Is.EqualTo(13));
        double[] keys = await _page.NumbersAsync("#generation [data-keys]", "data-keys");
        Assert.That(await _page.NumbersAsync("#generation [data-bytes]", "data-bytes"), Is.EqualTo(keys.Select(count => count * 8192)));
        Assert.That(await _page.Find("#cache .held:not(.empty)").CountAsync(), Is.EqualTo(_decoder.Explain(text).Tokens.Count + steps - 1));
    }

    [Test]
    public async Task Temperature_and_top_p_change_the_distribution_that_is_drawn()
    {
        const string text = "for i in range(10):\n    print(";
        await _page.FollowAsync("demo-codegen", text, "&temperature=0.5");
        double[] given = await _page.NumbersAsync("#distribution g", "data-probability"), drawn = await _page.NumbersAsync("#distribution g", "data-warped");
        // softmax(z / 0.5) ∝ p²
        Assert.That(drawn[1] / drawn[0], Is.EqualTo(Math.Pow(given[1] / given[0], 2)).Within(1e-3));
        Assert.That(await _page.NumbersAsync("#left", "data-left"), Is.EqualTo(new double[] { 8192 }));
        await _page.FollowAsync("demo-codegen", text, "&top_p=0.6");
        (given, drawn) = (await _page.NumbersAsync("#distribution g", "data-probability"), await _page.NumbersAsync("#distribution g", "data-warped"));
        // "i" and "f" have 0.64 together, and neither 0.6 alone.
        Assert.That(await _page.NumbersAsync("#left", "data-left"), Is.EqualTo(new double[] { 2 }));
        Assert.That(drawn[0] + drawn[1], Is.EqualTo(1).Within(1e-4));
        Assert.That(drawn[2..], Is.All.Zero);
    }
}
