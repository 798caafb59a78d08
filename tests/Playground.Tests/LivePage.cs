using System.Globalization;
using Microsoft.Playwright;

namespace ManagedTransformers.Playground.Tests;

/// <summary>The playground in a tab of its own.</summary>
internal sealed class LivePage : IAsyncDisposable
{
    private const float Patience = 120_000;                // ms, for machines that do other things as well
    private readonly OpenPage _page;

    private LivePage(OpenPage page) => _page = page;

    public IPage Tab => _page.Tab;

    /// <summary>URLs that were asked for, the page itself first.</summary>
    public IReadOnlyList<string> Requests => _page.Requests;

    /// <summary>Messages of the console, errors and dialogs.</summary>
    public IReadOnlyList<string> Complaints => _page.Complaints;

    /// <summary>Opens the page and waits until it has nothing more to compute or to load.</summary>
    /// <param name="link">The end of its address: a text and switches.</param>
    public static async Task<LivePage> OfAsync(string link = "", ColorScheme scheme = ColorScheme.Light, int width = 1280)
    {
        IBrowser browser = await Chromium.BrowserAsync();       // before it is published: without a browser the test is skipped
        Assert.That(browser.IsConnected);
        OpenPage open = await OpenPage.OfAsync($"{PublishedPage.Address}{link}", scheme, width, ready: "html[data-work], html[data-missing]", Patience);
        var page = new LivePage(open);
        await page.SettledAsync();
        return page;
    }

    /// <summary>The link of a text.</summary>
    public static string Link(string model, string text, string rest = "") => string.Create(CultureInfo.InvariantCulture,
        $"#v=1&m={model}&n={text.Length}&t={Uri.EscapeDataString(text)}{rest}");

    public ILocator Find(string selector) => _page.Find(selector);

    public Task<double[]> NumbersAsync(string selector, string attribute) => _page.NumbersAsync(selector, attribute);

    public Task<string[]> TextsAsync(string selector) => _page.TextsAsync(selector);

    public Task<string> StyleAsync(string selector, string property) => _page.StyleAsync(selector, property);

    /// <summary>Waits until the worker has nothing to do, and both models are there.</summary>
    public async Task SettledAsync()
    {
        await Tab.Locator("html[data-work=idle][data-loaded], html[data-missing]")
            .WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Attached, Timeout = Patience });
    }

    /// <summary>Follows a link without loading the page anew, and waits for its panels.</summary>
    public async Task FollowAsync(string model, string text, string rest = "")
    {
        await Tab.EvaluateAsync("link => { location.hash = '#none'; location.hash = link; }", Link(model, text, rest));
        await Tab.WaitForFunctionAsync("([model, text]) => page.data?.text === text && page.data.model.name === model", new[] { model, text },
            new PageWaitForFunctionOptions { Timeout = Patience });
        await SettledAsync();
    }

    /// <summary>Changes the text and waits for its panels.</summary>
    public async Task WriteAsync(string text)
    {
        await Find("#text").FillAsync(text);
        await Tab.WaitForFunctionAsync("text => page.data.text === text", text, new PageWaitForFunctionOptions { Timeout = Patience });
        await SettledAsync();
    }

    /// <summary>Presses a switch and waits for its effect.</summary>
    public async Task PressAsync(string part)
    {
        await Find($"[data-part='{part}']").ClickAsync();
        await SettledAsync();
    }

    public ValueTask DisposeAsync() => _page.DisposeAsync();
}
