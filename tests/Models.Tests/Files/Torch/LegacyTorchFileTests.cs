using static ManagedTransformers.Models.Tests.RawTorch;

namespace ManagedTransformers.Models.Tests;

/// <summary>The form of files before PyTorch 1.6: what follows the pickles.</summary>
[TestFixture]
public class LegacyTorchFileTests
{
    private static readonly string s_two = Dict(("a", TwoFloats), ("none", Tensor(Storage("1", 0), 0, [0], [1])));
    private static readonly (long Count, byte[] Bytes) s_floats = (2, [0, 1, 2, 3, 4, 5, 6, 7]), s_none = (0, []);

    [Test]
    public void Storages_follow_each_other_and_the_last_may_be_empty()
    {
        using TorchFile file = TorchFile.FromBytes(Legacy(s_two, List("0", "1"), s_floats, s_none));
        Assert.That(file.Weights["a"].Bytes.ToArray(), Is.EqualTo(s_floats.Bytes));
        Assert.That(file.Weights["none"].Bytes.Length, Is.Zero);
    }

    [Test]
    public void What_the_list_of_storages_and_the_bytes_disagree_on_is_refused_with_both()
    {
        Refused(Legacy(s_two, "}"), "In place of the list of its storages there is a dict of 0 entries.");
        Refused(Legacy(s_two, List("0", "2"), s_floats), "The list of its storages has the text \"2\", which no tensor refers to.");
        Refused(Legacy(s_two, List("0", "1"), s_floats), "The file is truncated: the storage 1 is missing.");
        Refused(Legacy(s_two, List("0", "1"), (3, s_floats.Bytes), s_none), "The storage 0 has 3 elements; the pickle says 2.");
        Refused(Legacy(s_two, List("1", "0"), s_none, (2, [0, 1, 2])), "The file is truncated: the storage 0 needs 8 bytes, 3 are left.");
        Refused(Legacy(s_two, List("0", "0"), s_floats, s_floats), "The storage 0 is there twice.");
        Refused(Legacy(s_two, List("0", "1"), s_floats, (0, [1, 2, 3, 4, 5])), "5 bytes follow the last storage.");
        Refused(Legacy(s_two, List("0"), s_floats), "The storage 1 is missing; it holds 0 bytes of tensors.");
    }

    private static void Refused(byte[] file, string said) => Assert.That(() => TorchFile.FromBytes(file),
        Throws.TypeOf<CheckpointException>().With.Message.Contains(said).And.Message.StartsWith("pytorch_model.bin"));
}
