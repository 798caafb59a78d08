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

    private static IPlaywright? _playwright;
    private static IBrowser? _browser;

    /// <summary>The browser; where there is none, the test that asks is skipped.</summary>
    internal static async Task<IBrowser> BrowserAsync()
    {
        string? program = Environment.GetEnvironmentVariable("MTX_CHROMIUM") is { Length: > 0 } given ? given : Array.Find(UsualPlaces, File.Exists);
        if (program is null)
            Assert.Ignore("No Chromium is installed, so the page was not tried in a browser. "
                + "Install it (Debian: apt-get install -y chromium), or name one with MTX_CHROMIUM=/path/to/chromium.");
        _playwright ??= await Playwright.CreateAsync();
        return _browser ??= await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = program, Args = ["--no-sandbox"] });
    }

    [OneTimeTearDown]
    public async Task CloseAsync()
    {
        if (_browser is not null)
            await _browser.CloseAsync();
        _playwright?.Dispose();
    }
}
