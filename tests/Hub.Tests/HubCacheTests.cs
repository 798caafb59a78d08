using System.Text;

namespace ManagedTransformers.Hub.Tests;

/// <summary>What Hugging Face's tools left on disk, whole and damaged.</summary>
public sealed class HubCacheTests
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private const string Etag = "89abcdef0123456789abcdef0123456789abcdef";

    private string _folder = "";

    [SetUp]
    public void Open() => _folder = Directory.CreateTempSubdirectory("mt-cache-").FullName;

    [TearDown]
    public void Close() => Directory.Delete(_folder, recursive: true);

    private string Snapshot => Path.Combine(_folder, "models--acme--tiny", "snapshots", Commit);

    [TestCase("acme/tiny")]
    [TestCase("acme/tiny@main")]
    [TestCase("acme/tiny@" + Commit)]
    [TestCase("acme/tiny@refs/pr/7")]
    public void A_ref_names_the_commit_whose_snapshot_is_found(string name)
    {
        Put("refs/main", Commit);
        Put("refs/refs/pr/7", Commit + "\n");
        Put($"snapshots/{Commit}/config.json", "{}");
        Assert.That(Find(name), Is.EqualTo(Snapshot));
    }

    [Test]
    public void A_model_without_an_organisation_is_found()
    {
        Put("refs/main", Commit, "models--bert-tiny");
        Put($"snapshots/{Commit}/config.json", "{}", "models--bert-tiny");
        Assert.That(Find("bert-tiny"), Does.EndWith(Path.Combine("models--bert-tiny", "snapshots", Commit)));
    }

    [Test]
    public void Links_to_blobs_are_whole_while_the_blobs_are_there()
    {
        Put("refs/main", Commit);
        Put($"blobs/{Etag}", "{}");
        Link("config.json");
        Assert.That(Find("acme/tiny"), Is.EqualTo(Snapshot));
        File.Delete(Path.Combine(_folder, "models--acme--tiny", "blobs", Etag));
        AssertMissing("config.json", "is not there", "mtx pull acme/tiny");
        Put($"blobs/{Etag}.incomplete", "{");
        AssertMissing("config.json", "was not finished");
    }

    [Test]
    public void A_missing_blob_of_a_file_that_nobody_reads_is_no_harm()
    {
        Put("refs/main", Commit);
        Put($"snapshots/{Commit}/config.json", "{}");
        Link("README.md");
        Assert.That(Find("acme/tiny"), Is.EqualTo(Snapshot));
    }

    [Test]
    public void What_is_not_in_the_cache_is_reported_with_the_folder_and_the_command() =>
        AssertMissing(Path.Combine(_folder, "models--acme--tiny"), "\"mtx pull acme/tiny\"");

    [Test]
    public void A_revision_that_is_not_in_the_cache_is_reported_with_those_that_are()
    {
        Put("refs/main", Commit);
        Assert.That(() => Find("acme/tiny@v2"), Throws.TypeOf<HubException>().With.Message.Contains("revision v2").And.Message.Contains("(there are main)")
            .And.Message.Contains("mtx pull acme/tiny@v2"));
    }

    [Test]
    public void A_ref_without_its_snapshot_is_reported()
    {
        Put("refs/main", Commit);
        AssertMissing(Commit, "there is no " + Snapshot);
    }

    [TestCase("../../../../etc")]
    [TestCase("0123")]
    [TestCase("")]
    public void A_ref_that_is_no_commit_is_not_followed(string content)
    {
        Put("refs/main", content);
        AssertMissing("refs", "40 hexadecimal digits");
    }

    [TestCase("model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")]
    [TestCase("pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin")]
    public void Weights_that_are_half_downloaded_are_reported(string index, string first, string second)
    {
        Put("refs/main", Commit);
        Put($"snapshots/{Commit}/config.json", "{}");
        Put($"blobs/{Etag}.incomplete", "1234");
        AssertMissing("not finished", "no weights", "4 bytes");
        Put($"snapshots/{Commit}/{index}", $$"""{"weight_map":{ "a":"{{first}}", "b":"{{second}}" } }""");
        Put($"snapshots/{Commit}/{first}", "");
        AssertMissing($"{second} is not in it");
        Put($"snapshots/{Commit}/{second}", "");
        Assert.That(Find("acme/tiny"), Is.EqualTo(Snapshot));
    }

    [Test]
    public void Shards_that_are_not_read_may_be_missing()
    {
        Put("refs/main", Commit);
        Put($"blobs/{Etag}.incomplete", "1234");
        Put($"snapshots/{Commit}/pytorch_model.bin.index.json", """{"weight_map":{"a":"pytorch_model-00001-of-00001.bin"}}""");
        AssertMissing("pytorch_model-00001-of-00001.bin is not in it");
        Put($"snapshots/{Commit}/model.safetensors", "");
        Assert.That(Find("acme/tiny"), Is.EqualTo(Snapshot));
    }

    [TestCase("{", " cannot be read: it is not JSON")]
    [TestCase("[]", " is []; it must be an object")]
    [TestCase("""{"weights":{}}""", " has no \"weight_map\"")]
    [TestCase("""{"weight_map":{"a":1}}""", ": weight_map.a is 1; it must be a string")]
    public void An_index_that_is_none_is_reported_where_a_download_is_not_finished(string index, string problem)
    {
        Put("refs/main", Commit);
        Put($"blobs/{Etag}.incomplete", "1234");
        Put($"snapshots/{Commit}/model.safetensors.index.json", index);
        AssertMissing($"model.safetensors.index.json{problem}");
    }

    [TestCase("../acme")]
    [TestCase("acme/..")]
    [TestCase("/acme/tiny")]
    [TestCase("acme/tiny/more")]
    [TestCase("acme\\tiny")]
    [TestCase("acme/ti\0ny")]
    [TestCase("acme/ti\nny")]
    [TestCase("acme--x/tiny")]
    [TestCase("acme/.hidden")]
    [TestCase("acme/")]
    [TestCase("")]
    [TestCase("acme/tiny.git")]
    [TestCase("acme/tïny")]
    public void A_name_that_could_lead_out_of_the_cache_is_none(string name)
    {
        Assert.That(() => Find(name), Throws.TypeOf<FormatException>().With.Message.Contains("no model's name"));
        Assert.That(HubModelId.IsName(name), Is.False);
    }

    [TestCase("..")]
    [TestCase("a/../../b")]
    [TestCase("/etc")]
    [TestCase("a\\b")]
    [TestCase("a\nb")]
    [TestCase("")]
    [TestCase("a b")]
    [TestCase("a@b")]
    public void A_revision_that_could_lead_out_of_the_cache_is_none(string revision) =>
        Assert.That(() => new HubCache(_folder).Find("acme/tiny", revision), Throws.TypeOf<FormatException>().With.Message.Contains("no revision"));

    [Test]
    public void Two_revisions_are_one_too_many() =>
        Assert.That(() => new HubCache(_folder).Find("acme/tiny@v1", "v2"), Throws.TypeOf<FormatException>().With.Message.Contains("Give one of them"));

    [TestCase("/hub", "HF_HUB_CACHE=/hub", "HF_HOME=/home", "XDG_CACHE_HOME=/xdg")]
    [TestCase("/home/hub", "HF_HOME=/home", "XDG_CACHE_HOME=/xdg")]
    [TestCase("/xdg/huggingface/hub", "XDG_CACHE_HOME=/xdg", "HF_HOME=")]
    [TestCase("/user/.cache/huggingface/hub")]
    [TestCase("/user/models", "HF_HUB_CACHE=~/models")]
    public void The_cache_is_where_huggingface_hub_has_it(string folder, params string[] variables) =>
        Assert.That(HubCache.Of(Variables(variables)).Folder, Is.EqualTo(Path.GetFullPath(folder)));

    [Test]
    public void The_token_is_HF_TOKEN_or_what_is_stored()
    {
        string stored = Path.Combine(_folder, "token");
        Assert.That(Variables($"HF_HOME={_folder}").ReadToken(), Is.Null);
        File.WriteAllText(stored, "hf_stored\n");
        Assert.That(Variables($"HF_HOME={_folder}").ReadToken(), Is.EqualTo("hf_stored"));
        Assert.That(Variables($"HF_TOKEN_PATH={stored}").ReadToken(), Is.EqualTo("hf_stored"));
        Assert.That(Variables($"HF_HOME={_folder}", "HF_TOKEN= hf_own ").ReadToken(), Is.EqualTo("hf_own"));
    }

    [Test]
    public void A_file_that_is_longer_than_any_token_is_not_read_to_its_end()
    {
        string stored = Path.Combine(_folder, "token");
        File.WriteAllText(stored, new string('x', 1 << 16) + "\n");
        Assert.That(() => Variables($"HF_TOKEN_PATH={stored}").ReadToken(),
            Throws.TypeOf<HubException>().With.Message.EqualTo($"{stored} has more than 65536 characters, which no token has. Look at HF_TOKEN_PATH, or log in "
                + "again with \"hf auth login\"."));
        if (OperatingSystem.IsLinux())
            Assert.That(() => Variables("HF_TOKEN_PATH=/dev/zero").ReadToken(), Throws.TypeOf<HubException>());
    }

    [Test]
    public void The_files_that_are_read_are_chosen_and_no_others()
    {
        string[] files =
        [
            ".gitattributes", "README.md", "config.json", "flax_model.msgpack", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "model.fp16-00001-of-00002.safetensors", "pytorch_model.bin", "tokenizer.json", "modules.json",
            "config_sentence_transformers.json", "sentence_roberta_config.json", "1_Pooling/config.json", "2_Dense/pytorch_model.bin", "2_Dense/config.json",
            "onnx/model.safetensors", "onnx/config.json",
        ];
        Assert.That(HubFileSelection.ReadHere(files), Is.EqualTo(new[]
        {
            "config.json", "config_sentence_transformers.json", "modules.json", "sentence_roberta_config.json", "tokenizer.json",
            "1_Pooling/config.json", "2_Dense/config.json",
            "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "2_Dense/pytorch_model.bin",
        }));
        Assert.That(HubFileSelection.ReadHere([.. files, "model.safetensors"]).Skip(7), Is.EqualTo(new[] { "model.safetensors", "2_Dense/pytorch_model.bin" }));
        Assert.That(HubFileSelection.ReadHere(["pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin", "training_args.bin"]),
            Is.EqualTo(new[] { "pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin" }));
    }

    private static HubEnvironment Variables(params string[] variables) =>
        new(name => variables.FirstOrDefault(variable => variable.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..], "/user");

    private string Find(string name) => new HubCache(_folder).Find(name);

    private void AssertMissing(params string[] says)
    {
        HubException missing = Assert.Throws<HubException>(() => Find("acme/tiny"))!;
        foreach (string part in says)
            Assert.That(missing.Message, Does.Contain(part));
    }

    private void Put(string path, string content, string repository = "models--acme--tiny")
    {
        string file = Path.Combine(_folder, repository, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content, new UTF8Encoding(false));
    }

    private void Link(string name)
    {
        Directory.CreateDirectory(Snapshot);
        File.CreateSymbolicLink(Path.Combine(Snapshot, name), Path.Combine("..", "..", "blobs", Etag));
    }
}
