using System.Diagnostics;

namespace ManagedTransformers.Cli.Tests;

/// <summary>The documents and the API as a site: docfx.json and toc.yml.</summary>
internal sealed class SiteTests
{
    [Test]
    public void The_contents_lead_to_documents_and_name_every_guide()
    {
        string[] targets = [.. File.ReadLines(Path.Combine(Folders.Repository, "toc.yml")).Select(line => line.Trim())
            .Where(line => line.StartsWith("href: ", StringComparison.Ordinal)).Select(line => line["href: ".Length..])];
        Assert.That(targets.Where(target => target != "artifacts/api/toc.yml" && !File.Exists(Path.Combine(Folders.Repository, target))), Is.Empty);
        IEnumerable<string> guides = Directory.GetFiles(Path.Combine(Folders.Repository, "docs"), "*.md").Select(path => $"docs/{Path.GetFileName(path)}");
        Assert.That(guides, Is.SubsetOf(targets));
    }

    [Test]
    [Explicit("Builds the whole site, in a minute")]
    [Category("Site")]
    public void The_site_has_no_broken_link()
    {
        Assert.That(Run("tool", "restore"), Is.Zero);
        Assert.That(Run("docfx", "metadata", "docfx.json"), Is.Zero);
        Assert.That(Run("docfx", "build", "docfx.json", "--warningsAsErrors"), Is.Zero);
        Assert.That(File.Exists(Path.Combine(Folders.Repository, "artifacts", "site", "README.html")));
    }

    private static int Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = Folders.Repository, RedirectStandardOutput = true, UseShellExecute = false };
        using Process process = Process.Start(start)!;
        TestContext.Out.WriteLine(process.StandardOutput.ReadToEnd());
        process.WaitForExit();
        return process.ExitCode;
    }
}
