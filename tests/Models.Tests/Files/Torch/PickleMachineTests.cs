using static ManagedTransformers.Models.Tests.RawTorch;

namespace ManagedTransformers.Models.Tests;

/// <summary>Pickles that nobody should open.</summary>
[TestFixture]
public class PickleMachineTests
{
    [TestCase("cos\nsystem\n", "os.system")]
    [TestCase("cbuiltins\neval\n", "builtins.eval")]
    [TestCase("c__builtin__\nexec\n", "__builtin__.exec")]
    [TestCase("csubprocess\nPopen\n", "subprocess.Popen")]
    [TestCase("ctorch\nload\n", "torch.load")]
    [TestCase("ctorch.storage\n_load_from_bytes\n", "torch.storage._load_from_bytes")]
    [TestCase("ccollections\nOrderedDict.__class__\n", "collections.OrderedDict.__class__")]
    [TestCase("cnumpy.core.multiarray\n_reconstruct\n", "numpy.core.multiarray._reconstruct")]
    public void Any_other_global_is_refused_by_name_before_it_is_used(string pickle, string name)
    {
        CheckpointException error = Refused(pickle + ".");
        Assert.That(error.Message,
            Does.Contain($"Its pickle asks for {name};").And.Contain("nothing in the file was executed").And.Contain("torch.save(model.state_dict()"));
    }

    [Test]
    public void A_global_named_on_the_stack_is_refused_as_well() =>
        Assert.That(Refused(Text("os") + Text("system") + "\u0093.").Message, Does.Contain("asks for os.system"));

    [TestCase("i", 0x69)]                                  // INST
    [TestCase("o", 0x6F)]                                  // OBJ
    [TestCase("\u0081", 0x81)]                             // NEWOBJ
    [TestCase("\u0092", 0x92)]                             // NEWOBJ_EX
    [TestCase("\u0082\u0001", 0x82)]                       // EXT1
    [TestCase("P", 0x50)]                                  // PERSID
    [TestCase("\u0097", 0x97)]                             // NEXT_BUFFER
    [TestCase("\u00FF", 0xFF)]
    public void Opcodes_that_make_objects_and_unknown_ones_are_refused(string pickle, int opcode) =>
        Assert.That(Refused(pickle).Message, Does.Contain($"uses the opcode 0x{opcode:X2} at 2"));

    [TestCase("ctorch\nFloatStorage\n)R.", "calls torch.FloatStorage with ()")]
    [TestCase("ctorch\nfloat32\n)R.", "calls torch.float32 with ()")]
    [TestCase("K\u0001)R.", "calls the number 1 with a tuple of 0")]
    [TestCase("ccollections\nOrderedDict\nK\u0001R.", "calls the global collections.OrderedDict with the number 1")]
    [TestCase("ccollections\nOrderedDict\n](K\u0001e\u0085R.", "makes an OrderedDict of the number 1; pairs are needed")]
    [TestCase("K\u0001}b.", "sets the state of the number 1")]
    [TestCase("K\u0001Q.", "refers to something outside itself that is no storage: the number 1")]
    [TestCase("(\u008C\u0006moduleNNNNtQ.", "that is no storage: a tuple of 5")]
    public void A_call_of_anything_but_a_constructor_is_refused(string pickle, string said) => Assert.That(Refused(pickle).Message, Does.Contain(said));

    [TestCase("", "wants 1 bytes")]
    [TestCase("0.", "a value is missing")]
    [TestCase("NN.", "1 values are left over")]
    [TestCase("t.", "a mark is missing")]
    [TestCase("(\u0085.", "a value is missing")]
    [TestCase("}NN(u.", "it")]
    [TestCase("N(NNu.", "entries are set in None")]
    [TestCase("}(Nu.", "a key has no value")]
    [TestCase("}Na.", "items are added to a dict of 0 entries")]
    [TestCase("h\u0005.", "asks for its memo 5")]
    [TestCase("X\u00FF\u00FF\u00FF\u007F.", "a text of 2147483647 bytes")]
    [TestCase("B\u00FF\u00FF\u00FF\u00FF.", "wants 4294967295 bytes")]
    [TestCase("\u008E\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF.", "wants 18446744073709551615 bytes")]
    [TestCase("\u008C\u0001\u00FF.", "not UTF-8")]
    [TestCase("cos", "does not end")]
    [TestCase("\u008A\u00FF.", "an integer of 255 bytes")]
    [TestCase("\u0080\u0001N.", "protocol 1")]
    public void A_pickle_that_makes_no_sense_is_refused(string pickle, string said) => Assert.That(Refused(pickle).Message, Does.Contain(said));

    [Test]
    public void Nesting_and_size_are_bounded()
    {
        Assert.That(Refused(new string('(', 1000)).Message, Does.Contain("nests deeper than 64 levels"));
        Assert.That(Refused(new string(']', 5_000_000)).Message, Does.Contain("more than 4000000 opcodes"));
        // A tuple of itself, doubled each time, would have 2^1000 items if it were ever walked.
        string bomb = ")" + string.Concat(Enumerable.Repeat("2\u0086", 1000)) + ".";
        Assert.That(Refused(bomb).Message, Does.Contain("It holds a tuple of 2"));
        // The largest memo index takes no more memory than the smallest.
        Assert.That(Refused("Nr\u00FF\u00FF\u00FF\u00FF.").Message, Does.Contain("It holds None"));
    }

    [Test]
    public void A_dict_that_holds_itself_is_described_and_not_walked() =>
        Assert.That(Refused("}q\u0001(\u008C\u0001ah\u0001u.").Problems, Is.EqualTo(new[] { "a is a dict of 1 entries." }));

    [Test]
    public void A_dict_of_Python_2_is_read()
    {
        string pairs = $"](]({Text("a")}{TwoFloats}ee";
        using TorchFile file = TorchFile.FromBytes(RawTorch.Build(OrderedDict + pairs + "\u0085R"));
        Assert.That(file.Weights.Keys, Is.EqualTo(new[] { "a" }));
    }

    [Test]
    public void A_tensor_of_an_untyped_storage_has_the_type_that_it_names()
    {
        string storage = Tuple(Text("storage"), "ctorch.storage\nUntypedStorage\n", Text("0"), Text("cpu"), Int(8)) + "Q";
        string tensor = "ctorch._utils\n_rebuild_tensor_v3\n"
            + Tuple(storage, Int(1), Tuple(Int(3)), Tuple(Int(1)), "\u0089", "}", "ctorch\nuint16\n", "N") + "R";
        using TorchFile file = TorchFile.FromBytes(RawTorch.Build(Dict(("a", tensor))));
        Assert.That(file.Weights["a"].ToString(), Is.EqualTo("a U16 [3]"));
        Assert.That(file.Weights["a"].ToInt64(), Is.EqualTo(new long[] { 0x0302, 0x0504, 0x0706 }));
    }

    private static CheckpointException Refused(string body) =>
        Assert.Throws<CheckpointException>(() => TorchFile.FromBytes(Archive("\u0080\u0002" + body)).Dispose())!;
}
