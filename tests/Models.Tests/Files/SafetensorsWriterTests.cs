using System.Text;

namespace ManagedTransformers.Models.Tests;

[TestFixture]
public class SafetensorsWriterTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void CreateDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void A_file_is_laid_out_as_the_safetensors_library_does()
    {
        // Compact JSON padded with spaces to 8 bytes; tensors ordered by type, widest first, then by name; offsets without gaps.
        byte[] file = Written(new Dictionary<string, string> { ["format"] = "pt" },
            new TensorEntry("b.bias", ElementType.F16, [1], new byte[] { 5, 6 }),
            TensorEntry.Create("a", [2, 1], new[] { 1, 2 }),
            new TensorEntry("c", ElementType.I64, [], new byte[] { 9, 0, 0, 0, 0, 0, 0, 0 }),
            new TensorEntry("a.bias", ElementType.F16, [1], new byte[] { 7, 8 }));
        const string Header =
            """{"__metadata__":{"format":"pt"},"c":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"a":{"dtype":"I32","shape":[2,1],"data_offsets":[8,16]}""" +
            ""","a.bias":{"dtype":"F16","shape":[1],"data_offsets":[16,18]},"b.bias":{"dtype":"F16","shape":[1],"data_offsets":[18,20]}}""";
        int padded = (Header.Length + 7) / 8 * 8;
        Assert.That(BitConverter.ToInt64(file), Is.EqualTo(padded));
        Assert.That(Encoding.UTF8.GetString(file, 8, padded), Is.EqualTo(Header.PadRight(padded)));
        Assert.That(file[(8 + padded)..], Is.EqualTo(new byte[] { 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 8, 5, 6 }));
    }

    [Test]
    public void No_tensors_and_no_metadata_make_the_smallest_file() =>
        Assert.That(Written(null), Is.EqualTo(Encoding.UTF8.GetBytes("\u0008\0\0\0\0\0\0\0{}      ")));

    [Test]
    public void Every_element_type_comes_back_as_it_was_written([Values] ElementType type, [Values] Way way)
    {
        byte[] bytes = new byte[6 * type.Size()];
        new Random(3).NextBytes(bytes);
        byte[] written = Written(null, new TensorEntry("odd", ElementType.U8, [3], new byte[] { 1, 2, 3 }), new TensorEntry("w", type, [1, 2, 3], bytes));
        using SafetensorsFile file = way.Open(written, _directory);
        Weight weight = file.Weights["w"];
        Assert.That((weight.Type, weight.ShapeText), Is.EqualTo((type, "[1, 2, 3]")));
        Assert.That(weight.Bytes.ToArray(), Is.EqualTo(bytes));
        Assert.That(file.Weights["odd"].Bytes.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [Test]
    public void Names_and_metadata_of_any_language_come_back()
    {
        var metadata = new Dictionary<string, string> { ["größe"] = "\"5\"\n\\", ["模型"] = "😀 <&'>" };
        byte[] written = Written(metadata, TensorEntry.Create("слой.0 \"é😀\"\u0001", [1], new float[] { 1 }));
        using SafetensorsFile file = SafetensorsFile.FromBytes(written);
        Assert.That(file.Metadata, Is.EquivalentTo(metadata));
        Assert.That(file.Weights.Keys, Is.EqualTo(new[] { "слой.0 \"é😀\"\u0001" }));
    }

    [Test]
    public void Float_and_integer_arrays_are_written_as_they_are()
    {
        byte[] written = Written(null, TensorEntry.Create("f", [3], new[] { 1.5f, float.NaN, -0f }), TensorEntry.Create("l", [2], new[] { -1L, long.MaxValue }),
            TensorEntry.Create("i", [1, 1], new[] { int.MinValue }));
        using SafetensorsFile file = SafetensorsFile.FromBytes(written);
        Assert.That(file.Weights["f"].ToSingle(), Is.EqualTo(new[] { 1.5f, float.NaN, -0f }));
        Assert.That(file.Weights["l"].ToInt64(), Is.EqualTo(new[] { -1L, long.MaxValue }));
        Assert.That(file.Weights["i"].ToInt64(), Is.EqualTo(new[] { (long)int.MinValue }));
    }

    [Test]
    public void A_large_tensor_is_written_in_parts_and_comes_back()
    {
        float[] values = [.. Enumerable.Range(0, 1_000_000).Select(i => (float)i)];
        string path = _directory["large.safetensors"];
        SafetensorsWriter.Write(path, [TensorEntry.Create("x", [1000, 1000], values)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Weights["x"].ToSingle(), Is.EqualTo(values));
        byte[] copy = Written(null, TensorEntry.Create(file.Weights["x"]));
        Assert.That(copy, Is.EqualTo(File.ReadAllBytes(path)));
    }

    [Test]
    public void A_tensor_without_a_name_which_a_file_may_have_is_written_again()
    {
        using SafetensorsFile file = SafetensorsFile.FromBytes(RawSafetensors.Build("""{"":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 2));
        using SafetensorsFile again = SafetensorsFile.FromBytes(Written(null, TensorEntry.Create(file.Weights[""])));
        Assert.That(again.Weights[""].HasBytesOf(file.Weights[""]), Is.True);
    }

    [Test]
    public void What_cannot_be_written_is_refused()
    {
        Assert.That(() => Written(null, Scalar("x"), Scalar("x")), Throws.ArgumentException.With.Message.Contains("Two tensors are named x"));
        Assert.That(() => Scalar("__metadata__"), Throws.ArgumentException.With.Message.Contains("reserved"));
        Assert.That(() => TensorEntry.Create("x", [3], new float[2]), Throws.ArgumentException.With.Message.Contains("8 bytes given; F32 [3] needs 12"));
        Assert.That(() => new TensorEntry("x", ElementType.U8, [-1], _ => { }), Throws.ArgumentException.With.Message.Contains("negative"));
        Assert.That(() => Written(null, Scalar("\ud800")), Throws.InstanceOf<ArgumentException>());
    }

    [TestCase(3, "wrote 3 bytes; its shape needs 4")]
    [TestCase(5, "wrote at least 5 bytes; its shape needs 4")]
    public void A_tensor_that_writes_another_number_of_bytes_is_refused_and_nothing_is_left(int count, string said)
    {
        string path = _directory["x.safetensors"];
        File.WriteAllText(path, "before");
        var entry = new TensorEntry("x", ElementType.F32, [1], stream =>
        {
            for (int i = 0; i < count; i++) stream.WriteByte(1);
        });
        Assert.That(() => SafetensorsWriter.Write(path, [entry]), Throws.InvalidOperationException.With.Message.Contains(said));
        Assert.That(File.ReadAllText(path), Is.EqualTo("before"));
        Assert.That(Directory.GetFiles(_directory.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void Cancellation_between_tensors_leaves_nothing_behind()
    {
        using var cancellation = new CancellationTokenSource();
        var written = new List<WriteProgress>();
        var progress = new Recorder(step =>
        {
            written.Add(step);
            cancellation.Cancel();
        });
        Assert.That(
            () => SafetensorsWriter.Write(_directory["x.safetensors"], [Scalar("a"), Scalar("b")], null, progress, cancellation.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(written, Is.EqualTo(new[] { new WriteProgress("a", 4, 8) }));
        Assert.That(Directory.GetFiles(_directory.Path), Is.Empty);
    }

    [Test]
    public void A_file_may_be_replaced_while_it_is_mapped()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows does not replace a mapped file.");
        string path = _directory["x.safetensors"];
        SafetensorsWriter.Write(path, [TensorEntry.Create("x", [1], new float[] { 1 })]);
        using SafetensorsFile old = SafetensorsFile.Open(path);
        SafetensorsWriter.Write(path, [TensorEntry.Create("x", [1], new[] { old.Weights["x"].ToSingle()[0] + 1 })]);
        using SafetensorsFile now = SafetensorsFile.Open(path);
        Assert.That((old.Weights["x"].ToSingle()[0], now.Weights["x"].ToSingle()[0]), Is.EqualTo((1f, 2f)));
    }

    [Test]
    public void Shards_are_filled_in_order_and_open_as_one()
    {
        TensorEntry[] tensors = [Scalar("d"), Scalar("c"), TensorEntry.Create("large", [5], new float[5]), Scalar("a")];
        var names = WriteShards(maxShardSize: 8, tensors);
        Assert.That(names, Is.EqualTo(new[] { "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors" }));
        Assert.That(File.ReadAllText(_directory[Checkpoint.IndexFileName]),
            Does.Contain("\"total_size\": 32").And.Contain("\"large\": \"model-00002-of-00003.safetensors\""));
        Assert.That(Directory.GetFiles(_directory.Path), Has.Length.EqualTo(4));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.That(checkpoint.Weights.Keys, Is.EquivalentTo(new[] { "a", "c", "d", "large" }));
        Assert.That(checkpoint.Metadata["format"], Is.EqualTo("pt"));
    }

    [Test]
    public void One_shard_is_a_single_file_without_index()
    {
        Assert.That(WriteShards(8, Scalar("a"), Scalar("b")), Is.EqualTo(new[] { Checkpoint.SingleFileName }));
        Assert.That(Directory.GetFiles(_directory.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_failure_in_the_last_shard_leaves_no_shard()
    {
        var failing = new TensorEntry("z", ElementType.F32, [1], _ => throw new IOException("disk full"));
        Assert.That(() => WriteShards(4, Scalar("a"), Scalar("b"), failing), Throws.InstanceOf<IOException>().With.Message.EqualTo("disk full"));
        Assert.That(Directory.GetFiles(_directory.Path), Is.Empty);
    }

    private IReadOnlyList<string> WriteShards(long maxShardSize, params TensorEntry[] tensors)
    {
        var plan = new ShardPlan(tensors, maxShardSize);
        using var files = new PendingDirectory(_directory.Path);
        foreach ((string file, List<TensorEntry> shard) in plan.FileNames.Zip(plan.Shards))
            files.Add(file, stream => SafetensorsWriter.Write(stream, shard, new Dictionary<string, string> { ["format"] = "pt" }));
        if (plan.IsSharded) files.Add(Checkpoint.IndexFileName, plan.WriteIndex);
        files.Publish(replaces: true, ConversionTarget.IsWeightFile);
        return plan.FileNames;
    }

    private static TensorEntry Scalar(string name) => TensorEntry.Create(name, [], new float[] { 1 });

    private static byte[] Written(IReadOnlyDictionary<string, string>? metadata, params TensorEntry[] tensors)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, metadata);
        return stream.ToArray();
    }

    private sealed class Recorder(Action<WriteProgress> report) : IProgress<WriteProgress>
    {
        public void Report(WriteProgress value) => report(value);
    }

    [Test]
    public void A_directory_is_not_replaced() => Assert.That(
        () => SafetensorsWriter.Write(Path.GetTempPath(), [TensorEntry.Create("a", [1], new float[] { 1 })]),
        Throws.InstanceOf<IOException>().With.Message.Contains("is a directory"));

    [Test]
    [Platform(Exclude = "Win")]
    public void A_device_is_not_replaced()
    {
        // Not /dev/null: where the check fails, the test must not take the machine's.
        string device = Path.Combine("/dev/shm", Path.GetRandomFileName());
        if (!Directory.Exists("/dev/shm"))
            Assert.Ignore("There is no /dev/shm.");
        SafetensorsWriter.Write(device, [TensorEntry.Create("a", [1], new float[] { 1 })]);
        File.Delete(device);
        Assert.That(() => PendingFile.RequireReplaceable("/dev/null"), Throws.InstanceOf<IOException>().With.Message.Contains("is a device"));
    }
}
