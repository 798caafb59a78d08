using ManagedTransformers.Testing;

namespace ManagedTransformers.Hub.Tests;

/// <summary>Downloads from a hub on this machine: what arrives, and what is gone on with.</summary>
public sealed class HubClientTests : HubFixture
{
    [Test]
    public async Task What_this_runtime_reads_arrives_in_the_layout_of_the_hubs_cache()
    {
        HubDownload download = await PullAsync();
        string snapshot = Path.Combine(Repository, "snapshots", HubServer.Commit);
        Assert.That(download.Directory, Is.EqualTo(snapshot));
        Assert.That(download.Commit, Is.EqualTo(HubServer.Commit));
        Assert.That(download.Files, Is.EqualTo(new[] { new HubFile("config.json", 2, true), new HubFile(Weights, 300_000, true) }));
        Assert.That(File.ReadAllText(Path.Combine(Repository, "refs", "main")), Is.EqualTo(HubServer.Commit));
        foreach ((string name, byte[] content) in Hub.Files.Where(file => file.Key != "README.md"))
        {
            Assert.That(File.ReadAllBytes(Path.Combine(snapshot, name)), Is.EqualTo(content));
            Assert.That(new FileInfo(Path.Combine(snapshot, name)).LinkTarget,
                Is.EqualTo(Path.Combine("..", "..", "blobs", HubServer.ChecksumOf(name, content))));
        }
        Assert.That(File.Exists(Path.Combine(snapshot, "README.md")), Is.False);
        Assert.That(new HubCache(Folder).Find(Model), Is.EqualTo(snapshot));
        Assert.That(new HubCache(Folder).Find($"{Model}@{HubServer.Commit}"), Is.EqualTo(snapshot));
    }

