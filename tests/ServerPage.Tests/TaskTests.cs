using System.Globalization;

namespace ManagedTransformers.ServerPage.Tests;

/// <summary>What each panel shows is what the library says in-process.</summary>
public sealed class TaskTests
{
    private const string Prompt = "def sum_of_even(numbers):\n    \"\"\"Return the sum of the even numbers in the list.\"\"\"\n";

    [Test]
    public async Task A_completion_streams_with_probabilities_and_alternatives_of_each_token()
    {
        using var generator = TextGenerator.Load(PageServer.ModelPath("demo-codegen"));
        GeneratedSequence own = generator.GenerateSequences([Prompt], new GenerationOptions { MaxNewTokens = 24, TopLogProbabilities = 5 }).Sequences[0];
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("complete", Prompt);
        await page.Find("#complete-max").FillAsync("24");
        await page.AskAsync("complete");
        Assert.That(await page.TextsAsync("#complete .prompt"), Is.EqualTo(new[] { Prompt }));
        Assert.That(string.Concat(await page.TextsAsync("#tokens .token")), Is.EqualTo(own.Text));
        double[] shown = await page.Find("#tokens .token").EvaluateAllAsync<double[]>("all => all.map(one => +one.style.getPropertyValue('--p'))");
        Assert.That(shown, Is.EqualTo(own.LogProbabilities!.Select(one => Math.Exp(one.LogProbability))).Within(1e-5));

        await page.Find("#tokens .token").Nth(3).HoverAsync();
        await page.Find("#tokens .token").First.FocusAsync();
        await page.Tab.Keyboard.PressAsync("ArrowRight");
        (string Name, double Share)[] bars = await page.BarsAsync("#token-card");
        TokenProbability second = own.LogProbabilities![1];
        Assert.That(bars.Select(bar => bar.Share), Is.EqualTo(second.Alternatives.Select(one => Math.Exp(one.LogProbability))).Within(1e-5));
        Assert.That(await page.TextsAsync("#token-card .chosen .name"), Is.EqualTo(new[] { second.TokenText.Replace(' ', '·') }));
        await page.Tab.Keyboard.PressAsync("Escape");
        Assert.That(await page.Find("#token-card").IsVisibleAsync(), Is.False);
        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public async Task A_seed_draws_the_same_text_again()
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("complete", Prompt);
        foreach ((string setting, string value) in new[] { ("max", "16"), ("temperature", "1.5"), ("top-p", "0.95") })
            await page.Find($"#complete-{setting}").FillAsync(value);
        var texts = new List<string>();
        foreach (string seed in new[] { "7", "7", "8" })
        {
            await page.Find("#complete-seed").FillAsync(seed);
            await page.AskAsync("complete");
            texts.Add(string.Concat(await page.TextsAsync("#tokens .token")));
        }
        Assert.That(texts[1], Is.EqualTo(texts[0]));
        Assert.That(texts[2], Is.Not.EqualTo(texts[0]));
    }

