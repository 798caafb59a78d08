using System.Text.Json;

namespace ManagedTransformers.ServerPage.Tests;

/// <summary>The page itself: models, the server's state, keys, errors, themes, widths, the keyboard.</summary>
public sealed class PageTests
{
    private static readonly string[] s_panels = ["complete", "infill", "mask", "classify", "tag", "compare", "server"];

    [Test]
    public async Task Each_panel_offers_the_models_that_can_do_it_those_made_for_it_first()
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        Assert.That(await page.TextsAsync("#complete-model option"), Is.EqualTo(new[] { "demo-codegen (reads 512 tokens)" }));
        Assert.That(await page.TextsAsync("#mask-model option"), Is.EqualTo(new[] { "demo-fill-mask (reads 256 tokens)" }));
        Assert.That(await page.TextsAsync("#compare-model option"), Is.EqualTo(new[] { "demo-embed (reads 256 tokens)", "demo-fill-mask (reads 256 tokens)" }));
        Assert.That(page.Requests, Has.All.StartsWith(PageServer.Open), "nothing comes from elsewhere");
        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public async Task The_server_panel_shows_what_runs()
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.WriteAsync("complete", "import sys\n");
        await page.Find("#complete-max").FillAsync("500");
        await page.Find("#complete-temperature").FillAsync("1");
        await page.AskAsync("complete");
        await page.Find("#tab-server").ClickAsync();
        ILocator decoder = page.Find("[data-model=demo-codegen]");
        await decoder.Locator(".stage.loaded").WaitForAsync();
        Assert.That(await decoder.Locator(".row").CountAsync(), Is.EqualTo(32));
        Assert.That(await decoder.Locator("dt").AllTextContentsAsync(), Is.SupersetOf(new[] { "running", "waiting", "cache", "prompts in the cache" }));
        Assert.That(await page.TextsAsync("#server h2"),
            Is.EqualTo(new[] { "demo-codegen", "demo-fill-mask", "demo-language-id", "demo-tag", "demo-embed" }));
        await page.Tab.RouteAsync("**/status", route => route.FulfillAsync(new RouteFulfillOptions
        {
            Body = """
                {"bytes": 2097152, "memory_bytes": 4194304, "models": [{"id": "m", "stage": "loaded", "tasks": ["generation"], "bytes": 1048576, "users": 1,
                "problem": null, "generation": {"running": 1, "max_rows": 4, "waiting": 2, "max_queue": 9, "cache_bytes": 50, "cache_limit": 100,
                "cached_prompts": 3, "rows": [{"row": 2, "request": 5, "prompt_tokens": 10, "prompt_tokens_read": 10, "cached_tokens": 4, "new_tokens": 7}],
                "totals": {"requests": 1234, "prompt_tokens": 10, "cached_tokens": 4, "new_tokens": 7, "passes": 2, "rows_of_passes": 3}}}]}
                """,
        }));
        await page.Find("[data-model=m]").WaitForAsync();
        Assert.That(await page.TextsAsync("#memory"), Is.EqualTo(new[] { "Models and caches take 2.0 MiB of 4.0 MiB." }));
        Assert.That(await page.TextsAsync("#server .row"), Is.EqualTo(new[] { "", "", "7", "" }));
        Assert.That(await page.TextsAsync("#server dd"), Is.EqualTo(new[]
        {
            "1 of 4", "2 of 9", "0", "1.0 MiB", "50 B of 100 B", "3", "1,234", "7", "10, 40 % from the cache", "1.5",
        }));
    }

    [Test]
    public async Task A_server_that_needs_a_key_is_asked_with_it_until_the_tab_is_closed()
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Locked);
        Assert.That(await page.TextsAsync("#key-says"), Is.EqualTo(new[] { "An API key is needed: Authorization: Bearer KEY." }));
        await page.Find("#key-text").FillAsync("wrong");
        await page.Find("#key-text").PressAsync("Enter");
        await page.Find("#key-says:text-is('Invalid API key.')").WaitForAsync();
        await page.Find("#key-text").FillAsync(PageServer.Key);
        await page.Find("#key-text").PressAsync("Enter");
        await page.Find("#key").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Hidden });
        Assert.That(await page.TextsAsync("#compare-model option"), Has.Length.EqualTo(1));
        Assert.That(await page.Find("#complete .none").CountAsync(), Is.EqualTo(1), "no model there goes on with a text");
        await page.WriteAsync("compare", "a\nb");
        await page.AskAsync("compare");
        Assert.That(await page.Find("#compare tbody td").CountAsync(), Is.EqualTo(4));
        await page.Tab.ReloadAsync();
        await page.Find("html[data-ready]").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Attached });
        Assert.That(await page.Find("#key").IsVisibleAsync(), Is.False);
    }

    [TestCase("mask", "no mask here", 422)]
    [TestCase("compare", "a\nb\nc\nd\ne\nf\ng\nh\ni", 400)]
    public async Task An_error_is_shown_as_the_server_says_it_and_the_next_answer_takes_it_away(string panel, string text, int status)
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        Task<IResponse> answer = page.Tab.WaitForResponseAsync(one => one.Status >= 400);
        await page.WriteAsync(panel, text);
        await page.AskAsync(panel);
        JsonElement error = JsonElement.Parse(await (await answer).TextAsync()).GetProperty("error");
        string message = (error.ValueKind == JsonValueKind.String ? error : error.GetProperty("message")).GetString()!;
        Assert.That(await page.TextsAsync($"#{panel} .error"), Is.EqualTo(new[] { $"{status}: {message}" }));
        await page.WriteAsync(panel, "return <mask>");
        await page.AskAsync(panel);
        Assert.That(await page.Find($"#{panel} .error").IsVisibleAsync(), Is.False);
    }

    [Test]
    public async Task Texts_stay_texts()
    {
        const string Hostile = "</textarea><script>alert(1)</script><img src=x onerror=alert(2)> admin@example.org";
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        foreach (string panel in s_panels[..^1])
        {
            await page.WriteAsync(panel, panel == "mask" ? Hostile + "<mask>" : Hostile);
            await page.AskAsync(panel);
        }
        Assert.That(await page.Find("main img, main script").CountAsync(), Is.Zero);
        Assert.That(await page.TextsAsync("#complete .prompt"), Is.EqualTo(new[] { Hostile }));
        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public async Task The_system_chooses_the_theme()
    {
        foreach ((ColorScheme scheme, string colour) in new[] { (ColorScheme.Light, "rgb(247, 246, 242)"), (ColorScheme.Dark, "rgb(20, 22, 27)") })
        {
            await using OpenPage page = await OpenPage.OfAsync(PageServer.Open, scheme);
            Assert.That(await page.StyleAsync("body", "background-color"), Is.EqualTo(colour));
        }
    }

    [Test]
    public async Task Nothing_is_wider_than_the_window([Values(1280, 390, 320)] int width)
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open, width: width);
        foreach (string panel in s_panels)
        {
            await page.Find($"#tab-{panel}").ClickAsync();
            if (panel != "server")
                await page.AskAsync(panel);
            Assert.That(await page.Tab.EvaluateAsync<int>("document.documentElement.scrollWidth"), Is.LessThanOrEqualTo(width), panel);
        }
    }

    [Test]
    public async Task The_keyboard_reaches_everything_and_everything_has_a_name()
    {
        await using OpenPage page = await OpenPage.OfAsync(PageServer.Open);
        await page.Find("#tab-complete").FocusAsync();
        var seen = new List<string>();
        foreach (string _ in s_panels)
        {
            await page.Tab.Keyboard.PressAsync("ArrowRight");
            seen.Add(await page.Tab.EvaluateAsync<string>("document.querySelector('main > section:not([hidden])').id"));
        }
        Assert.That(seen, Is.EqualTo(s_panels.Skip(1).Append("complete")), "arrows walk over the tabs, and from the last to the first");
        await page.Tab.Keyboard.PressAsync("Tab");
        Assert.That(await page.Tab.EvaluateAsync<string>("document.activeElement.id"), Is.EqualTo("complete-text"));
        Assert.That(await page.Tab.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"), Is.Not.EqualTo("none"));
        int nameless = await page.Tab.EvaluateAsync<int>(
            "[...document.querySelectorAll('button, input, select, textarea')].filter(one => !(one.textContent.trim() && one.tagName === 'BUTTON')"
            + " && !one.labels?.length).length");
        Assert.That(nameless, Is.Zero);
        Assert.That(await page.Find("[role=tabpanel]:not([aria-labelledby])").CountAsync(), Is.Zero);
    }
}
