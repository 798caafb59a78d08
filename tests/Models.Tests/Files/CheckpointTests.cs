using System.Text;

namespace ManagedTransformers.Models.Tests;

[TestFixture]
public class CheckpointTests
{
    private const string First = "model-00001-of-00002.safetensors";
    private const string Second = "model-00002-of-00002.safetensors";

    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void CreateDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void Shards_become_one_set_of_weights_in_the_order_of_the_files()
    {
        AddShards(RawSafetensors.Index(("c", Second), ("a", First), ("b", First)));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.That(checkpoint.FileNames, Is.EqualTo(new[] { Second, First }));
        Assert.That(checkpoint.Weights.Keys, Is.EqualTo(new[] { "c", "a", "b" }));
        Assert.That(checkpoint.Weights["b"].Bytes.ToArray(), Is.EqualTo(new byte[] { 4, 5, 6, 7 }));
        Assert.That(checkpoint.Weights["c"].File, Is.EqualTo(Second));
    }

    [Test]
    public void Bytes_and_streams_give_what_the_directory_gives()
    {
        var files = new Dictionary<string, byte[]>
        {
            [Checkpoint.IndexFileName] = RawSafetensors.Index(("a", First), ("b", First), ("c", Second)),
            [First] = RawSafetensors.WithTensors("a", "b"),
            [Second] = RawSafetensors.WithTensors("c"),
            ["config.json"] = [1],
        };
        foreach ((string name, byte[] bytes) in files) _directory.Add(name, bytes);
        using Checkpoint fromDirectory = Checkpoint.Open(_directory.Path);
        using Checkpoint fromBytes = Checkpoint.FromBytes(files.ToDictionary(file => file.Key, file => (ReadOnlyMemory<byte>)file.Value));
        using Checkpoint fromStreams = Checkpoint.FromStreams(files.ToDictionary(file => file.Key, file => (Stream)new NetworkLikeStream(file.Value)));
        foreach (Checkpoint other in new[] { fromBytes, fromStreams })
        {
            Assert.That(other.Weights.Values.Select(weight => weight.ToString()), Is.EqualTo(fromDirectory.Weights.Values.Select(weight => weight.ToString())));
            foreach ((string name, Weight weight) in fromDirectory.Weights)
                Assert.That(other.Weights[name].Bytes.SequenceEqual(weight.Bytes), Is.True, name);
        }
    }

