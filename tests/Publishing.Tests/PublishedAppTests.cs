using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text.RegularExpressions;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Publishing.Tests;

/// <summary>The apps of samples/Apps, published outside this repository from its packages, and run. Each takes a minute, so they run when asked for.</summary>
[Explicit("Publishes apps: a minute for each")]
[Category("Publishing")]
[NonParallelizable]
public sealed class PublishedAppTests
{
    private const string Prompt = "def hello_world():";
    private static readonly string s_folder = Path.Combine(Path.GetTempPath(), $"mtx-publishing-{Environment.ProcessId}");
    private static readonly string s_version = $"0.0.0-test.{DateTime.UtcNow.Ticks}";
    private static readonly Dictionary<string, string> s_noVariables = [];

    [OneTimeSetUp]
    public void Pack()
    {
        Directory.CreateDirectory(s_folder);
        foreach (string project in new[] { "src/Runtime", "src/Models", "src/Tokenizers", "src/Kernels", "models" })
        {
            DotnetProcess.Run(RepositoryRoot.Path, "pack", project, "-c", "Release", "-o", Path.Combine(s_folder, "feed"), "-v", "q", "-nologo",
                $"-p:Version={s_version}", "--artifacts-path", Path.Combine(s_folder, "built"));
        }
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(s_folder, recursive: true);

    [Test]
    public void Compiled_ahead_of_time_it_finds_AVX2_is_small_and_writes_what_the_JIT_does()
    {
        string app = Publish("ConsoleAot", "aot");
        KernelLevelLine(app, s_noVariables, HasAvx2 ? "Avx2 of Reference, Portable, Avx2" : "Portable of Reference, Portable");
        Assert.That(new FileInfo(app).Length, Is.LessThanOrEqualTo(8_000_000));
        (_, string output, _) = DotnetProcess.Start(app, s_folder, s_noVariables, Prompt);
        Match numbers = Regex.Match(output, "memory besides the model (?<mb>[0-9]+) MB", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));
        Assert.That(int.Parse(numbers.Groups["mb"].Value, CultureInfo.InvariantCulture), Is.LessThanOrEqualTo(40));
        TestContext.Out.WriteLine(output);

        KernelLevelLine(app, new Dictionary<string, string> { ["MTX_KERNELS"] = "Portable" }, "Portable of ");
        (int exitCode, _, string error) = DotnetProcess.Start(app, s_folder, new Dictionary<string, string> { ["MTX_KERNELS"] = "Avx512" }, Prompt);
        Assert.That(exitCode, Is.Not.Zero);
        Assert.That(error, Does.Contain("IlcInstructionSet"));
    }

    [Test]
    public void The_instructions_of_an_app_are_AVX_on_x64_unless_it_says_otherwise()
    {
        string project = Project("ConsoleAot", "property");
        DotnetProcess.Run(project, ["restore", "-v", "q", "-nologo", .. Restore]);
        string Property(params string[] options) => DotnetProcess.Run(project, ["msbuild", "-getProperty:IlcInstructionSet", .. options]).Trim();
        Assert.That(Property("-p:RuntimeIdentifier=linux-x64"), Is.EqualTo("avx"));
        Assert.That(Property("-p:RuntimeIdentifier=win-x64"), Is.EqualTo("avx"));
        Assert.That(Property("-p:RuntimeIdentifier=linux-arm64"), Is.Empty);
        Assert.That(Property("-p:RuntimeIdentifier=linux-x64", "-p:IlcInstructionSet=x86-64-v4"), Is.EqualTo("x86-64-v4"));
        Assert.That(Property(), Is.EqualTo(RuntimeInformation.OSArchitecture == Architecture.X64 ? "avx" : ""));
    }

    [TestCase("trimmed", "-p:PublishAot=false", "-p:PublishTrimmed=true", "--self-contained")]
    [TestCase("ready-to-run", "-p:PublishAot=false", "-p:PublishReadyToRun=true", "--self-contained")]
    [TestCase("framework-dependent", "-p:PublishAot=false", "--no-self-contained")]
    public void In_any_other_form_it_has_all_levels_of_the_CPU(string form, params string[] options) =>
        KernelLevelLine(Publish("ConsoleAot", form, options), s_noVariables,
            $"{Kernels.KernelDispatch.Supported[^1]} of {string.Join(", ", Kernels.KernelDispatch.Supported)}");

