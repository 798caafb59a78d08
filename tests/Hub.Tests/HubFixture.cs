using ManagedTransformers.Testing;

namespace ManagedTransformers.Hub.Tests;

/// <summary>A hub on this machine with one small model, an empty cache, and a client between them.</summary>
public abstract class HubFixture
{
    protected const string Model = "acme/tiny";
    protected const string Weights = "model.safetensors";

    private protected HubServer Hub { get; private set; } = null!;

    protected string Folder { get; private set; } = "";

    [SetUp]
    public void Open()
    {
        Folder = Directory.CreateTempSubdirectory("mt-hub-").FullName;
        Hub = new HubServer(Model);
        Hub.Files["config.json"] = "{}"u8.ToArray();
        Hub.Files["README.md"] = "read me"u8.ToArray();
        Hub.Files[Weights] = Noise(300_000);
    }

    [TearDown]
    public void Close()
    {
        Hub.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    protected string Repository => Path.Combine(Folder, "models--acme--tiny");

    protected string WeightsBlob => Path.Combine(Repository, "blobs", HubServer.Sha256(Hub.Files[Weights]));

    protected HubClient Client(Func<HubOptions, HubOptions>? change = null)
    {
        var options = new HubOptions
        {
            Endpoint = Hub.Address, Token = null, Cache = new HubCache(Folder), Offline = false, UseSymlinks = true, RetryDelay = TimeSpan.FromMilliseconds(1),
        };
        return new HubClient(change?.Invoke(options) ?? options);
    }

    protected async Task<HubDownload> PullAsync(Func<HubOptions, HubOptions>? change = null, string? revision = null)
    {
        using HubClient client = Client(change);
        return await client.DownloadAsync(Model, revision);
    }

    protected void PutIncomplete(byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(WeightsBlob)!);
        File.WriteAllBytes(WeightsBlob + ".incomplete", content);
    }

    protected static byte[] Noise(int length)
    {
        byte[] content = new byte[length];
        new Random(7).NextBytes(content);
        return content;
    }

    protected sealed class Told(Action<HubProgress> tell) : IProgress<HubProgress>
    {
        public void Report(HubProgress value) => tell(value);
    }
}