    [Test]
    public async Task A_second_download_reads_no_file_again()
    {
        await PullAsync();
        HubDownload second = await PullAsync();
        Assert.That(second.Files.Select(file => file.Downloaded), Is.All.False);
        Assert.That((Hub.Reads("config.json"), Hub.Reads(Weights)), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_blob_that_was_removed_or_cut_is_read_again()
    {
        await PullAsync();
        File.Delete(WeightsBlob);
        await PullAsync();
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
        File.WriteAllBytes(WeightsBlob, [1]);
        await PullAsync();
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
    }

    [Test]
    public async Task All_files_come_where_all_are_asked_for()
    {
        Hub.Files["onnx/model.onnx"] = Noise(100);
        using var client = Client();
        HubDownload download = await client.DownloadAsync(Model, allFiles: true);
        Assert.That(download.Files.Select(file => file.Name), Is.EqualTo(Hub.Files.Keys));
        Assert.That(File.ReadAllBytes(Path.Combine(download.Directory, "onnx", "model.onnx")), Is.EqualTo(Hub.Files["onnx/model.onnx"]));
    }

    [Test]
    public async Task The_token_goes_to_the_hub_and_nowhere_else()
    {
        await PullAsync(options => options with { Token = "hf_secret" });
        Assert.That(Hub.Asked.Select(asked => asked.Header("Authorization")), Is.All.EqualTo("Bearer hf_secret"));
        Assert.That(Hub.Store!.Asked, Is.Not.Empty);
        Assert.That(Hub.Store.Asked.Select(asked => asked.Header("Authorization")), Is.All.Null);
    }

    [Test]
    public async Task Without_a_token_none_is_sent()
    {
        await PullAsync();
        Assert.That(Hub.Asked.Select(asked => asked.Header("Authorization")), Is.All.Null);
    }

    [Test]
    public async Task What_is_there_of_a_file_is_not_read_again()
    {
        PutIncomplete(Hub.Files[Weights][..200_000]);
        await PullAsync();
        Assert.That(Hub.Store!.Asked.Single().Header("Range"), Is.EqualTo("bytes=200000-"));
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
        Assert.That(File.Exists(WeightsBlob + ".incomplete"), Is.False);
    }

    [Test]
    public async Task A_connection_that_is_cut_is_gone_on_with()
    {
        int requests = 0;
        Hub.Store!.Answer = asked => HubServer.Content(asked, Hub.Files[Weights]) with { CutAfter = ++requests < 4 ? 80_000 : null };
        await PullAsync(options => options with { MaxRetries = 1 });          // each try gains, so that none counts twice
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
        Assert.That(Hub.Store.Asked.Skip(1).Select(asked => asked.Header("Range")), Is.All.StartsWith("bytes="));
    }

    [Test]
    public void A_connection_that_is_always_cut_is_given_up_and_what_arrived_is_kept()
    {
        Hub.Store!.Answer = asked => asked.Header("Range") is null
            ? HubServer.Content(asked, Hub.Files[Weights]) with { CutAfter = 70_000 } : HubAnswer.Error(503);
        Assert.That(() => PullAsync(options => options with { MaxRetries = 2 }),
            Throws.TypeOf<HubException>().With.Message.Contains("503").And.Message.Contains("is kept"));
        Assert.That(new FileInfo(WeightsBlob + ".incomplete").Length, Is.EqualTo(70_000));
        Assert.That(() => new HubCache(Folder).Find(Model), Throws.TypeOf<HubException>().With.Message.Contains(".incomplete"));
    }

    [Test]
    public async Task A_server_that_ignores_ranges_sends_all_again()
    {
        PutIncomplete(Hub.Files[Weights][..200_000]);
        Hub.Store!.Answer = asked => HubServer.Content(asked, Hub.Files[Weights], ranges: false);
        await PullAsync();
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
    }

    [Test]
    public async Task A_server_that_sends_another_part_is_asked_for_all()
    {
        PutIncomplete(Hub.Files[Weights][..200_000]);
        Hub.Store!.Answer = asked => asked.Header("Range") is null ? null
            : HubServer.Content(asked with { Headers = new Dictionary<string, string> { ["Range"] = "bytes=5-" } }, Hub.Files[Weights]);
        await PullAsync();
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
    }

    [Test]
    public async Task A_beginning_of_another_file_is_dropped()
    {
        PutIncomplete(new byte[200_000]);
        await PullAsync();
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
    }

    [TestCase(400_000)]
    [TestCase(300_000)]
    public async Task A_beginning_that_is_as_long_as_the_file_or_longer_is_not_trusted(int length)
    {
        PutIncomplete(new byte[length]);
        await PullAsync();
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
    }

    [Test]
    public async Task Two_downloads_at_once_read_each_file_once()
    {
        Hub.Files["config.json"] = Noise(100_000);
        await Task.WhenAll(PullAsync(), PullAsync(), PullAsync());
        Assert.That((Hub.Reads("config.json"), Hub.Reads(Weights)), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_cancelled_download_is_gone_on_with()
    {
        using var cancelled = new CancellationTokenSource();
        var progress = new Told(value =>
        {
            if (value is { File: Weights, FileBytes: > 0 }) cancelled.Cancel();
        });
        using (var client = Client())
            Assert.That(() => client.DownloadAsync(Model, progress: progress, cancellationToken: cancelled.Token),
                Throws.InstanceOf<OperationCanceledException>());
        Assert.That(new FileInfo(WeightsBlob + ".incomplete").Length, Is.Positive);
        await PullAsync();
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(Hub.Files[Weights]));
    }

    [Test]
    public async Task Progress_ends_with_all_bytes()
    {
        var told = new List<HubProgress>();
        using var client = Client();
        await client.DownloadAsync(Model, progress: new Told(told.Add));
        Assert.That(told[^1], Is.EqualTo(new HubProgress(Weights, 300_000, 300_000, 300_002, 300_002)));
        Assert.That(told.Select(value => value.Bytes), Is.Ordered);
    }

    [Test]
    public async Task Where_links_are_impossible_files_take_their_place()
    {
        HubDownload first = await PullAsync(options => options with { UseSymlinks = false });
        string weights = Path.Combine(first.Directory, Weights);
        Assert.That(new FileInfo(weights).LinkTarget, Is.Null);
        Assert.That(File.ReadAllBytes(weights), Is.EqualTo(Hub.Files[Weights]));
        HubDownload second = await PullAsync(options => options with { UseSymlinks = false });
        Assert.That(second.Files.Select(file => file.Downloaded), Is.All.False);
        Assert.That(new HubCache(Folder).Find(Model), Is.EqualTo(first.Directory));
    }

    [Test]
    public async Task A_blob_that_another_snapshot_links_to_is_copied_where_links_are_not_wanted()
    {
        HubDownload linked = await PullAsync();
        File.Delete(Path.Combine(linked.Directory, Weights));
        await PullAsync(options => options with { UseSymlinks = false });
        Assert.That(new FileInfo(Path.Combine(linked.Directory, Weights)).LinkTarget, Is.Null);
        Assert.That(File.ReadAllBytes(WeightsBlob), Is.EqualTo(File.ReadAllBytes(Path.Combine(linked.Directory, Weights))));
        Assert.That(Hub.Reads(Weights), Is.EqualTo(1));
    }

    [Test]
    public async Task A_downloaded_model_loads_without_network()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "models", "demo-language-id")))
            Hub.Files[Path.GetFileName(file)] = await File.ReadAllBytesAsync(file);
        await PullAsync();
        Hub.Dispose();
        using TextClassificationPipeline classifier = TextClassificationPipeline.Load(new HubCache(Folder).Find(Model));
        Assert.That(classifier.Classify("outcome := rand.Intn(6) + 1")[0].Label, Is.EqualTo("go"));
    }
}
