using static ManagedTransformers.Models.Tests.RawTorch;

namespace ManagedTransformers.Models.Tests;

/// <summary>Tensors that do not lie in their storage, and storages that do not lie in their file.</summary>
[TestFixture]
public class TorchTensorTests
{
    [TestCase(0, new long[] { 3 }, new long[] { 1 }, "up to element 2; its storage 0 has 2")]
    [TestCase(1, new long[] { 2 }, new long[] { 1 }, "up to element 2; its storage 0 has 2")]
    [TestCase(2, new long[] { 1 }, new long[] { 1 }, "up to element 2")]
    [TestCase(0, new long[] { 2 }, new long[] { 2 }, "up to element 2")]
    [TestCase(-1, new long[] { 1 }, new long[] { 1 }, "negative numbers are not allowed")]
    [TestCase(1, new long[] { 2 }, new long[] { -1 }, "negative numbers are not allowed")]
    [TestCase(0, new long[] { -2 }, new long[] { 1 }, "negative numbers are not allowed")]
    [TestCase(long.MaxValue, new long[] { 2 }, new long[] { 1 }, "more than 2^63 - 1 bytes")]
    [TestCase(0, new long[] { long.MaxValue, 2 }, new long[] { 2, 1 }, "more than 2^63 - 1 bytes")]
    [TestCase(0, new long[] { 1L << 62, 4 }, new long[] { 0, 0 }, "more than 2^63 - 1 bytes")]
    [TestCase(0, new long[] { 1L << 40 }, new long[] { 0 }, "bytes made of a storage of 8")]
    [TestCase(0, new long[] { 0, 1L << 40, 1L << 40 }, new long[] { 1, 1, 1 }, "its sizes are impossible")]
    [TestCase(0, new long[] { 2 }, new long[] { 1, 1 }, "a shape of 1 axes and 2 strides")]
    public void A_view_outside_its_storage_is_refused(long offset, long[] shape, long[] strides, string said)
    {
        string tensor = Tensor(Storage("0", 2), offset, shape, strides);
        var error = Assert.Throws<CheckpointException>(() => TorchFile.FromBytes(RawTorch.Build(Dict(("a.weight", tensor)))))!;
        Assert.That(error.Message, Does.Contain(said).And.Contain("pytorch_model.bin"));
    }

    [Test]
    public void An_empty_tensor_may_have_any_offset()
    {
        using TorchFile file = TorchFile.FromBytes(RawTorch.Build(Dict(("a", Tensor(Storage("0", 2), 7, [0, 3], [3, 1])))));
        Assert.That(file.Weights["a"].Bytes.Length, Is.Zero);
    }

    [TestCase(3, "FloatStorage", "archive/data/0 has 8 bytes; the pickle says 12")]
    [TestCase(1, "FloatStorage", "archive/data/0 has 8 bytes; the pickle says 4")]
    [TestCase(2, "LongStorage", "archive/data/0 has 8 bytes; the pickle says 16")]
    [TestCase(-1, "FloatStorage", "claims -1 elements")]
    [TestCase(long.MaxValue, "FloatStorage", "claims 9223372036854775807 elements")]
    public void A_storage_of_another_size_than_its_entry_is_refused(long count, string type, string said) => Assert.That(
        () => TorchFile.FromBytes(RawTorch.Build(Dict(("a", Tensor(Storage("0", count, type), 0, [1], [1]))))),
        Throws.TypeOf<CheckpointException>().With.Message.Contains(said));

    [TestCase("../secret")]
    [TestCase("9")]
    [TestCase("")]
    public void A_storage_without_an_entry_is_refused(string key) => Assert.That(
        () => TorchFile.FromBytes(RawTorch.Build(Dict(("a", Tensor(Storage(key, 2), 0, [1], [1]))))),
        Throws.TypeOf<CheckpointException>().With.Message.Contains($"The entry archive/data/{key} is missing"));

    [Test]
    public void A_storage_cannot_have_two_types() => Assert.That(
        () => TorchFile.FromBytes(RawTorch.Build(Dict(("a", TwoFloats), ("b", Tensor(Storage("0", 1, "LongStorage"), 0, [1], [1]))))),
        Throws.TypeOf<CheckpointException>().With.Message.Contains("two types or sizes"));

    [Test]
    public void Names_must_be_texts_and_each_there_once()
    {
        var error = Assert.Throws<CheckpointException>(
            () => TorchFile.FromBytes(RawTorch.Build("}(" + Text("a") + TwoFloats + Text("a") + TwoFloats + "K\u0001" + TwoFloats + "u")))!;
        Assert.That(error.Problems, Is.EqualTo(new[] { "a is there twice.", "A key is the number 1." }));
    }
}
