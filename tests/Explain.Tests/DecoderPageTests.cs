using ManagedTransformers.Diagnostics;
using Microsoft.Playwright;

namespace ManagedTransformers.Explain.Tests;

/// <summary>The page of a decoder's text: its numbers are the API's, and its panels answer mouse and keyboard.</summary>
public sealed class DecoderPageTests : IDisposable
{
    private readonly ExplainedText _text = new("demo-codegen", "def add(a, b):\n    \"\"\"Return the sum.\"\"\"\n    return a +", "--generate", "5");

    private ModelExplanation Explanation => _text.Explanation;

    private int Last => Explanation.Tokens.Count - 1;

    public void Dispose() => _text.Dispose();

    [Test]
    public async Task The_page_loads_nothing_and_complains_about_nothing([Values(ColorScheme.Light, ColorScheme.Dark)] ColorScheme scheme)
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path, scheme);
        foreach (string section in new[] { "tokens", "attention", "residual", "lens", "prediction", "generation" })
            await Assertions.Expect(page.Find($"#{section}")).ToBeVisibleAsync();
        Assert.That(page.Complaints, Is.Empty);
        Assert.That(page.Requests, Is.EqualTo(new[] { new Uri(_text.Path).AbsoluteUri }));
    }

    [Test]
    public async Task Tokens_stand_with_their_ids_and_places()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        Assert.That(await page.NumbersAsync("#tokens .token", "data-id"), Is.EqualTo(Explanation.Tokens.Select(token => (double)token.TokenId)));
        Assert.That(await page.TextsAsync("#tokens .token small:last-child"), Is.EqualTo(Explanation.Tokens.Select(token => $"{token.Start}–{token.End}")));
        Assert.That((await page.TextsAsync("#tokens .token .piece"))[1], Is.EqualTo("·add"));
        Assert.That(await page.Find("#tokens [aria-pressed=true]").GetAttributeAsync("data-id"), Is.EqualTo($"{Explanation.Tokens[^1].TokenId}"));
    }

    [Test]
    public async Task A_click_on_a_head_shows_its_weights()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find(".head[data-layer='1'][data-head='2']").ClickAsync();
        Assert.That(await page.TextsAsync("#head-title"), Is.EqualTo(new[] { "Layer 1, head 2" }));
        Assert.That(await page.NumbersAsync(".to [data-to]", "data-weight"), Is.EqualTo(Weights(1, 2, Last)).Within(0.5 / 255 + 1e-6));
        int lines = Weights(1, 2, Last).Count(weight => Math.Round(weight * 255) / 255 >= 0.005);
        Assert.That(await page.Find(".columns path").CountAsync(), Is.EqualTo(lines).And.GreaterThan(1));
    }

    [Test]
    public async Task Pointing_at_a_token_shows_whom_it_looks_at_and_leaving_goes_back()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find(".head[data-layer='0'][data-head='1']").ClickAsync();
        await page.Find(".from button").Nth(4).HoverAsync();
        Assert.That(await page.NumbersAsync(".to [data-to]", "data-weight"), Is.EqualTo(Weights(0, 1, 4)).Within(0.5 / 255 + 1e-6));
        await page.Find("#attention h2").HoverAsync();
        Assert.That(await page.NumbersAsync(".to [data-to]", "data-weight"), Is.EqualTo(Weights(0, 1, Last)).Within(0.5 / 255 + 1e-6));
    }

    [Test]
    public async Task Arrow_keys_move_between_heads()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find(".head[data-layer='0'][data-head='0']").ClickAsync();
        await page.Tab.Keyboard.PressAsync("ArrowRight");
        await page.Tab.Keyboard.PressAsync("ArrowDown");
        Assert.That(await page.TextsAsync("#head-title"), Is.EqualTo(new[] { "Layer 1, head 1" }));
        Assert.That(await page.Tab.EvaluateAsync<string>("document.activeElement.getAttribute('aria-label')"), Is.EqualTo("layer 1, head 1"));
        Assert.That(await page.Find(".head[tabindex='0']").CountAsync(), Is.EqualTo(1));
        await page.Tab.Keyboard.PressAsync("End");
        Assert.That(await page.TextsAsync("#head-title"), Is.EqualTo(new[] { "Layer 1, head 3" }));
    }

    [Test]
    public async Task Arrow_keys_move_through_the_matrix()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find(".head[data-layer='2'][data-head='0']").ClickAsync();
        await page.Find("#tokens .token").Nth(3).ClickAsync();
        await page.Find(".matrix canvas").FocusAsync();
        foreach (string key in new[] { "ArrowRight", "ArrowRight", "ArrowRight" })
            await page.Tab.Keyboard.PressAsync(key);
        // The first key enters at the chosen token's row, column 0.
        Assert.That(await page.NumbersAsync("#attention .readout b", "data-weight"),
            Is.EqualTo(new[] { (double)Explanation.Attentions[2][0, 3, 2] }).Within(0.5 / 255 + 1e-6));
        Assert.That(await page.TextsAsync("#attention .readout"), Has.One.Contain("(3) looks at").And.One.Contain("(2):"));
    }

    [Test]
    public async Task Pointing_at_the_matrix_reads_a_cell()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find(".matrix canvas").ScrollIntoViewIfNeededAsync();
        LocatorBoundingBoxResult box = (await page.Find(".matrix canvas").BoundingBoxAsync())!;
        await page.Tab.Mouse.MoveAsync(box.X + box.Width - 8, box.Y + box.Height - 8);
        Assert.That(await page.TextsAsync("#attention .readout"), Has.One.Contain($"({Last}) looks at").And.One.Contain($"({Last}):"));
    }

    [Test]
    public async Task Norms_are_the_apis_and_a_token_is_chosen_for_all_panels()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find("#tokens .token").Nth(2).ClickAsync();
        double[] norms = [.. Enumerable.Range(0, 5).Select(stage => (double)Explanation.ResidualNorms[stage, 2])];
        Assert.That(await page.NumbersAsync("#residual [data-norm]", "data-norm"), Is.EqualTo(norms).Within(1e-3));
        Assert.That(await page.Find("#residual path.each").CountAsync(), Is.EqualTo(Explanation.Tokens.Count));
        Assert.That(await page.Find("#where").InputValueAsync(), Is.EqualTo("2"));
        Assert.That(await page.NumbersAsync("#candidates .name", "data-id"),
            Is.EqualTo(Explanation.Predictions[2].Candidates.Select(one => (double)one.TokenId)));
    }

    [Test]
    public async Task The_logit_lens_has_the_likeliest_token_of_every_layer_and_place()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        double[] ids = [.. Explanation.LogitLens.Reverse().SelectMany(stage => stage.Select(place => (double)place[0].TokenId))];
        double[] probabilities = [.. Explanation.LogitLens.Reverse().SelectMany(stage => stage.Select(place => place[0].Probability))];
        Assert.That(await page.NumbersAsync(".lens td button", "data-id"), Is.EqualTo(ids));
        Assert.That(await page.NumbersAsync(".lens td button", "data-probability"), Is.EqualTo(probabilities).Within(1e-5));

        await page.Find(".lens [data-stage='2'][data-token='5']").ClickAsync();
        Assert.That(await page.NumbersAsync("#lens .bars .name", "data-id"), Is.EqualTo(Explanation.LogitLens[2][5].Select(one => (double)one.TokenId)));
        await page.Tab.Keyboard.PressAsync("ArrowUp");
        Assert.That(await page.NumbersAsync("#lens .bars .name", "data-id"), Is.EqualTo(Explanation.LogitLens[3][5].Select(one => (double)one.TokenId)));
    }

    [Test]
    public async Task The_prediction_has_twenty_bars_and_the_effect_of_every_part()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        ExplainedPrediction prediction = Explanation.Predictions[^1];
        Assert.That(await page.NumbersAsync("#candidates .fill", "data-probability"),
            Is.EqualTo(prediction.Candidates.Select(one => one.Probability)).Within(1e-5));
        Assert.That(await page.NumbersAsync("#candidates [data-logit]", "data-logit"), Is.EqualTo(prediction.Candidates.Select(one => one.Logit)).Within(1e-3));
        Assert.That(await page.NumbersAsync("#sum b", "data-value"), Is.EqualTo(new[] { prediction.Attribution.Value }).Within(1e-4));
        PartEffect[] inTable = [.. prediction.Attribution.Effects.Where(effect => effect.Layer >= 0)];
        Assert.That(await page.NumbersAsync(".effects [data-effect]", "data-effect"), Is.EqualTo(inTable.Select(effect => effect.Effect)).Within(1e-4));
        double[] strongest = [.. prediction.Attribution.Effects.Select(effect => effect.Effect).OrderByDescending(Math.Abs).Take(12)];
        Assert.That(await page.NumbersAsync("#parts [data-effect]", "data-effect"), Is.EqualTo(strongest).Within(1e-4));
    }

    [Test]
    public async Task A_head_among_the_parts_opens_in_the_attention_panel()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        ILocator part = page.Find("#parts button").Nth(1);
        string name = await part.InnerTextAsync();
        await part.ClickAsync();
        Assert.That((await page.TextsAsync("#head-title"))[0],
            Is.EqualTo(name.Replace("layer ", "Layer ", StringComparison.Ordinal).Replace(" head", ", head", StringComparison.Ordinal)));
        await Assertions.Expect(page.Find("#attention h2")).ToBeInViewportAsync();
    }

    [Test]
    public async Task The_slider_moves_through_the_steps_and_the_cache_grows()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find("#step").FocusAsync();
        for (int index = 0; index < 5; index++)
        {
            ExplainedStep step = Explanation.Steps[index];
            Assert.That(await page.NumbersAsync("#generation [data-keys]", "data-keys"), Is.EqualTo(new double[] { step.Keys }));
            Assert.That(await page.NumbersAsync("#generation [data-bytes]", "data-bytes"), Is.EqualTo(new double[] { step.Keys * 8192 }));
            Assert.That(await page.Find("#cache .held:not(.empty)").CountAsync(), Is.EqualTo(step.Keys));
            Assert.That(await page.Find("#cache .new").CountAsync(), Is.EqualTo(step.Read));
            Assert.That(await page.NumbersAsync("#step-candidates .name", "data-id"), Is.EqualTo(step.Candidates.Take(10).Select(one => (double)one.TokenId)));
            Assert.That((await page.TextsAsync(".written"))[0],
                Is.EqualTo(Explanation.Text + string.Concat(Explanation.Steps.Take(index + 1).Select(one => one.Chosen.TokenText))));
            await page.Tab.Keyboard.PressAsync("ArrowRight");
        }
    }

    [Test]
    public async Task A_step_shows_the_attention_of_the_head_that_is_chosen()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find(".head[data-layer='3'][data-head='1']").ClickAsync();
        await page.Find("#step-head").SelectOptionAsync("chosen");
        await page.Find("#generation button[aria-label='Next step']").ClickAsync();
        double[] weights = [.. Explanation.Steps[1].Attentions[3].Row(1).ToArray().Select(weight => (double)weight)];
        Assert.That(await page.NumbersAsync("#cache .held:not(.empty)", "data-weight"), Is.EqualTo(weights).Within(0.5 / 255 + 1e-6));
    }

    /// <summary>Of a token that looks, for all tokens.</summary>
    private double[] Weights(int layer, int head, int from) =>
        [.. Enumerable.Range(0, Explanation.Tokens.Count).Select(to => (double)Explanation.Attentions[layer][head, from, to])];
}
