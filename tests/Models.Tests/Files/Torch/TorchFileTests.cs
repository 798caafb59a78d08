using System.Text.Json;

namespace ManagedTransformers.Models.Tests;

/// <summary>Files that PyTorch wrote (tests/data/torch/make.py), compared with the bytes of the tensors that it wrote.</summary>
[TestFixture]
public class TorchFileTests
{
    private static string PathOf(string name) => RepositoryFiles.PathOf($"tests/data/torch/{name}");

    [Test]
    public void Every_tensor_has_the_type_shape_and_bytes_that_PyTorch_says(
        [Values("zip.bin", "legacy.bin", "protocol4.bin")] string name, [Values] Way way)
    {
        using TorchFile file = Open(way, name);
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(PathOf("expected.json")));
        Assert.That(file.Weights.Keys, Is.EqualTo(expected.RootElement.EnumerateObject().Select(tensor => tensor.Name)));
        foreach (JsonProperty tensor in expected.RootElement.EnumerateObject())
        {
            Weight weight = file.Weights[tensor.Name];
            Assert.That(weight.Type.SafetensorsName(), Is.EqualTo(tensor.Value.GetProperty("dtype").GetString()), tensor.Name);
            Assert.That(weight.Shape, Is.EqualTo(tensor.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())), tensor.Name);
            Assert.That(Convert.ToHexStringLower(weight.Bytes), Is.EqualTo(tensor.Value.GetProperty("bytes").GetString()), tensor.Name);
        }
    }

    [TestCase("views.base", false)]
    [TestCase("views.rows", false)]
    [TestCase("views.one_row", false)]                     // strides of axes with one element do not matter
    [TestCase("shapes.empty", false)]
    [TestCase("views.columns", true)]
    [TestCase("views.transposed", true)]
    [TestCase("views.expanded", true)]
    public void Only_tensors_out_of_order_are_copied(string name, bool copied)
    {
        using TorchFile file = TorchFile.Open(PathOf("zip.bin"));
        Assert.That(file.Weights[name].IsStrided, Is.EqualTo(copied));
    }

    [Test]
    public void A_strided_weight_is_read_from_any_element_on([Range(0, 23)] int start)
    {
        using TorchFile file = TorchFile.Open(PathOf("zip.bin"));
        Weight weight = file.Weights["views.permuted"];
        byte[] part = new byte[weight.ByteLength - (2 * start)];
        weight.CopyBytes(2 * start, part);
        Assert.That(part, Is.EqualTo(weight.Slice(2 * start, part.Length).ToArray()));
    }

    [Test]
    public void A_file_written_again_as_safetensors_has_the_same_tensors()
    {
        using TorchFile file = TorchFile.Open(PathOf("zip.bin"));
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, [.. file.Weights.Values.Select(weight => TensorEntry.Create(weight))]);
        using SafetensorsFile written = SafetensorsFile.FromBytes(stream.ToArray());
        foreach ((string name, Weight weight) in file.Weights)
            Assert.That(written.Weights[name].Bytes.SequenceEqual(weight.Bytes), Is.True, name);
    }

    [TestCase("runs.bin", "posix.system")]
    [TestCase("runs-legacy.bin", "posix.system")]
    [TestCase("complex.bin", "torch.ComplexFloatStorage")]
    public void What_a_state_dict_does_not_need_is_refused_by_name(string name, string global)
    {
        CheckpointException error = Refused(name);
        Assert.That(error.FileName, Is.EqualTo(name));
        Assert.That(error.Message, Does.StartWith($"{name}: Its pickle asks for {global};").And.Contain("nothing in the file was executed"));
    }

    [Test]
    public void A_training_checkpoint_says_what_is_in_it_and_how_to_get_the_weights()
    {
        CheckpointException error = Refused("training.bin");
        Assert.That(error.Problems,
            Is.EqualTo(new[] { "model is a dict of 1 entries, 1 of them tensors.", "epoch is the number 3.", "args is a dict of 2 entries." }));
        Assert.That(error.Message, Does.Contain("""torch.save(torch.load(FILE)["model"], "pytorch_model.bin")"""));
    }

    [Test]
    public void A_tensor_alone_is_no_state_dict() =>
        Assert.That(Refused("tensor.bin").Message, Does.Contain("It holds a tensor of shape [2]; needed is a state dict"));

    [Test]
    public void Weights_stay_while_a_lease_is_held_and_end_with_it()
    {
        TorchFile file = TorchFile.Open(PathOf("legacy.bin"));
        FileLease lease = file.Acquire();
        file.Dispose();
        Weight mapped = file.Weights["views.base"], copied = file.Weights["views.columns"];
        Assert.That(mapped.ToSingle()[2..5], Is.EqualTo(copied.ToSingle()[..3]));
        lease.Dispose();
        Assert.That(() => mapped.Bytes.Length, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => copied.Bytes.Length, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void A_stream_can_be_cancelled() => Assert.That(
        () => TorchFile.FromStream(new NetworkLikeStream(File.ReadAllBytes(PathOf("zip.bin"))), cancellationToken: new CancellationToken(canceled: true)),
        Throws.InstanceOf<OperationCanceledException>());

    [TestCase("", "The file is empty")]
    [TestCase("safe", "The file begins with 73616665")]
    [TestCase("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS")]
    [TestCase("PK\u0003\u0004 and no more", "truncated")]
    public void Something_else_is_recognised_by_its_beginning(string content, string said) => Assert.That(
        () => TorchFile.FromBytes(RawTorch.Bytes(content)),
        Throws.TypeOf<CheckpointException>().With.Message.StartsWith("pytorch_model.bin").And.Message.Contains(said));

    private static CheckpointException Refused(string name) => Assert.Throws<CheckpointException>(() => TorchFile.Open(PathOf(name)).Dispose())!;

    private static TorchFile Open(Way way, string name)
    {
        if (way == Way.Mapped) return TorchFile.Open(PathOf(name));
        byte[] bytes = File.ReadAllBytes(PathOf(name));
        if (way == Way.Bytes) return TorchFile.FromBytes(bytes);
        using Stream stream = way == Way.Stream ? new MemoryStream(bytes) : new NetworkLikeStream(bytes);
        return TorchFile.FromStream(stream);
    }
}
