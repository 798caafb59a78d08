using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Publishing.Tests;

/// <summary>What a stranger sees of a package on a feed, in the package itself.</summary>
public sealed class PackageContentTests
{
    private const string Address = "https://github.com/owner/name";
#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif
    private static readonly string s_folder = Path.Combine(Path.GetTempPath(), $"mtx-packages-{Environment.ProcessId}");

    [OneTimeTearDown]
    public void Remove()
    {
        if (Directory.Exists(s_folder)) Directory.Delete(s_folder, recursive: true);
    }

    [Test]
    public void The_package_of_the_kernels_has_an_icon_notes_an_address_and_what_apps_compiled_ahead_of_time_need()
    {
        using ZipArchive package = Pack("src/Kernels", "ManagedTransformers.Kernels", "named", "--no-build", $"-p:RepositoryUrl={Address}");
        XElement metadata = Metadata(package);
        string? Value(string name) => metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;
        Assert.That((Value("icon"), Value("readme"), Value("license"), Value("projectUrl")), Is.EqualTo(("icon.png", "README.md", "MIT", Address)));
        Assert.That(Value("releaseNotes"), Does.Not.Match(@"\]\((?!https?:)"), "relative links lead nowhere on a feed");
        Assert.That(Value("releaseNotes"), Does.StartWith("# Changelog").And.Contain("; versions follow"));
        Assert.That(metadata.Elements().Single(element => element.Name.LocalName == "repository").Attribute("url")?.Value, Is.EqualTo(Address));
        Assert.That(package.Entries.Select(entry => entry.FullName), Is.SupersetOf(new[]
        {
            "icon.png", "README.md", "lib/net10.0/ManagedTransformers.Kernels.dll", "lib/net10.0/ManagedTransformers.Kernels.xml",
            "buildTransitive/ManagedTransformers.Kernels.targets",
        }));
    }

    [Test]
    public void Its_README_has_no_relative_link_and_its_samples_are_those_of_the_repository()
    {
        using ZipArchive package = Pack("src/Kernels", "ManagedTransformers.Kernels", "named", "--no-build", $"-p:RepositoryUrl={Address}");
        string readme = Read(package, "README.md"), repository = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "README.md"));
        IEnumerable<string> links = Regex.Matches(readme, @"\]\((?<to>[^)\s]+)\)", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5))
            .Select(link => link.Groups["to"].Value);
        Assert.That(links.Where(link => !link.StartsWith("https://", StringComparison.Ordinal)), Is.Empty);
        string[] samples =
            [.. Regex.Matches(readme, @"^```csharp\n[\s\S]*?^```", RegexOptions.Multiline, TimeSpan.FromSeconds(5)).Select(block => block.Value)];
        Assert.That(samples, Is.Not.Empty);
        foreach (string sample in samples) Assert.That(repository, Does.Contain(sample));
    }

    [Test]
    public void The_package_of_the_demo_models_has_their_files_and_no_assembly()
    {
        using ZipArchive package = Pack("models", "ManagedTransformers.DemoModels", "models");
        string[] names = [.. package.Entries.Select(entry => entry.FullName)];
        foreach (string model in Directory.GetDirectories(Path.Combine(RepositoryRoot.Path, "models"), "demo-*"))
        {
            foreach (string file in Directory.GetFiles(model))
                Assert.That(names, Does.Contain($"models/{Path.GetFileName(model)}/{Path.GetFileName(file)}"));
        }
        Assert.That(names, Does.Contain("buildTransitive/ManagedTransformers.DemoModels.targets"));
        Assert.That(names.Where(name => name.EndsWith(".dll", StringComparison.Ordinal)), Is.Empty);
    }

    // Of what the tests were built with: only files are put together.
    private static ZipArchive Pack(string project, string id, string folder, params string[] options)
    {
        string output = Path.Combine(s_folder, folder);
        if (!Directory.Exists(output))
            DotnetProcess.Run(RepositoryRoot.Path, ["pack", project, "-c", Configuration, "-o", output, "-v", "q", "-nologo", .. options]);
        return ZipFile.OpenRead(Directory.GetFiles(output, $"{id}.*.nupkg").Single());
    }

    private static XElement Metadata(ZipArchive package)
    {
        using Stream nuspec = package.Entries.Single(entry => entry.Name.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        return XDocument.Load(nuspec).Root!.Elements().First();
    }

    private static string Read(ZipArchive package, string name)
    {
        using var reader = new StreamReader(package.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }
}