    [Test]
    public async Task A_completion_can_be_stopped()
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("complete", "import os\n");
        await page.Find("#complete-max").FillAsync("480");
        await page.Find("#complete .main").ClickAsync();
        await page.Find("#tokens .token").First.WaitForAsync();
        await page.Find("#complete .stop").ClickAsync();
        await page.Find("#complete[aria-busy=false]").WaitForAsync();
        Assert.That(await page.TextsAsync("#complete .state"), Is.EqualTo(new[] { "Stopped" }));
        Assert.That(await page.Find("#tokens .token").CountAsync(), Is.InRange(1, 479));
    }

    [Test]
    public async Task A_gap_is_filled_where_the_cursor_is_marked_and_taken_out_again()
    {
        const string Before = Prompt + "    ", After = "\n\n\nprint(sum_of_even([1, 2, 3, 4]))\n";
        using var generator = TextGenerator.Load(PageServer.ModelPath("demo-codegen"));
        string own = generator.Infill(Before, After, new GenerationOptions { MaxNewTokens = 48 });
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("infill", Before + "GONE" + After);
        await page.Find("#infill-text").EvaluateAsync($"one => one.setSelectionRange({Before.Length}, {Before.Length + 4})");
        await page.AskAsync("infill");
        Assert.That(await page.Find("#infill-text").InputValueAsync(), Is.EqualTo(Before + own + After));
        Assert.That(await page.TextsAsync("#infill mark"), Is.EqualTo(new[] { own }));
        Assert.That(await page.Find("#infill-text").EvaluateAsync<int>("one => one.selectionStart"), Is.EqualTo((Before + own).Length));
        await page.Find("#infill .undo").ClickAsync();
        Assert.That(await page.Find("#infill-text").InputValueAsync(), Is.EqualTo(Before + "GONE" + After));
        Assert.That(await page.Find("#infill mark").CountAsync(), Is.Zero);
    }

    [TestCase("return <mask>")]
    [TestCase("for <mask> in range(len(<mask>)):")]
    public async Task Masks_are_filled(string text)
    {
        using var pipeline = FillMaskPipeline.Load(PageServer.ModelPath("demo-fill-mask"));
        FillMaskPrediction[] own = [.. pipeline.PredictMasks([text])[0].Masks.SelectMany(mask => mask.Predictions)];
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("mask", text);
        await page.AskAsync("mask");
        (string Name, double Share)[] shown = await page.BarsAsync("#mask");
        Assert.That(shown.Select(one => one.Name), Is.EqualTo(own.Select(one => one.TokenText.Replace(' ', '·').Replace('\n', '↵'))), "blanks are seen");
        Assert.That(shown.Select(one => one.Share), Is.EqualTo(own.Select(one => (double)one.Score)).Within(1e-5));
    }

    [Test]
    public async Task Labels_of_a_text_are_shown_with_their_scores()
    {
        const string Text = "func add(a int) int {\n\treturn a\n}";
        using var pipeline = TextClassificationPipeline.Load(PageServer.ModelPath("demo-language-id"));
        IReadOnlyList<LabelScore> own = pipeline.Classify(Text);
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("classify", Text);
        await page.AskAsync("classify");
        (string Name, double Share)[] shown = await page.BarsAsync("#classify");
        Assert.That(shown.Select(one => one.Name), Is.EqualTo(own.Select(one => one.Label)));
        Assert.That(shown.Select(one => one.Share), Is.EqualTo(own.Select(one => (double)one.Score)).Within(1e-5));
    }

    [Test]
    public async Task Spans_are_marked_where_they_stand_also_after_characters_beyond_the_16_bits()
    {
        const string Text = "# 🙂 maintainer: Olga Petrova <olga.petrova@example.org>\nDB_HOST = \"203.0.113.5\"";
        using var pipeline = TokenClassificationPipeline.Load(PageServer.ModelPath("demo-tag"));
        Entity[] own = [.. pipeline.Tag(Text, new TokenClassificationOptions { Aggregation = AggregationStrategy.Simple })];
        Assert.That(own, Has.Length.GreaterThan(1));
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("tag", Text);
        await page.AskAsync("tag");
        Assert.That(await page.TextsAsync("#tag mark small"), Is.EqualTo(own.Select(one => one.Label)));
        Assert.That(await page.TextsAsync("#tag mark .text"), Is.EqualTo(own.Select(one => Text[one.Start..one.End])));
        string whole = await page.Find("#tag .spans").EvaluateAsync<string>(
            "one => { const copy = one.cloneNode(true); copy.querySelectorAll('small').forEach(label => label.remove()); return copy.textContent; }");
        Assert.That(whole, Is.EqualTo(Text));
    }

    [Test]
    public async Task Texts_are_compared_with_each_other()
    {
        string[] texts = ["Adds two numbers.", "def add(a, b): return a + b", "def read(path): return open(path).read()"];
        using var pipeline = SentenceEmbeddingPipeline.Load(PageServer.ModelPath("demo-embed"));
        IReadOnlyList<float[]> own = pipeline.Embed(texts);
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("compare", string.Join("\n", texts) + "\n\n");
        await page.AskAsync("compare");
        Assert.That(await page.TextsAsync("#compare tbody th .code"), Is.EqualTo(texts));
        double[] shown = [.. (await page.TextsAsync("#compare tbody td")).Select(cell => double.Parse(cell, CultureInfo.InvariantCulture))];
        double[] cosines = [.. own.SelectMany(one => own.Select(other => one.Zip(other, (a, b) => (double)a * b).Sum()))];
        Assert.That(shown, Is.EqualTo(cosines).Within(0.0051), "two digits are shown");
    }
}
