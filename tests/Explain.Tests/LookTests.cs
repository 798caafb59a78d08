using Microsoft.Playwright;

namespace ManagedTransformers.Explain.Tests;

/// <summary>Themes, widths, the keyboard, and texts that try to be more than text.</summary>
public sealed class LookTests : IDisposable
{
    private const string Hostile = "x = '</script><script>alert(1)</script>' # <img src=x onerror=alert(2)> {{data}} \u202Eabc 🙂 \u0007 <!-- ]]>";
    private readonly ExplainedText _text = new("demo-codegen", "for i in range(10):\n    print(", "--generate", "2");

    public void Dispose() => _text.Dispose();

    [Test]
    public async Task The_system_chooses_the_theme_and_the_button_changes_it()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path, ColorScheme.Dark);
        string dark = await page.StyleAsync("body", "background-color"), darkHeld = await page.StyleAsync("#cache .held", "background-color");
        Assert.That(dark, Is.EqualTo("rgb(20, 22, 27)"));
        Assert.That(await page.TextsAsync("#theme"), Is.EqualTo(new[] { "Light" }));
        await page.Find("#theme").ClickAsync();
        Assert.That(await page.StyleAsync("body", "background-color"), Is.EqualTo("rgb(247, 246, 242)"));
        Assert.That(await page.StyleAsync("#cache .held", "background-color"), Is.Not.EqualTo(darkHeld), "what scripts colour follows the theme");
        Assert.That(await page.TextsAsync("#theme"), Is.EqualTo(new[] { "Dark" }));
    }

    [Test]
    public async Task Nothing_is_wider_than_the_window([Values(1280, 800, 390)] int width)
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path, width: width);
        Assert.That(await page.Tab.EvaluateAsync<int>("document.documentElement.scrollWidth"), Is.LessThanOrEqualTo(width));
    }

    [Test]
    public async Task Tab_reaches_every_panel_and_the_focus_is_seen()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        var reached = new HashSet<string>();
        for (int i = 0; i < 80; i++)
        {
            await page.Tab.Keyboard.PressAsync("Tab");
            string where = await page.Tab.EvaluateAsync<string>("document.activeElement.closest('section')?.id ?? ''");
            reached.Add(where);
            if (where.Length > 0)
                Assert.That(await page.Tab.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"), Is.Not.EqualTo("none"));
        }
        Assert.That(reached, Is.SupersetOf(new[] { "tokens", "attention", "residual", "lens", "prediction", "generation" }));
    }

    [Test]
    public async Task Everything_that_can_be_used_has_a_name()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        int nameless = await page.Tab.EvaluateAsync<int>(
            "[...document.querySelectorAll('button, a, input, select, [role=img]')]"
            + ".filter(one => !(one.getAttribute('aria-label') || one.textContent.trim() || document.querySelector(`label[for='${one.id}']`))).length");
        Assert.That(nameless, Is.Zero);
        Assert.That(await page.Find("section:not([aria-labelledby])").CountAsync(), Is.Zero);
    }

    [Test]
    public async Task Text_of_the_user_stays_text()
    {
        using var hostile = new ExplainedText("demo-codegen", Hostile, "--title", "</title><script>alert(3)</script>");
        await using OpenPage page = await OpenPage.OfAsync(hostile.Path);
        Assert.That(await page.TextsAsync("#text"), Is.EqualTo(new[] { Hostile }));
        Assert.That(await page.TextsAsync("h1"), Is.EqualTo(new[] { "</title><script>alert(3)</script>" }));
        Assert.That(await page.Tab.TitleAsync(), Is.EqualTo("</title><script>alert(3)</script>"));
        Assert.That(await page.Find("img").CountAsync(), Is.Zero);
        Assert.That(await page.TextsAsync("#tokens .piece"), Has.Some.Contain("U+0007"));
        Assert.That(page.Complaints, Is.Empty);
        Assert.That(page.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Every_panel_says_what_it_shows_and_has_its_code()
    {
        await using OpenPage page = await OpenPage.OfAsync(_text.Path);
        foreach (string section in new[] { "tokens", "attention", "residual", "lens", "prediction", "generation" })
        {
            Assert.That((await page.TextsAsync($"#{section} .says"))[0], Does.EndWith("."), section);
            await page.Find($"#{section} details.code summary").ClickAsync();
            string code = (await page.TextsAsync($"#{section} details.code pre"))[0];
            Assert.That(code, Does.Contain($"{await page.Find($"#{section} details.code a").First.GetAttributeAsync("data-method")}("), section);
        }
    }
}
