namespace ManagedTransformers.Cli.Tests;

/// <summary>The files of packaging/ start mtx with options that there are, and name files that there are.</summary>
[TestFixture]
internal sealed class PackagingTests
{
    private static string Read(string name) => File.ReadAllText(Path.Combine(Folders.Repository, "packaging", name));

    private static string Line(string file, string begin) =>
        Read(file).Split('\n').Single(line => line.StartsWith(begin, StringComparison.Ordinal))[begin.Length..];

    [Test]
    public void The_containers_entry_point_is_a_command_line_of_mtx()
    {
        string[] words = System.Text.Json.JsonSerializer.Deserialize<string[]>(Line("Dockerfile", "ENTRYPOINT "))!;
        Assert.That(words[0], Is.EqualTo("/app/mtx"));
        Assert.That(ErrorsOf([.. words[1..], "--model", "/models/a", "--preload"]), Is.Empty);
        Assert.That(Directory.Exists(Path.Combine(Folders.Repository, Line("Dockerfile", "RUN dotnet publish ").Split(' ')[0])));
        Assert.That(Read("Dockerfile"), Does.Contain("USER $APP_UID"), "not root");
    }

    [Test]
    public void The_services_start_is_a_command_line_of_mtx_and_may_end_in_its_time()
    {
        string[] words = Line("mtx.service", "ExecStart=").Split(' ');
        Assert.That(ErrorsOf(words[1..]), Is.Empty);
        int drain = int.Parse(words[Array.IndexOf(words, "--drain") + 1]);
        Assert.That(int.Parse(Line("mtx.service", "TimeoutStopSec=")), Is.GreaterThan(drain));
    }

    [Test]
    public void The_silos_of_Kubernetes_start_with_a_command_line_of_mtx_and_may_end_in_their_time()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Folders.Repository, "docs", "kubernetes", "fleet.yaml"));
        int args = Array.FindIndex(lines, line => line.Trim() == "args:");
        string[] words = [.. lines[(args + 1)..].Select(line => line.Trim()).TakeWhile(line => line.StartsWith("- ", StringComparison.Ordinal))
            .Select(line => line[2..].Trim('"'))];
        Assert.That(words, Has.Length.GreaterThan(10));
        Assert.That(ErrorsOf(["serve", .. words]), Is.Empty);
        Assert.That(ClusterAddress.Parse(words[Array.IndexOf(words, "--cluster") + 1]).Redis, Is.True);
        int drain = int.Parse(words[Array.IndexOf(words, "--drain") + 1]);
        string grace = lines.Single(line => line.Trim().StartsWith("terminationGracePeriodSeconds: ", StringComparison.Ordinal));
        Assert.That(int.Parse(grace.Split(' ')[^1]), Is.GreaterThan(drain));
    }

    private static IEnumerable<string> ErrorsOf(string[] args) =>
        Mtx.Create(new CliConsole(TextReader.Null, TextWriter.Null, TextWriter.Null)).Parse(args).Errors.Select(error => error.Message);
}
