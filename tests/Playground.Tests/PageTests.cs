using Microsoft.Playwright;

namespace ManagedTransformers.Playground.Tests;

/// <summary>What is around the answers: loading, links, what goes wrong, the keyboard, the tour, themes and widths.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class PageTests
{
    private const string Text = "for i in range(10):\n    print(";
    private static readonly string[] s_reachable = ["write", "tokens", "switches", "attention", "residual", "lens", "prediction", "sampling", "generation"];

    [Test]
    public async Task It_loads_from_its_own_address_alone_and_nothing_after_that([Values(ColorScheme.Light, ColorScheme.Dark)] ColorScheme scheme)
    {
        await using LivePage page = await LivePage.OfAsync(scheme: scheme);
        int loaded = page.Requests.Count;
        Assert.That(page.Requests.Where(url => !url.StartsWith("data:", StringComparison.Ordinal)), Is.All.StartsWith(PublishedPage.Address));
        Assert.That(page.Requests.Where(url => url.Contains("/models/", StringComparison.Ordinal)).Distinct().Count(), Is.EqualTo(9), "both models");
        await page.WriteAsync(Text);
        await page.PressAsync("h2.1");
        await page.Find("#task").SelectOptionAsync("demo-fill-mask");
        await page.SettledAsync();
        await page.Tab.WaitForFunctionAsync("() => page.data.model.name === 'demo-fill-mask'");
        await page.SettledAsync();
        Assert.That(page.Requests, Has.Count.EqualTo(loaded));
        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public void The_first_load_is_at_most_12_MB_compressed_beside_the_models()
    {
        long bytes = Directory.EnumerateFiles(PublishedPage.Folder, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetExtension(file) is not (".br" or ".gz"))
            .Where(file => !Path.GetRelativePath(PublishedPage.Folder, file).StartsWith("models", StringComparison.Ordinal))
            .Sum(file => new FileInfo(File.Exists($"{file}.br") ? $"{file}.br" : file).Length);
        Assert.That(bytes, Is.InRange(1_000_000, 12_000_000));
    }

    [Test]
    public async Task A_link_holds_text_switches_and_settings()
    {
        await using LivePage page = await LivePage.OfAsync(LivePage.Link("demo-codegen", Text, "&at=3&off=h1.2,m0,p2&temperature=0.7&top_p=0.8"));
        Assert.That(await page.Find("#text").InputValueAsync(), Is.EqualTo(Text));
        Assert.That(await page.Find("[data-part='h1.2']").GetAttributeAsync("aria-checked"), Is.EqualTo("false"));
        Assert.That(await page.Find("[role=switch][aria-checked=false]").CountAsync(), Is.EqualTo(3));
        Assert.That(await page.Find("#answers").GetAttributeAsync("data-position"), Is.EqualTo("3"));
        Assert.That((await page.Find("#temperature").InputValueAsync(), await page.Find("#top-p").InputValueAsync()), Is.EqualTo(("0.7", "0.8")));
        await page.PressAsync("m0");
        await page.WriteAsync("é % & = # ü\n🙂 \"x\"");
        string link = await page.Tab.EvaluateAsync<string>("location.href");
        await using LivePage again = await LivePage.OfAsync(link[link.IndexOf('#', StringComparison.Ordinal)..]);
        Assert.That(await again.Find("#text").InputValueAsync(), Is.EqualTo("é % & = # ü\n🙂 \"x\""));
        double[] probabilities = await page.NumbersAsync("#answers .fill", "data-probability");
        Assert.That(await again.NumbersAsync("#answers .fill", "data-probability"), Is.EqualTo(probabilities).Within(1e-6));
        Assert.That(await again.Tab.EvaluateAsync<string>("location.href"), Is.EqualTo(link));
        Assert.That(again.Complaints, Is.Empty);
    }

    [TestCase("#v=1&m=demo-codegen&n=40&t=def", "The link's text is broken: 3 of 40 characters came.")]
    [TestCase("#v=1&m=demo-codegen&n=4&t=def%E4", "The link's text is broken: it has a % that is followed by no character's code.")]
    [TestCase("#v=1&m=gpt&n=1&t=x", "The link names a model that is not here: \"gpt\".")]
    [TestCase("#v=2&t=x", "The link is of another version of this page (v=2; 1 is needed).")]
    [TestCase("#v=1&m=demo-codegen&n=1&t=x&off=h1,zz", "The link has the switch \"zz\", which names no part.")]
    [TestCase("#v=1&m=demo-codegen&n=1&t=x&temperature=9", "The link has temperature=9; a number from 0.05 to 2 is needed.")]
    public async Task A_broken_link_says_what_is_wrong_and_the_page_opens_with_its_example(string link, string message)
    {
        await using LivePage page = await LivePage.OfAsync(link);
        Assert.That((await page.TextsAsync("#notice"))[0], Does.StartWith(message));
        Assert.That(await page.Find("#notice").IsVisibleAsync());
        Assert.That(await page.Find("#text").InputValueAsync(), Does.StartWith("def largest"));
        Assert.That(await page.Find("#answers .name").CountAsync(), Is.GreaterThan(10));
    }

    [Test]
    public async Task What_cannot_be_read_is_said_and_the_panels_stay()
    {
        await using LivePage page = await LivePage.OfAsync(LivePage.Link("demo-codegen", Text, "&off=h7.0"));
        Assert.That((await page.TextsAsync("#notice"))[0], Does.StartWith("h7.0: 7 is outside 0 … 3, the model's layers."));
        Assert.That(await page.Find("#text").InputValueAsync(), Does.StartWith("def largest"));
        await page.FollowAsync("demo-codegen", Text);
        await page.Find("#text").FillAsync("");
        await page.Tab.WaitForFunctionAsync("() => document.getElementById('status').textContent.startsWith('The text is empty')");
        Assert.That(await page.Find("#tokens .token").CountAsync(), Is.GreaterThan(5));
        await page.Find("#text").FillAsync(string.Concat(Enumerable.Repeat("x = 1\n", 100)));
        await page.Tab.WaitForFunctionAsync("() => document.getElementById('status').textContent.includes('at most 256 of this model can be explained')");
        await page.Find("#task").SelectOptionAsync("demo-fill-mask");
        await page.WriteAsync("a <mask> b");
        await page.Find("#text").FillAsync("no mask");
        await page.Tab.WaitForFunctionAsync("() => document.getElementById('status').textContent.startsWith('The text has no mask')");
        await page.FollowAsync("demo-codegen", Text);
        await page.Find("input[value=copy]").CheckAsync();
        await page.Find("#second").FillAsync("one two");
        await page.Find("#second").BlurAsync();
        await page.PressAsync("s1");
        Assert.That((await page.TextsAsync("#status"))[0], Does.Contain("The second text is").And.Contain("Write two texts of equally many tokens."));
        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public async Task A_browser_without_vectors_is_told_so()
    {
        IBrowser browser = await Chromium.BrowserAsync();
        await using IBrowserContext context = await browser.NewContextAsync();
        IPage tab = await context.NewPageAsync();
        await tab.AddInitScriptAsync("WebAssembly.validate = () => false;");
        await tab.GotoAsync(PublishedPage.Address);
        await tab.Locator("html[data-missing]").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Attached });
        Assert.That(await tab.Locator("#notice").InnerTextAsync(), Does.StartWith("This browser's WebAssembly has no vectors (SIMD)").And.Contain("Firefox"));
        Assert.That(await tab.Locator("#answer").IsVisibleAsync(), Is.False);
    }

    [Test]
    public async Task The_keyboard_reaches_every_panel_and_works_the_switches()
    {
        await using LivePage page = await LivePage.OfAsync();
        var reached = new HashSet<string>();
        for (int i = 0; i < 120; i++)
        {
            await page.Tab.Keyboard.PressAsync("Tab");
            reached.Add(await page.Tab.EvaluateAsync<string>("document.activeElement.closest('section')?.id ?? 'head'"));
        }
        Assert.That(reached, Is.SupersetOf(s_reachable));
        await page.Find("[data-part='h0.0']").FocusAsync();
        await page.Tab.Keyboard.PressAsync("ArrowDown");
        await page.Tab.Keyboard.PressAsync("ArrowRight");
        await page.Tab.Keyboard.PressAsync("Space");
        await page.SettledAsync();
        Assert.That(await page.Find("[data-part='h1.1']").GetAttributeAsync("aria-checked"), Is.EqualTo("false"));
        Assert.That(await page.Tab.EvaluateAsync<string>("document.activeElement.dataset.part"), Is.EqualTo("h1.1"), "the focus stays");
        Assert.That((await page.TextsAsync("#outcome b"))[0], Does.EndWith("%"));
    }

    [Test]
    public async Task The_tour_has_ten_steps_and_ends_with_escape()
    {
        await using LivePage page = await LivePage.OfAsync();
        await page.Find("#tour").ClickAsync();
        for (int step = 1; step <= 10; step++)
        {
            Assert.That((await page.TextsAsync(".tour .count"))[0], Is.EqualTo($"{step} of 10"));
            Assert.That(await page.Find("section.toured").CountAsync(), Is.EqualTo(1));
            if (step == 6)
                Assert.That(await page.Find("[role=switch][aria-checked=false]").CountAsync(), Is.EqualTo(1), "it took a head out");
            await page.Tab.Keyboard.PressAsync(step < 10 ? "ArrowRight" : "Escape");
        }
        Assert.That(await page.Find(".tour").IsVisibleAsync(), Is.False);
        Assert.That(await page.Tab.EvaluateAsync<string>("document.activeElement.id"), Is.EqualTo("tour"));
        Assert.That(await page.Find("[role=switch][aria-checked=false]").CountAsync(), Is.Zero);
    }

    [Test]
    public async Task Nothing_is_wider_than_the_window_and_everything_has_a_name([Values(1280, 390)] int width)
    {
        await using LivePage page = await LivePage.OfAsync(width: width);
        Assert.That(await page.Tab.EvaluateAsync<int>("document.documentElement.scrollWidth"), Is.LessThanOrEqualTo(width));
        Assert.That(await page.Tab.EvaluateAsync<int>(
            "[...document.querySelectorAll('button, a, input, select, textarea, [role=img]')].filter(one => !(one.getAttribute('aria-label') || "
            + "one.textContent.trim() || one.closest('label') || document.querySelector(`label[for='${one.id}']`))).length"), Is.Zero);
    }

    [Test]
    public async Task Every_panel_has_its_code_and_text_of_the_user_stays_text()
    {
        await using LivePage page = await LivePage.OfAsync();
        foreach (string section in new[] { "tokens", "attention", "residual", "lens", "prediction", "generation" })
            Assert.That(await page.Find($"#{section} details.code pre").CountAsync(), Is.GreaterThan(0), section);
        await page.WriteAsync("x = '</script><img src=x onerror=alert(2)>'");
        Assert.That(await page.Find("img").CountAsync(), Is.Zero);
        Assert.That(page.Complaints, Is.Empty);
    }
}
