using ManagedTransformers.Diagnostics;
using Microsoft.Playwright;

namespace ManagedTransformers.Explain.Tests;

/// <summary>What is different on the page of an encoder's text.</summary>
public sealed class EncoderPageTests : IDisposable
{
    private readonly ExplainedText _text = new("demo-fill-mask", "public static <mask> set(string $key, <mask>) {", "--mask", "2");

    public void Dispose() => _text.Dispose();

    [Test]
    public async Task The_page_opens_with_the_mask_that_was_asked_for_and_shows_the_effect_of_removing_each_part()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        ExplainedPrediction second = _text.Explanation.Predictions[1];
        Assert.That(await page.Find("#where").InputValueAsync(), Is.EqualTo($"{second.Position}"));
        Assert.That(await page.NumbersAsync("#candidates .fill", "data-probability"),
            Is.EqualTo(second.Candidates.Select(one => one.Probability)).Within(1e-5));
        Assert.That(await page.NumbersAsync(".effects [data-effect]", "data-effect"),
            Is.EqualTo(second.Attribution.Effects.Select(effect => effect.Effect)).Within(1e-3));
        Assert.That((await page.TextsAsync("#prediction .says"))[0], Does.Contain("ablation"));
        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public async Task Another_mask_is_a_choice_away_and_a_token_without_a_prediction_leaves_it()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        ExplainedPrediction first = _text.Explanation.Predictions[0];
        await page.Find("#where").SelectOptionAsync($"{first.Position}");
        double[] ids = [.. first.Candidates.Select(one => (double)one.TokenId)];
        Assert.That(await page.NumbersAsync("#candidates .name", "data-id"), Is.EqualTo(ids));
        await page.Find("#tokens .token").First.ClickAsync();
        Assert.That(await page.NumbersAsync("#candidates .name", "data-id"), Is.EqualTo(ids));
    }

    [Test]
    public async Task Tokens_look_ahead_and_there_is_no_generation()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        await page.Find(".head[data-layer='0'][data-head='3']").ClickAsync();
        await page.Find(".from button").Nth(1).HoverAsync();
        double[] weights = [.. Enumerable.Range(0, _text.Explanation.Tokens.Count).Select(to => (double)_text.Explanation.Attentions[0][3, 1, to])];
        Assert.That(weights[2..].Max(), Is.GreaterThan(0.1));
        Assert.That(await page.NumbersAsync(".to [data-to]", "data-weight"), Is.EqualTo(weights).Within(0.5 / 255 + 1e-6));
        await Assertions.Expect(page.Find("#generation")).ToBeHiddenAsync();
    }
}
