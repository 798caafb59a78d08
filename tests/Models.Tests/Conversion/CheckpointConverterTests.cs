using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Models.Tests;

[TestFixture]
public class CheckpointConverterTests
{
    private TemporaryDirectory _source = null!;
    private TemporaryDirectory _destination = null!;

    [SetUp]
    public void CreateDirectories() => (_source, _destination) = (new TemporaryDirectory(), new TemporaryDirectory());

    [TearDown]
    public void DeleteDirectories()
    {
        _source.Dispose();
        _destination.Dispose();
    }

    [TestCase("zip.bin")]
    [TestCase("legacy.bin")]
    public void A_PyTorch_file_becomes_safetensors_with_the_same_bytes(string name)
    {
        File.Copy(RepositoryFiles.PathOf($"tests/data/torch/{name}"), _source[Checkpoint.TorchFileName]);
        ConversionResult result = Convert();
        using TorchFile source = TorchFile.Open(_source[Checkpoint.TorchFileName]);
        using SafetensorsFile written = SafetensorsFile.Open(_destination[Checkpoint.SingleFileName]);
        Assert.That((result.Tensors, result.Files), Is.EqualTo((source.Weights.Count, new[] { Checkpoint.SingleFileName })));
        Assert.That(written.Weights.Keys, Is.EquivalentTo(source.Weights.Keys));
        Assert.That(written.Metadata["format"], Is.EqualTo("pt"));
        foreach ((string key, Weight weight) in source.Weights)
        {
            Assert.That(written.Weights[key].ToString(), Is.EqualTo(weight.ToString()));
            Assert.That(written.Weights[key].Bytes.SequenceEqual(weight.Bytes), Is.True, key);
        }
    }

    [Test]
    public void Parameters_get_todays_names_and_buffers_are_left_out()
    {
        Add(F32("bert.LayerNorm.gamma", 1), F32("bert.LayerNorm.beta", 2), F32("both.gamma", 3), F32("both.weight", 4), F32("h.attn.bias", 5),
            F32("h.0.attn.masked_bias", 6), TensorEntry.Create("bert.embeddings.position_ids", [1, 2], new long[] { 0, 1 }));
        ConversionResult result = Convert();
        Assert.That(result.Renamed,
            Is.EquivalentTo(new[] { ("bert.LayerNorm.gamma", "bert.LayerNorm.weight"), ("bert.LayerNorm.beta", "bert.LayerNorm.bias") }));
        Assert.That(result.Dropped.Select(tensor => tensor.Name), Is.EquivalentTo(new[] { "h.0.attn.masked_bias", "bert.embeddings.position_ids" }));
        using Checkpoint written = Checkpoint.Open(_destination.Path);
        Assert.That(written.Weights.Keys,
            Is.EquivalentTo(new[] { "bert.LayerNorm.weight", "bert.LayerNorm.bias", "both.gamma", "both.weight", "h.attn.bias" }));
        Assert.That(written.Weights["bert.LayerNorm.bias"].ToSingle(), Is.EqualTo(new float[] { 2 }));
    }

    [Test]
    public void Floats_get_the_type_that_is_asked_for_and_integers_keep_theirs(
        [Values(ElementType.F32, ElementType.F16, ElementType.BF16)] ElementType from,
        [Values(ElementType.F32, ElementType.F16, ElementType.BF16)] ElementType to)
    {
        // 1.5, −0.25 and infinity are numbers of every type.
        TensorEntry floats = from switch
        {
            ElementType.F32 => TensorEntry.Create("x", [3], new[] { 1.5f, -0.25f, float.PositiveInfinity }),
            ElementType.F16 => new TensorEntry("x", from, [3], new byte[] { 0x00, 0x3E, 0x00, 0xB4, 0x00, 0x7C }),
            _ => new TensorEntry("x", from, [3], new byte[] { 0xC0, 0x3F, 0x80, 0xBE, 0x80, 0x7F }),
        };
        Add(floats, TensorEntry.Create("ids", [1], new long[] { 7 }));
        Convert(new ConversionOptions { Type = to });
        using Checkpoint written = Checkpoint.Open(_destination.Path);
        Assert.That(written.Weights["x"].Type, Is.EqualTo(to));
        Assert.That(written.Weights["x"].ToSingle(), Is.EqualTo(new[] { 1.5f, -0.25f, float.PositiveInfinity }));
        Assert.That(written.Weights["ids"].ToInt64(), Is.EqualTo(new long[] { 7 }));
    }

