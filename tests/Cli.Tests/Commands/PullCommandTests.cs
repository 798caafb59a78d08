using ManagedTransformers.Hub;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx pull and --model org/name, with a hub on this machine and a cache of the test's own.</summary>
[TestFixture]
[NonParallelizable]         // the hub and the cache are named by environment variables
internal sealed class PullCommandTests
{
    private const string Model = "acme/language";
    private static readonly string[] Variables = ["HF_ENDPOINT", "HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_SYMLINKS"];

    private readonly Dictionary<string, string?> _before = [];
    private HubServer _hub = null!;
    private string _cache = "";

    [SetUp]
    public void Open()
    {
        foreach (string variable in Variables)
        {
            _before[variable] = Environment.GetEnvironmentVariable(variable);
            Environment.SetEnvironmentVariable(variable, null);
        }
        _cache = Folders.Scratch();
        _hub = new HubServer(Model);
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Folders.Repository, "models", "demo-language-id")))
            _hub.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        Environment.SetEnvironmentVariable("HF_ENDPOINT", _hub.Address);
        Environment.SetEnvironmentVariable("HF_HUB_CACHE", _cache);
        Environment.SetEnvironmentVariable("HF_TOKEN_PATH", Path.Combine(_cache, "no-token"));
    }

    [TearDown]
    public void Close()
    {
        _hub.Dispose();
        foreach ((string variable, string? value) in _before)
            Environment.SetEnvironmentVariable(variable, value);
    }

    [Test]
    public void A_model_that_was_pulled_runs_without_network()
    {
        MtxRun pulled = MtxRun.Of("pull", Model, "--json");
        Assert.That((pulled.ExitCode, pulled.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(pulled.Json), Is.EqualTo(new[] { "model", "revision", "commit", "directory", "files" }));
        Assert.That(MtxRun.Names(pulled.Json.GetProperty("files")[0]), Is.EqualTo(new[] { "name", "bytes", "downloaded" }));
        Assert.That(pulled.Json.GetProperty("files").EnumerateArray().Select(file => file.GetProperty("name").GetString()),
            Is.EqualTo(new[] { "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors" }));
        _hub.Dispose();
        foreach (string[] model in new string[][] { ["--model", Model], ["--model", Model, "--revision", "main"], ["--model", $"{Model}@{HubServer.Commit}"] })
            Assert.That(MtxRun.Of(["classify", "outcome := rand.Intn(6) + 1", "--top-k", "1", .. model]).Out, Does.Contain("go "));
        MtxRun inspected = MtxRun.Of("inspect", Model, "--json");
        Assert.That(inspected.ExitCode, Is.Zero);
        Assert.That(inspected.Json.GetProperty("directory").GetString(), Is.EqualTo(pulled.Json.GetProperty("directory").GetString()));
    }

    [Test]
    public void People_see_the_files_and_on_terminals_a_bar()
    {
        MtxRun run = MtxRun.OnTerminal("pull", Model);
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("model.safetensors").And.Contain("downloaded").And.Contain(HubServer.Commit));
        Assert.That(run.Error, Does.Contain("\e["));
        Assert.That(MtxRun.Of("pull", Model).Out, Does.Contain("was there").And.Not.Contain("downloaded"));
    }

    [Test]
    public void A_model_that_is_not_in_the_cache_is_not_downloaded_but_reported()
    {
        MtxRun run = MtxRun.Of("classify", "x", "--model", Model, "--json");
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain(_cache).And.Contain("HF_HUB_CACHE").And.Contain($"mtx pull {Model}"));
        Assert.That(run.Json.GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("HubException"));
        Assert.That(_hub.Asked, Is.Empty);
    }

    [Test]
    public void A_directory_comes_before_the_cache_and_has_no_revision()
    {
        string directory = Environment.CurrentDirectory;
        Environment.CurrentDirectory = Folders.Repository;
        try
        {
            Assert.That(MtxRun.Of("inspect", "models/demo-language-id").ExitCode, Is.Zero);
            Assert.That(MtxRun.Of("inspect", "models/demo-language-id", "--revision", "main").ExitCode, Is.EqualTo(2));
            Assert.That(MtxRun.Of("classify", "x", "--revision", "main").ExitCode, Is.EqualTo(2));
        }
        finally
        {
            Environment.CurrentDirectory = directory;
        }
    }

    [TestCase(3, "acme/other")]
    [TestCase(3, "../acme")]
    [TestCase(3, "acme/language", "--revision", "v9")]
    [TestCase(2, "acme/language", "--model", "x")]
    [TestCase(2)]
    public void What_cannot_be_pulled_is_reported(int exitCode, params string[] args)
    {
        MtxRun run = MtxRun.Of(["pull", .. args]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")));
        Assert.That(run.Error, Does.StartWith("mtx: "));
    }

    [Test]
    public void The_token_of_the_environment_goes_to_the_hub_and_appears_nowhere()
    {
        Environment.SetEnvironmentVariable("HF_TOKEN", "hf_secret");
        MtxRun run = MtxRun.Of("pull", Model);
        Assert.That(_hub.Asked.Select(asked => asked.Header("Authorization")), Is.All.EqualTo("Bearer hf_secret"));
        Assert.That(_hub.Store!.Asked.Select(asked => asked.Header("Authorization")), Is.All.Null);
        Assert.That(run.Out + run.Error, Does.Not.Contain("hf_secret"));
    }
}
