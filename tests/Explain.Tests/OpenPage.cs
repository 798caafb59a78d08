using System.Globalization;
using Microsoft.Playwright;

namespace ManagedTransformers.Explain.Tests;

/// <summary>A page in a tab of its own, and everything that it asked the network for or complained about.</summary>
internal sealed class OpenPage : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _requests = [];
    private readonly List<string> _complaints = [];

    private OpenPage(IBrowserContext context, IPage page) => (_context, Tab) = (context, page);

    /// <summary>The tab.</summary>
    public IPage Tab { get; }

    /// <summary>URLs that were asked for, the page itself first.</summary>
    public IReadOnlyList<string> Requests => _requests;

    /// <summary>Messages of the console, errors and dialogs.</summary>
    public IReadOnlyList<string> Complaints => _complaints;

    /// <summary>Opens a file or an address.</summary>
    /// <param name="path">Which.</param>
    /// <param name="scheme">The system's theme.</param>
    /// <param name="width">The window's, in pixels.</param>
    /// <param name="ready">What the page has when it is drawn.</param>
    /// <param name="patience">How long that may take, in milliseconds.</param>
    public static async Task<OpenPage> OfAsync(string path, ColorScheme scheme = ColorScheme.Light, int width = 1280, string ready = "html[data-ready]",
        float patience = 30_000)
    {
        IBrowser browser = await Chromium.BrowserAsync();
        IBrowserContext context = await browser.NewContextAsync(new BrowserNewContextOptions
        {
            ColorScheme = scheme, ViewportSize = new ViewportSize { Width = width, Height = 900 }, ReducedMotion = ReducedMotion.Reduce,
        });
        var page = new OpenPage(context, await context.NewPageAsync());
        page.Tab.Request += (_, request) => page._requests.Add(request.Url);
        page.Tab.Console += (_, message) => page._complaints.Add(message.Text);
        page.Tab.PageError += (_, error) => page._complaints.Add(error);
        page.Tab.Dialog += async (_, dialog) =>
        {
            page._complaints.Add(dialog.Message);
            await dialog.DismissAsync();
        };
        await page.Tab.GotoAsync(new Uri(path).AbsoluteUri);
        await page.Tab.Locator(ready).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Attached, Timeout = patience });
        return page;
    }

    public ILocator Find(string selector) => Tab.Locator(selector);

    /// <summary>A number in an attribute of every element that matches.</summary>
    public async Task<double[]> NumbersAsync(string selector, string attribute)
    {
        string?[] values = await Tab.Locator(selector).EvaluateAllAsync<string?[]>($"all => all.map(one => one.getAttribute('{attribute}'))");
        return [.. values.Select(value => double.Parse(value!, CultureInfo.InvariantCulture))];
    }

    /// <summary>The text of every element that matches.</summary>
    public async Task<string[]> TextsAsync(string selector) => [.. await Tab.Locator(selector).AllTextContentsAsync()];

    /// <summary>A property of an element's style, as the browser computed it.</summary>
    public Task<string> StyleAsync(string selector, string property) =>
        Tab.Locator(selector).First.EvaluateAsync<string>($"one => getComputedStyle(one).getPropertyValue('{property}')");

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();
}