    [Test]
    public void Large_tensors_are_converted_in_blocks_also_where_they_are_transposed()
    {
        const int Rows = 700, Columns = 500;               // more than one block of 2^18
        float[] values = [.. Enumerable.Range(0, Rows * Columns).Select(i => (float)(i % 1999))];
        string storage = RawTorch.Storage("1", values.Length);
        byte[] data = System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
        File.WriteAllBytes(_source[Checkpoint.TorchFileName], RawTorch.Build(
            RawTorch.Dict(("x", RawTorch.Tensor(storage, 0, [Columns, Rows], [1, Columns]))), ("archive/data/1", data)));
        Convert(new ConversionOptions { Type = ElementType.F16 });
        using Checkpoint written = Checkpoint.Open(_destination.Path);
        float[] read = written.Weights["x"].ToSingle();
        Assert.That(Enumerable.Range(0, read.Length).All(i => read[i] == values[((i % Rows) * Columns) + (i / Rows)]), Is.True);
    }

    [TestCase(65504f, ElementType.F16, true)]
    [TestCase(65519f, ElementType.F16, true)]              // rounds to 65504
    [TestCase(65520f, ElementType.F16, false)]
    [TestCase(-1e9f, ElementType.F16, false)]
    [TestCase(3.38e38f, ElementType.BF16, true)]
    [TestCase(3.4e38f, ElementType.BF16, false)]
    public void A_number_that_the_type_cannot_hold_is_refused(float value, ElementType to, bool fits)
    {
        Add(F32("x", value));
        if (fits)
            Assert.That(Convert(new ConversionOptions { Type = to }).Tensors, Is.EqualTo(1));
        else
            Assert.That(() => Convert(new ConversionOptions { Type = to }), Throws.TypeOf<CheckpointException>()
                .With.Message.Contains("x in model.safetensors has the value").And.Message.Contains("would become infinite"));
        Assert.That(Directory.GetFiles(_destination.Path), Has.Length.EqualTo(fits ? 1 : 0));
    }

    [Test]
    public void Shards_have_at_most_the_size_that_is_asked_for_and_open_as_one_checkpoint()
    {
        Add([.. Enumerable.Range(0, 5).Select(i => F32($"t{i}", i))]);
        ConversionResult result = Convert(new ConversionOptions { MaxShardSize = 8 });
        Assert.That(result.Files,
            Is.EqualTo(new[] { "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors" }));
        using Checkpoint written = Checkpoint.Open(_destination.Path);
        Assert.That(written.Weights.Values.Select(weight => weight.ToSingle()[0]), Is.EquivalentTo(new float[] { 0, 1, 2, 3, 4 }));
    }

