using Microsoft.Playwright;

namespace ManagedTransformers.Explain.Tests;

/// <summary>
/// The browser of these tests: a Chromium that is installed, found by the environment variable MTX_CHROMIUM, else where systems put it. None is downloaded.
/// </summary>
[SetUpFixture]
public sealed class Chromium
{
    private static readonly string[] UsualPlaces =
    [
        "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
        @"C:\Program Files\Google\Chrome\Application\chrome.exe", @"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ];

    // Tests that run at once share one.
    private static readonly Lazy<Task<(IPlaywright Playwright, IBrowser Browser)>> s_started = new(StartAsync);

    /// <summary>The browser; where there is none, the test that asks is skipped.</summary>
    internal static async Task<IBrowser> BrowserAsync()
    {
        if (Program is null)
            Assert.Ignore("No Chromium is installed, so the page was not tried in a browser. "
                + "Install it (Debian: apt-get install -y chromium), or name one with MTX_CHROMIUM=/path/to/chromium.");
        return (await s_started.Value).Browser;
    }

    private static string? Program =>
        Environment.GetEnvironmentVariable("MTX_CHROMIUM") is { Length: > 0 } given ? given : Array.Find(UsualPlaces, File.Exists);

    private static async Task<(IPlaywright, IBrowser)> StartAsync()
    {
        IPlaywright playwright = await Playwright.CreateAsync();
        return (playwright, await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Program, Args = ["--no-sandbox"] }));
    }

    [OneTimeTearDown]
    public async Task CloseAsync()
    {
        if (!s_started.IsValueCreated)
            return;
        (IPlaywright playwright, IBrowser browser) = await s_started.Value;
        await browser.CloseAsync();
        playwright.Dispose();
    }
}
