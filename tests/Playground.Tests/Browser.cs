[assembly: Category("Playground")]

namespace ManagedTransformers.Playground.Tests;

/// <summary>Closes the browser after the last test.</summary>
[SetUpFixture]
public sealed class Browser
{
    [OneTimeTearDown]
    public Task CloseAsync() => new Chromium().CloseAsync();
}