    [Test]
    public void Reading_streams_can_be_cancelled()
    {
        var files = new Dictionary<string, Stream> { [Checkpoint.SingleFileName] = new NetworkLikeStream(RawSafetensors.WithTensors("a")) };
        Assert.That(() => Checkpoint.FromStreams(files, new CancellationToken(canceled: true)), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void A_stream_that_fails_passes_its_own_error_on()
    {
        var files = new Dictionary<string, Stream> { [Checkpoint.SingleFileName] = new BrokenStream(RawSafetensors.WithTensors("a")) };
        Assert.That(() => Checkpoint.FromStreams(files), Throws.TypeOf<IOException>().With.Message.EqualTo("connection reset"));
    }

    [Test]
    public void A_single_file_wins_over_an_index()
    {
        AddShards(RawSafetensors.Index(("a", First)));
        _directory.Add(Checkpoint.SingleFileName, RawSafetensors.WithTensors("whole"));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.That(checkpoint.Weights.Keys, Is.EqualTo(new[] { "whole" }));
    }

    [Test]
    public void Names_are_case_sensitive()
    {
        _directory.Add(Checkpoint.SingleFileName, RawSafetensors.WithTensors("W", "w"));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.That(checkpoint.Weights["W"].Bytes[0], Is.EqualTo(0));
        Assert.That(checkpoint.Weights["w"].Bytes[0], Is.EqualTo(4));
    }

    [Test]
    public void Metadata_of_all_shards_is_there_and_the_first_shard_wins()
    {
        _directory.Add(Second, RawSafetensors.Build("""{"__metadata__":{"k":"2","more":"3"},"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1));
        _directory.Add(First, RawSafetensors.Build("""{"__metadata__":{"format":"pt","k":"1"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1));
        _directory.Add(Checkpoint.IndexFileName, RawSafetensors.Index(("a", First), ("c", Second)));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.That(checkpoint.Metadata, Is.EquivalentTo(new Dictionary<string, string> { ["format"] = "pt", ["k"] = "1", ["more"] = "3" }));
    }

    [Test]
    public void All_disagreements_of_index_and_shards_are_reported_at_once()
    {
        _directory.Add(First, RawSafetensors.WithTensors("a", "extra", "twice"));
        _directory.Add(Second, RawSafetensors.WithTensors("twice"));
        _directory.Add("bad.safetensors", [1, 2, 3]);
        _directory.Add(Checkpoint.IndexFileName, RawSafetensors.Index(
            ("a", First), ("lost", First), ("twice", Second), ("x", "gone.safetensors"), ("y", "../up.safetensors"), ("z", "bad.safetensors")));
        var error = Refused();
        Assert.That(error.Problems, Is.EquivalentTo(new[]
        {
            "The shard gone.safetensors is missing.",
            "The shard name \"../up.safetensors\" is a path; only names of files beside the index are allowed.",
            "bad.safetensors: The file has 3 bytes; a safetensors file starts with 8 bytes that give the length of its header. " + SafetensorsHeader.Advice,
            $"lost is not in {First}, where the index expects it.",
            $"extra is in {First}, but not in the index.",
            $"twice is in two shards, {First} and {Second}.",
        }));
        foreach (string problem in error.Problems) Assert.That(error.Message, Does.Contain(problem));
    }

    [TestCase("../model.safetensors")]
    [TestCase("..")]
    [TestCase("sub/model.safetensors")]
    [TestCase("sub\\model.safetensors")]
    [TestCase("/etc/model.safetensors")]
    [TestCase("C:model.safetensors")]
    [TestCase("C:\\model.safetensors")]
    public void A_shard_that_is_a_path_is_refused_even_if_it_exists(string shard)
    {
        Directory.CreateDirectory(_directory["sub"]);
        _directory.Add("sub/model.safetensors", RawSafetensors.WithTensors("a"));
        _directory.Add(Checkpoint.IndexFileName, RawSafetensors.Index(("a", shard)));
        Assert.That(Refused().Message, Does.Contain($"\"{shard}\" is a path").And.Contain("beside the index"));
    }

    [TestCase("")]
    [TestCase("pytorch_model-00001-of-00002.bin")]
    [TestCase("config.json")]
    public void A_shard_that_is_no_safetensors_file_is_refused(string shard)
    {
        _directory.Add(Checkpoint.IndexFileName, RawSafetensors.Index(("a", shard)));
        Assert.That(Refused().Problems.Single(), Does.Contain(shard.Length == 0 ? "empty shard name" : $"\"{shard}\" is not a .safetensors file"));
    }

    [TestCase("", "not valid JSON")]
    [TestCase("[]", "not a JSON object")]
    [TestCase("{}", "no weight_map")]
    [TestCase("""{"weight_map":[]}""", "weight_map is not an object")]
    [TestCase("""{"weight_map":{"a":1}}""", "weight_map[\"a\"] is not a file name")]
    [TestCase("""{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}""", "\"a\" twice")]
    [TestCase("""{"weight_map":{},"weight_map":{}}""", "weight_map twice")]
    [TestCase("""{"weight_map":{"a":"x.safetensors"}""", "not valid JSON")]
    [TestCase("""{"weight_map":{}} x""", "not valid JSON")]
    [TestCase("""{"weight_map":{"a":"\udc00"}}""", "not valid JSON")]
    [TestCase("""{"metadata":{"a":[1,{"b":2}]}}""", "no weight_map")]
    public void A_broken_index_is_refused(string index, string said)
    {
        _directory.Add(Checkpoint.IndexFileName, Encoding.UTF8.GetBytes(index));
        Assert.That(Refused().Message, Does.StartWith("model.safetensors.index.json: ").And.Contain(said));
    }

    [Test]
    public void An_index_that_is_no_text_of_its_own_is_refused_with_its_name()
    {
        _directory.Add(Checkpoint.IndexFileName, [(byte)'{', 0xFF, (byte)'}']);
        Assert.That(Refused().Message, Does.StartWith("model.safetensors.index.json: ").And.Contain("not valid UTF-8"));
        _directory.Add(Checkpoint.IndexFileName, "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"u8);
        Assert.That(Refused().FileName, Is.EqualTo(Checkpoint.IndexFileName));
        Assert.That(Refused().Message, Does.Contain("a pointer of Git LFS"));
        using (FileStream large = File.Create(_directory[Checkpoint.IndexFileName]))
            large.SetLength(CheckpointSource.MaxWholeLength + 1);
        Assert.That(Refused().Message, Does.Contain("longer than 100000000 bytes"));
    }

    [Test]
    public void An_index_may_carry_other_fields_and_a_byte_order_mark()
    {
        _directory.Add(First, RawSafetensors.WithTensors("a"));
        _directory.Add(Checkpoint.IndexFileName,
            Encoding.UTF8.GetBytes("\uFEFF{\"metadata\":{\"total_size\":1.5e3,\"x\":[{}]},\"weight_map\":{\"a\":\"" + First + "\"},\"z\":null}\n"));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.That(checkpoint.Weights.Keys, Is.EqualTo(new[] { "a" }));
    }

    [Test]
    public void A_PyTorch_file_is_read_where_there_are_no_safetensors([Values] bool sharded)
    {
        _directory.Add(Checkpoint.TorchFileName, RawTorch.WithTensors("torch"));
        using (Checkpoint checkpoint = Checkpoint.Open(_directory.Path))
        {
            Assert.That(checkpoint.Weights["torch"].Bytes.ToArray(), Is.EqualTo(new byte[] { 0, 1, 2, 3, 4, 5, 6, 7 }));
            Assert.That(checkpoint.Weights["torch"].File, Is.EqualTo("pytorch_model.bin"));
        }

        // As in transformers, safetensors win, also in shards.
        if (!sharded) _directory.Add(Checkpoint.SingleFileName, RawSafetensors.WithTensors("a"));
        else AddShards(RawSafetensors.Index(("a", First), ("b", First), ("c", Second)));
        using (Checkpoint checkpoint = Checkpoint.Open(_directory.Path)) Assert.That(checkpoint.Weights.Keys, Does.Not.Contain("torch").And.Contain("a"));
    }

    [Test]
    public void Shards_of_PyTorch_become_one_set_of_weights_from_files_bytes_and_streams()
    {
        var files = new Dictionary<string, byte[]>
        {
            [Checkpoint.TorchIndexFileName] = RawSafetensors.Index(("a", "pytorch_model-00001-of-00002.bin"), ("b", "pytorch_model-00002-of-00002.bin")),
            ["pytorch_model-00001-of-00002.bin"] = RawTorch.WithTensors("a"),
            ["pytorch_model-00002-of-00002.bin"] = RawTorch.WithTensors("b"),
        };
        foreach ((string name, byte[] bytes) in files) _directory.Add(name, bytes);
        using Checkpoint fromDirectory = Checkpoint.Open(_directory.Path);
        using Checkpoint fromBytes = Checkpoint.FromBytes(files.ToDictionary(file => file.Key, file => (ReadOnlyMemory<byte>)file.Value));
        using Checkpoint fromStreams = Checkpoint.FromStreams(files.ToDictionary(file => file.Key, file => (Stream)new NetworkLikeStream(file.Value)));
        foreach (Checkpoint checkpoint in new[] { fromDirectory, fromBytes, fromStreams })
        {
            Assert.That(checkpoint.Weights.Keys, Is.EqualTo(new[] { "a", "b" }));
            Assert.That(checkpoint.Weights["b"].Bytes[7], Is.EqualTo(7));
        }

        File.Delete(_directory["pytorch_model-00002-of-00002.bin"]);
        Assert.That(Refused().Problems, Is.EqualTo(new[] { "The shard pytorch_model-00002-of-00002.bin is missing." }));
        _directory.Add(Checkpoint.TorchIndexFileName, RawSafetensors.Index(("a", First)));
        Assert.That(Refused().Problems[0], Does.Contain("is not a .bin file"));
    }

    [Test]
    public void A_directory_without_weights_says_what_it_holds()
    {
        _directory.Add("config.json", "{}"u8);
        Assert.That(Refused().Message, Does.Contain(_directory.Path).And.Contain("needed is model.safetensors").And.Contain("found config.json"));
        Assert.That(Assert.Throws<CheckpointException>(() => Checkpoint.FromBytes(new Dictionary<string, ReadOnlyMemory<byte>>()))!.Message,
            Does.Contain("found nothing"));
    }

    [Test]
    public void A_missing_directory_and_a_file_in_its_place_are_told_apart()
    {
        Assert.That(() => Checkpoint.Open(_directory["none"]), Throws.TypeOf<CheckpointException>().With.Message.Contains("There is no directory"));
        string file = _directory.Add("x.safetensors", [1]);
        Assert.That(() => Checkpoint.Open(file), Throws.TypeOf<CheckpointException>().With.Message.Contains("is a file; needed is a checkpoint directory"));
    }

    [Test]
    public void A_link_that_leads_out_of_the_directory_is_refused()
    {
        using var outside = new TemporaryDirectory();
        outside.Add("weights", RawSafetensors.WithTensors("a"));
        Link("model.safetensors", outside["weights"]);
        Assert.That(Refused().Message, Does.Contain("outside the directory").And.Contain(outside["weights"]));

        // Not through a linked directory inside either, for the weights or the index.
        File.Delete(_directory["model.safetensors"]);
        Directory.CreateSymbolicLink(_directory["sub"], outside.Path);
        Link("model.safetensors", Path.Combine("sub", "weights"));
        Assert.That(Refused().Message, Does.Contain("outside the directory"));
        File.Move(_directory["model.safetensors"], _directory[Checkpoint.IndexFileName]);
        Assert.That(Refused().Message, Does.Contain("outside the directory"));
    }

    [Test]
    public void A_link_to_a_file_of_the_directory_is_followed()
    {
        _directory.Add("weights", RawSafetensors.WithTensors("a"));
        Link("model.safetensors", "weights");
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.That(checkpoint.Weights.Keys, Is.EqualTo(new[] { "a" }));
    }

    [Test]
    public void A_cycle_of_links_is_no_weight_file()
    {
        Link("model.safetensors", "other");
        Link("other", "model.safetensors");
        Assert.That(Refused().Message, Is.Not.Empty);
    }

    [Test]
    public void A_snapshot_of_the_hub_cache_reads_its_own_blobs_only()
    {
        string snapshot = _directory["models--org--name/snapshots/0123abc"];
        Directory.CreateDirectory(snapshot);
        Directory.CreateDirectory(_directory["models--org--name/blobs"]);
        _directory.Add("models--org--name/blobs/f00d", RawSafetensors.WithTensors("a"));
        Link("models--org--name/snapshots/0123abc/model.safetensors", "../../blobs/f00d");
        using (Checkpoint checkpoint = Checkpoint.Open(snapshot)) Assert.That(checkpoint.Weights.Keys, Is.EqualTo(new[] { "a" }));

        _directory.Add("secret", RawSafetensors.WithTensors("a"));
        File.Delete(Path.Combine(snapshot, "model.safetensors"));
        Link("models--org--name/snapshots/0123abc/model.safetensors", "../../../secret");
        Assert.That(() => Checkpoint.Open(snapshot), Throws.TypeOf<CheckpointException>().With.Message.Contains("outside the directory"));
    }

    [Test]
    public void A_directory_may_itself_be_reached_through_a_link()
    {
        Directory.CreateDirectory(_directory["real"]);
        _directory.Add("real/model.safetensors", RawSafetensors.WithTensors("a"));
        Directory.CreateSymbolicLink(_directory["link"], _directory["real"]);
        using Checkpoint checkpoint = Checkpoint.Open(_directory["link"]);
        Assert.That(checkpoint.Description, Is.EqualTo(_directory["link"]));
    }

    private void AddShards(byte[] index)
    {
        _directory.Add(First, RawSafetensors.WithTensors("a", "b"));
        _directory.Add(Second, RawSafetensors.WithTensors("c"));
        _directory.Add(Checkpoint.IndexFileName, index);
    }

    private void Link(string name, string target)
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Creating symbolic links needs a privilege on Windows.");
        File.CreateSymbolicLink(_directory[name], target);
    }

    private CheckpointException Refused() => Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path).Dispose())!;

    /// <summary>Breaks off after the first eight bytes.</summary>
    private sealed class BrokenStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) =>
            Position < 8 ? base.Read(buffer[..Math.Min(8, buffer.Length)]) : throw new IOException("connection reset");
    }
}