    [Test]
    public void Configuration_and_tokenizer_are_copied_and_the_type_is_written()
    {
        Add(F32("x", 1));
        File.WriteAllText(_source["config.json"], """{"model_type": "bert", "torch_dtype": "float32", "z": [1, 2.50, "é"]}""");
        File.WriteAllText(_source["merges.txt"], "a b\n");
        File.WriteAllText(_source["model.safetensors.index.json"], "{}");
        File.WriteAllText(_source["pytorch_model.bin"], "x");
        File.WriteAllText(_source[".hidden.json"], "x");
        Directory.CreateDirectory(_source["1_Pooling"]);
        File.WriteAllText(_source["1_Pooling/config.json"], "{}");
        ConversionResult result = Convert(new ConversionOptions { Type = ElementType.BF16 });
        Assert.That(result.CopiedFiles, Is.EqualTo(new[] { "config.json", "merges.txt", "1_Pooling/config.json" }));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(_destination["config.json"]));
        Assert.That(config.RootElement.EnumerateObject().Select(property => property.Name), Is.EqualTo(new[] { "model_type", "torch_dtype", "z" }));
        Assert.That(config.RootElement.GetProperty("torch_dtype").GetString(), Is.EqualTo("bfloat16"));
        Assert.That(config.RootElement.GetProperty("z").GetRawText(), Does.Contain("2.50"));
        Assert.That(File.ReadAllText(_destination["merges.txt"]), Is.EqualTo("a b\n"));
    }

    [Test]
    public void The_weights_of_sentence_transformers_modules_come_along_as_they_are_and_those_of_other_folders_do_not()
    {
        Add(F32("x", 1));
        File.WriteAllText(_source["pytorch_model.bin"], "x");
        File.WriteAllText(_source["modules.json"], """
            [{"path": "", "type": "a.Transformer"}, {"path": "0_T", "type": "a.Transformer"},
             {"path": "2_Dense", "type": "a.Dense"}, {"path": "../up", "type": "a.Dense"}]
            """);
        foreach (string folder in new[] { "0_T", "2_Dense", "old" })
        {
            Directory.CreateDirectory(_source[folder]);
            File.WriteAllText(_source[$"{folder}/config.json"], "{}");
            File.WriteAllBytes(_source[$"{folder}/pytorch_model.bin"], [1, 2, 3]);
        }
        Assert.That(Convert().CopiedFiles,
            Is.EqualTo(new[] { "modules.json", "0_T/config.json", "2_Dense/config.json", "2_Dense/pytorch_model.bin", "old/config.json" }));
        Assert.That(File.ReadAllBytes(_destination["2_Dense/pytorch_model.bin"]), Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [TestCase("""{"a":1}""", "torch_dtype")]
    [TestCase("""{"dtype":"float16","a":1}""", "dtype")]
    public void The_type_stands_under_the_key_that_the_file_has(string json, string key)
    {
        ReadOnlyMemory<byte> config = CompanionFiles.WithType(Encoding.UTF8.GetBytes(json), ElementType.F32);
        Assert.That(JsonDocument.Parse(config).RootElement.GetProperty(key).GetString(), Is.EqualTo("float32"));
        Assert.That(() => CompanionFiles.WithType("[]"u8.ToArray(), ElementType.F32), Throws.TypeOf<ConfigException>());
        Assert.That(() => CompanionFiles.WithType("{}"u8.ToArray(), ElementType.I32), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Safetensors_can_be_put_next_to_the_bin_file_they_come_from()
    {
        File.WriteAllBytes(_source[Checkpoint.TorchFileName], RawTorch.WithTensors("a"));
        File.WriteAllText(_source["merges.txt"], "a b\n");
        ConversionResult result = CheckpointConverter.Convert(_source.Path, _source.Path);
        Assert.That((result.Tensors, result.CopiedFiles.Count), Is.EqualTo((1, 0)));
        Assert.That(File.Exists(_source[Checkpoint.SingleFileName]), Is.True);
        // Once more there would be safetensors to replace themselves.
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _source.Path, new ConversionOptions { Overwrite = true }),
            Throws.InstanceOf<IOException>().With.Message.Contains("cannot replace themselves"));
    }

    [TestCase(Checkpoint.SingleFileName)]
    [TestCase(Checkpoint.IndexFileName)]
    [TestCase("config.json")]
    public void A_checkpoint_that_is_there_is_replaced_only_where_that_is_asked_for(string there)
    {
        Add(F32("a", 1), F32("b", 2));
        _destination.Add(there, "old"u8);
        Assert.That(() => Convert(),
            Throws.InstanceOf<IOException>().With.Message.Contains($"holds a checkpoint already ({there})").And.Message.Contains("--force"));
        Assert.That(File.ReadAllText(_destination[there]), Is.EqualTo("old"));
    }

    [Test]
    public void Nothing_of_the_checkpoint_that_was_replaced_is_left([Values] bool sharded)
    {
        Add(F32("a", 1), F32("b", 2));
        foreach (string old in new[] { Checkpoint.SingleFileName, Checkpoint.IndexFileName, "model-00001-of-00009.safetensors" })
            _destination.Add(old, "old"u8);
        ConversionResult result = Convert(new ConversionOptions { Overwrite = true, MaxShardSize = sharded ? 4 : 8 });
        string[] expected = sharded ? [.. result.Files, Checkpoint.IndexFileName] : [.. result.Files];
        Assert.That(Directory.GetFiles(_destination.Path).Select(path => Path.GetFileName(path)), Is.EquivalentTo(expected));
        using Checkpoint written = Checkpoint.Open(_destination.Path);
        Assert.That(written.Weights, Has.Count.EqualTo(2));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Cancelled_at_any_step_it_leaves_nothing(bool checking)
    {
        Add(F32("a", 1), F32("b", 2));
        File.WriteAllText(_source["merges.txt"], "a b\n");
        using var cancellation = new CancellationTokenSource();
        var progress = new Recorder(value =>
        {
            if (value.Checking == checking) cancellation.Cancel();
        });
        string destination = _destination["new/folder"];
        Assert.That(() => CheckpointConverter.Convert(_source.Path, destination, null, progress, cancellation.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.Exists(destination), Is.False);
    }

    [Test]
    public void What_is_written_is_read_again_and_compared()
    {
        Add(F32("a", 1), F32("b", 2));
        // Changes the last byte of the file while the check is at its first tensor.
        var seen = new List<WriteProgress>();
        var progress = new Recorder(value =>
        {
            seen.Add(value);
            if (value is not { Checking: true, TensorName: "a" }) return;
            string written = Directory.GetFiles(_destination.Path, Checkpoint.SingleFileName, SearchOption.AllDirectories).Single();
            using FileStream file = new(written, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            file.Position = file.Length - 1;
            file.WriteByte(0x7F);
        });
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _destination.Path, null, progress),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("b was written and reads differently"));
        Assert.That(Directory.GetFileSystemEntries(_destination.Path), Is.Empty);
        Assert.That(seen.Select(value => (value.Checking, value.Bytes)), Is.EqualTo(new[] { (false, 4L), (false, 8L), (true, 4L) }));
    }

    [Test]
    public void A_source_that_is_written_to_meanwhile_is_refused()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows lets nobody write to a file that is mapped.");
        Add(F32("a", 1), F32("b", 2));
        var progress = new Recorder(value => File.SetLastWriteTimeUtc(_source[Checkpoint.SingleFileName], DateTime.UnixEpoch));
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _destination.Path, null, progress),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("model.safetensors was written to while it is used"));
        Assert.That(Directory.GetFileSystemEntries(_destination.Path), Is.Empty);
    }

    [Test]
    public void Impossible_options_are_refused()
    {
        Add(F32("a", 1));
        Assert.That(() => Convert(new ConversionOptions { Type = ElementType.I8 }), Throws.ArgumentException.With.Message.Contains("F32, F16 or BF16"));
        Assert.That(() => Convert(new ConversionOptions { MaxShardSize = 0 }), Throws.ArgumentException.With.Message.Contains("at least 1"));
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _source[Checkpoint.SingleFileName]),
            Throws.InstanceOf<IOException>().With.Message.Contains("is a file"));
    }

    [Test]
    public void Files_of_another_checkpoint_that_stay_and_are_read_are_named()
    {
        Add(F32("a", 1));
        File.WriteAllText(_source["vocab.txt"], "new");
        foreach (string name in new[] { "tokenizer.json", "modules.json", "vocab.txt", "notes.json", Checkpoint.SingleFileName })
            File.WriteAllText(_destination[name], "old");
        ConversionResult result = Convert(new ConversionOptions { Overwrite = true });
        Assert.That(result.Warnings, Has.Exactly(1).StartsWith($"tokenizer.json, modules.json of {_destination.Path} stay, and are read with the new weights"));
        Assert.That(File.ReadAllText(_destination["tokenizer.json"]), Is.EqualTo("old"));
        File.Delete(_destination["tokenizer.json"]);
        File.Delete(_destination["modules.json"]);
        Assert.That(Convert(new ConversionOptions { Overwrite = true }).Warnings, Is.Empty);
    }

    [Test]
    public void What_came_there_while_it_converted_is_not_replaced()
    {
        Add(F32("a", 1));
        var meanwhile = new Meanwhile(() => File.WriteAllText(_destination[ConfigJson.FileName], "another's"));
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _destination.Path, progress: meanwhile),
            Throws.InstanceOf<IOException>().With.Message.Contains("holds a checkpoint already (config.json)"));
        Assert.That(Directory.GetFileSystemEntries(_destination.Path), Is.EqualTo(new[] { _destination[ConfigJson.FileName] }));
    }

    private sealed class Meanwhile(Action act) : IProgress<WriteProgress>
    {
        public void Report(WriteProgress value) => act();
    }

    private ConversionResult Convert(ConversionOptions? options = null) => CheckpointConverter.Convert(_source.Path, _destination.Path, options);

    [Test]
    public void Floats_are_not_converted_to_what_cannot_hold_them()
    {
        TensorEntry entry = new ConvertedTensor(new Weight("w", ElementType.F32, [1], new byte[4]), "w", ElementType.I32, blocks: null).Entry;
        Assert.That(() => entry.WriteTo(Stream.Null, CancellationToken.None), Throws.TypeOf<NotSupportedException>().With.Message.Contains("stored as I32"));
    }

    private void Add(params TensorEntry[] tensors) => SafetensorsWriter.Write(_source[Checkpoint.SingleFileName], tensors);

    private static TensorEntry F32(string name, float value) => TensorEntry.Create(name, [1], new[] { value });

    private sealed class Recorder(Action<WriteProgress> report) : IProgress<WriteProgress>
    {
        public void Report(WriteProgress value) => report(value);
    }
}
