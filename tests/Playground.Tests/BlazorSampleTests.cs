using Microsoft.Playwright;

namespace ManagedTransformers.Playground.Tests;

/// <summary>samples/Apps/BlazorWasm, published, in a browser.</summary>
[NonParallelizable]
[Explicit("Publishes an app: a minute")]
[Category("Publishing")]
public sealed class BlazorSampleTests
{
    private const float Patience = 120_000;                // ms, for machines that do other things as well
    private const double Near = 2e-4;                      // of probabilities: the browser's kernels sum in another order
    private string _address = null!;

    [OneTimeSetUp]
    public async Task PublishAsync()
    {
        IBrowser browser = await Chromium.BrowserAsync();       // before it is published: without a browser the tests are skipped
        Assert.That(browser.IsConnected);
        _address = PublishedPage.Serve(PublishedPage.Publish("samples", "Apps", "BlazorWasm"));
    }

    [Test]
    public async Task Its_candidates_follow_the_text_and_are_those_of_the_pipeline_here()
    {
        using var here = FillMaskPipeline.Load(Path.Combine(Folders.Repository, "models", "demo-fill-mask"));
        await using OpenPage page = await OpenPage.OfAsync(_address, ready: "tr:first-child", patience: Patience);
        await AssertCandidatesAsync(page, here.Predict(await page.Find("#text").InputValueAsync()));
        Assert.That((await page.TextsAsync(".candidate"))[0], Is.EqualTo(" function"));

        await page.Find("#text").FillAsync("for i in <mask>(10):");
        await AssertCandidatesAsync(page, here.Predict("for i in <mask>(10):"));
        await page.Find("#text").PressSequentiallyAsync("\n    total += i\n");
        await AssertCandidatesAsync(page, here.Predict("for i in <mask>(10):\n    total += i\n"));
        Assert.That(page.Requests, Is.All.StartsWith(_address).Or.StartsWith("data:"));
        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public async Task A_text_without_a_mask_gets_the_pipelines_message_until_it_has_one()
    {
        await using OpenPage page = await OpenPage.OfAsync(_address, ready: "tr:first-child", patience: Patience);
        await page.Find("#text").FillAsync("no mask");
        await page.Tab.WaitForFunctionAsync("() => document.getElementById('status').textContent !== ''");
        Assert.That((await page.TextsAsync("#status"))[0], Is.EqualTo("The text has no mask. Write <mask> where a token is to be filled in."));
        Assert.That(await page.Find("tr").CountAsync(), Is.Zero);
        await page.Find("#text").FillAsync("a <mask>");
        await page.Find("tr").First.WaitForAsync();
        Assert.That((await page.TextsAsync("#status"))[0], Is.Empty);
    }

    [Test]
    public async Task A_model_that_is_not_served_is_said()
    {
        IPage tab = await TabAsync();
        await tab.RouteAsync("**/model.safetensors", route => route.FulfillAsync(new RouteFulfillOptions { Status = 404 }));
        await tab.GotoAsync(_address);
        ILocator status = tab.Locator("#status", new PageLocatorOptions { HasText = "The model could not be loaded" });
        await status.WaitForAsync(new LocatorWaitForOptions { Timeout = Patience });
        Assert.That(await status.TextContentAsync(), Does.Contain("404"));
        await tab.Context.CloseAsync();
    }

    [Test]
    public async Task A_browser_without_vectors_is_told_so()
    {
        IPage tab = await TabAsync();
        await tab.AddInitScriptAsync("WebAssembly.validate = () => false;");
        await tab.GotoAsync(_address);
        Assert.That(await tab.Locator("#app").TextContentAsync(), Does.StartWith("This browser's WebAssembly has no vectors (SIMD)").And.Contain("Firefox"));
        await tab.Context.CloseAsync();
    }

    private static async Task<IPage> TabAsync() => await (await (await Chromium.BrowserAsync()).NewContextAsync()).NewPageAsync();

    /// <summary>Waits for the candidates and compares their probabilities.</summary>
    private static async Task AssertCandidatesAsync(OpenPage page, IReadOnlyList<FillMaskPrediction> expected)
    {
        await page.Tab.WaitForFunctionAsync("texts => [...document.querySelectorAll('.candidate')].map(one => one.textContent).join('|') === texts.join('|')",
            expected.Select(candidate => candidate.TokenText).ToArray(), new PageWaitForFunctionOptions { Timeout = Patience });
        double[] probabilities = await page.NumbersAsync("meter", "value");
        Assert.That(probabilities, Is.EqualTo(expected.Select(candidate => (double)candidate.Score)).Within(Near));
    }
}
