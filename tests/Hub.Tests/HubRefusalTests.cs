using System.Net;
using System.Text;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Hub.Tests;

/// <summary>Hubs that refuse, lie or lead astray: a message, and nothing of it in the cache.</summary>
public sealed class HubRefusalTests : HubFixture
{
    [TestCase("config.json")]
    [TestCase(Weights)]
    public void Bytes_with_another_checksum_are_removed(string file)
    {
        byte[] changed = [.. Hub.Files[file][..^1], 0x21];
        HubServer server = file == Weights ? Hub.Store! : Hub;
        server.Answer = asked => asked.Method == "GET" && (file == Weights || asked.Path.StartsWith("/api/resolve-cache/", StringComparison.Ordinal))
            ? HubServer.Content(asked, changed) : null;
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains(file).And.Message.Contains("checksum"));
        string blob = Path.Combine(Repository, "blobs", HubServer.ChecksumOf(file, Hub.Files[file]));
        Assert.That(File.Exists(blob) || File.Exists(blob + ".incomplete"), Is.False);
        Assert.That(File.Exists(Path.Combine(Repository, "refs", "main")), Is.False);
    }

    [TestCase(100, "says 300000")]
    [TestCase(400_000, "says 300000")]
    [TestCase(-1, "has -1 bytes")]
    public void A_size_that_lies_is_refused(int announced, string says)
    {
        string checksum = HubServer.Sha256(Hub.Files[Weights]);
        Hub.Answer = asked => asked.Path.EndsWith(Weights, StringComparison.Ordinal)
            ? HubAnswer.Error(302, ("Location", $"{Hub.Store!.Address}/store/{checksum}"), ("X-Linked-Etag", $"\"{checksum}\""),
                ("X-Linked-Size", $"{announced}"))
            : null;
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains(says));
        Assert.That(File.Exists(WeightsBlob) || File.Exists(WeightsBlob + ".incomplete"), Is.False);
    }

    [TestCase("../evil")]
    [TestCase("a/../../evil")]
    [TestCase("/tmp/evil")]
    [TestCase("a\\..\\evil")]
    [TestCase("a\nb")]
    [TestCase("")]
    public void A_file_name_that_leads_out_of_the_snapshot_is_refused(string name)
    {
        Hub.Files[name] = "evil"u8.ToArray();
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains("Nothing was downloaded"));
        Assert.That(Directory.Exists(Repository), Is.False);
    }

    [TestCase("\"../../evil\"")]
    [TestCase("\"0123\"")]
    public void An_ETag_that_is_no_checksum_is_refused(string etag)
    {
        Hub.Answer = asked => asked.Path.EndsWith(Weights, StringComparison.Ordinal) ? HubAnswer.Error(200, ("ETag", etag)) : null;
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains("checksums"));
    }

    [TestCase("https://127.0.0.1:1/x", "cannot be reached")]
    [TestCase("http://models.example/x", "https is needed")]
    [TestCase("file:///etc/passwd", "https is needed")]
    public void A_redirect_to_where_nothing_is_sent_is_refused(string location, string says)
    {
        Hub.Answer = asked => asked.Method == "GET" && asked.Path.EndsWith(Weights, StringComparison.Ordinal)
            ? HubAnswer.Error(302, ("Location", location)) : null;
        Assert.That(() => PullAsync(options => options with { MaxRetries = 0 }), Throws.TypeOf<HubException>().With.Message.Contains(says));
    }

    [Test]
    public void A_redirect_to_itself_ends()
    {
        Hub.Answer = asked => asked.Path.EndsWith(Weights, StringComparison.Ordinal) ? HubAnswer.Error(307, ("Location", asked.Path)) : null;
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains("more than 10 times"));
    }

    [TestCase(429)]
    [TestCase(500)]
    [TestCase(503)]
    public async Task A_server_that_is_overloaded_is_asked_again(int status)
    {
        int refused = 0;
        Hub.Answer = asked => refused++ < 2 ? HubAnswer.Error(status, ("Retry-After", "0")) : null;
        await PullAsync();
        Assert.That(File.Exists(WeightsBlob), Is.True);
    }

    [Test]
    public Task A_server_that_asks_to_wait_for_an_hour_is_left() =>
        AssertRefusedAsync(HubAnswer.Error(429, ("Retry-After", "3600")), null, null, "asks to wait 60 minutes");

    [Test]
    public async Task What_the_hub_refuses_is_reported_with_what_to_do()
    {
        await AssertRefusedAsync(HubAnswer.Error(401, ("X-Error-Code", "RepoNotFound")), null, HttpStatusCode.Unauthorized, "does not exist", "private",
            "HF_TOKEN", "hf auth login");
        await AssertRefusedAsync(HubAnswer.Error(401), "hf_secret", HttpStatusCode.Unauthorized, "does not give access");
        await AssertRefusedAsync(HubAnswer.Error(403, ("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Access to model is \u001b[31mrestricted")), null,
            HttpStatusCode.Forbidden, "gated", $"{Hub.Address}/{Model}", "\\u001B[31mrestricted");
        await AssertRefusedAsync(HubAnswer.Error(403), "hf_secret", HttpStatusCode.Forbidden, "refused");
        await AssertRefusedAsync(HubAnswer.Error(404), null, HttpStatusCode.NotFound, "spelling");
        Assert.That(() => PullAsync(revision: "v9"), Throws.TypeOf<HubException>().With.Message.Contains("has no revision v9"));
    }

    [Test]
    public void Something_that_is_no_hub_is_refused()
    {
        Hub.Answer = _ => new HubAnswer(200, [], "<html>"u8.ToArray());
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains("Is HF_ENDPOINT a hub?"));
        Hub.Answer = _ => new HubAnswer(200, [], """{"sha":"../../x","siblings":[]}"""u8.ToArray());
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains("40 hexadecimal digits"));
    }

    [TestCase("""{"sha":"SHA","siblings":[{"rfilename":null}]}""", "siblings[0] has no \"rfilename\"")]
    [TestCase("""{"sha":"SHA","siblings":[null]}""", "siblings[0] is null; it must be an object")]
    [TestCase("""{"sha":"SHA","siblings":null}""", "has no \"siblings\"")]
    [TestCase("""{"sha":null,"siblings":[]}""", "has no \"sha\"")]
    [TestCase("null", "is null; it must be an object")]
    public void A_list_with_nothing_in_the_place_of_a_name_is_refused(string list, string says)
    {
        Hub.Answer = _ => new HubAnswer(200, [], Encoding.UTF8.GetBytes(list.Replace("SHA", HubServer.Commit, StringComparison.Ordinal)));
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains(says).And.Message.Contains("Is HF_ENDPOINT a hub?"));
    }

    [Test]
    public void A_list_without_end_is_refused_after_16_MiB()
    {
        Hub.Answer = _ => new HubAnswer(200, [], Encoding.ASCII.GetBytes(new string(' ', 1 << 16))) { Endless = true };
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains("is longer than 16 MiB"));
        Assert.That(Hub.Asked, Has.Count.EqualTo(1), "and is not asked for again");
    }

    [Test]
    public void A_file_without_end_is_refused_where_no_server_says_its_size()
    {
        Hub.Answer = asked => asked.Path.EndsWith("/config.json", StringComparison.Ordinal)
            ? new HubAnswer(200, new() { ["ETag"] = $"\"{HubServer.GitHash(Hub.Files["config.json"])}\"" }, new byte[1 << 16]) { Endless = true } : null;
        Assert.That(() => PullAsync(options => options with { MostUnannounced = 1 << 20 }),
            Throws.TypeOf<HubException>().With.Message.Contains("more than 1048576 bytes, and no server says how many"));
        Assert.That(Directory.EnumerateFiles(Repository, "*", SearchOption.AllDirectories), Is.Empty);
    }

    [Test]
    public void Where_nothing_arrives_nothing_is_left_and_the_message_says_so()
    {
        Hub.Store!.Answer = _ => HubAnswer.Error(503);
        Assert.That(() => PullAsync(options => options with { MaxRetries = 1 }),
            Throws.TypeOf<HubException>().With.Message.Contains("503").And.Message.EndsWith("It failed 2 times in a row. Nothing was kept; try again later."));
        Assert.That(File.Exists(WeightsBlob + ".incomplete"), Is.False);
    }

    [TestCase(404)]
    [TestCase(418)]
    [TestCase(503)]
    public async Task The_words_behind_a_status_are_shown_and_not_obeyed(int status)
    {
        Hub.Answer = _ => HubAnswer.Error(status) with { Reason = "\u001b[2J\u001b]0;title\u0007gone" };
        HubException refusal = (await Assert.ThrowsAsync<HubException>(() => PullAsync(options => options with { MaxRetries = 0 })))!;
        Assert.That(refusal.Message.Any(char.IsControl), Is.False, refusal.Message);
        Assert.That(refusal.Message.Contains("gone", StringComparison.Ordinal), Is.EqualTo(status != 404));
    }

    [Test]
    public void A_model_without_weights_for_this_runtime_is_not_downloaded()
    {
        Hub.Files.Remove(Weights);
        Hub.Files["tf_model.h5"] = Noise(10);
        Assert.That(() => PullAsync(), Throws.TypeOf<HubException>().With.Message.Contains("tf_model.h5").And.Message.Contains("--all"));
    }

    [Test]
    public void Nothing_is_downloaded_where_HF_HUB_OFFLINE_forbids_it()
    {
        Assert.That(() => PullAsync(options => options with { Offline = true }), Throws.TypeOf<HubException>().With.Message.Contains("HF_HUB_OFFLINE"));
        Assert.That(Hub.Asked, Is.Empty);
    }

    [TestCase("http://huggingface.co", null, "not encrypted")]
    [TestCase("ftp://127.0.0.1", null, "no http address")]
    [TestCase("https://me:secret@huggingface.co", null, "password")]
    [TestCase("https://huggingface.co", "two words", "token holds blanks")]
    public void An_endpoint_or_token_that_cannot_be_used_is_refused(string endpoint, string? token, string says) =>
        Assert.That(() => new HubClient(new HubOptions { Endpoint = endpoint, Token = token }),
            Throws.TypeOf<HubException>().With.Message.Contains(says).And.Message.Not.Contains("secret").And.Message.Not.Contains("two words"));

    private async Task AssertRefusedAsync(HubAnswer answer, string? token, HttpStatusCode? status, params string[] says)
    {
        Hub.Answer = _ => answer;
        HubException refusal = (await Assert.ThrowsAsync<HubException>(() => PullAsync(options => options with { Token = token })))!;
        Hub.Answer = _ => null;
        Assert.That(refusal.StatusCode, Is.EqualTo(status));
        Assert.That(refusal.Message, Does.Not.Contain("hf_secret"));
        foreach (string part in says)
            Assert.That(refusal.Message, Does.Contain(part));
    }
}