    [Test]
    public void A_single_trimmed_file_has_the_model_inside()
    {
        string app = Publish("SingleFile", "single-file");
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(app)!).Select(Path.GetExtension), Has.None.EqualTo(".dll").And.None.EqualTo(".safetensors"));
        (int exitCode, string output, string error) = DotnetProcess.Start(app, s_folder, s_noVariables, "outcome := rand.Intn(6) + 1");
        Assert.That((exitCode, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.StartWith("go "));
    }

    private static bool HasAvx2 => Avx2.IsSupported && Fma.IsSupported;

    /// <summary>Runs the app, which must be at a level, and write what this process writes.</summary>
    private static void KernelLevelLine(string app, IReadOnlyDictionary<string, string> environment, string level)
    {
        using var here = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-codegen"));
        string text = Prompt + here.Generate(Prompt, new GenerationOptions { MaxNewTokens = 24 });
        (int exitCode, string output, string error) = DotnetProcess.Start(app, s_folder, environment, Prompt);
        Assert.That((exitCode, error), Is.EqualTo((0, "")), output);
        Assert.That(output, Does.StartWith($"kernels: {level}").And.Contain($"\n{text}\n"));
    }

    private static string[] Restore =>
    [
        $"-p:RestoreAdditionalProjectSources={Path.Combine(s_folder, "feed")}", $"-p:RestorePackagesPath={Path.Combine(s_folder, "packages")}",
        $"-p:RestoreFallbackFolders={GlobalPackages}",
    ];

    private static string GlobalPackages =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <summary>Publishes a sample, where no warning may come up, and gives the path of the program.</summary>
    private static string Publish(string sample, string form, params string[] options)
    {
        string project = Project(sample, form), output = Path.Combine(s_folder, form, "out");
        string printed = DotnetProcess.Run(
            project, ["publish", "-c", "Release", "-o", output, "--ucr", "-v", "m", "-nologo", "-warnaserror", .. options, .. Restore]);
        Assert.That(printed, Does.Not.Contain("warning"));
        return Path.Combine(output, OperatingSystem.IsWindows() ? $"{sample}.exe" : sample);
    }

    // The sample as an app of a stranger has it: in a folder of its own, with packages instead of projects.
    private static string Project(string sample, string form)
    {
        string source = Path.Combine(RepositoryRoot.Path, "samples", "Apps", sample), folder = Path.Combine(s_folder, form, sample);
        Directory.CreateDirectory(folder);
        File.Copy(Path.Combine(source, "Program.cs"), Path.Combine(folder, "Program.cs"));
        string models = Path.Combine(RepositoryRoot.Path, "models") + "/";
        string text = File.ReadAllText(Path.Combine(source, $"{sample}.csproj"));
        string packaged = Regex.Replace(text, "<ProjectReference Include=\"[^\"]*Runtime.csproj\" />",
                $"<PackageReference Include=\"ManagedTransformers\" Version=\"{s_version}\" />", RegexOptions.None, TimeSpan.FromSeconds(5))
            .Replace("  <Import Project=\"../../../src/Kernels/buildTransitive/ManagedTransformers.Kernels.targets\" />\n", "", StringComparison.Ordinal)
            .Replace("  <Import Project=\"../../../models/ManagedTransformers.DemoModels.targets\" />\n",
                $"  <ItemGroup><PackageReference Include=\"ManagedTransformers.DemoModels\" Version=\"{s_version}\" /></ItemGroup>\n", StringComparison.Ordinal)
            .Replace("../../../models/", models, StringComparison.Ordinal);
        Assert.That(packaged, Does.Contain("PackageReference").And.Not.Contain("../"));
        File.WriteAllText(Path.Combine(folder, $"{sample}.csproj"), packaged);
        return folder;
    }
}
