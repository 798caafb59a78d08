using System.Text;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models.Tests;

/// <summary>Every rule of the format, broken once, in every way of opening a file.</summary>
[TestFixture]
public class SafetensorsValidationTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void CreateDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void A_good_file_opens([Values] Way way)
    {
        using SafetensorsFile file = way.Open(RawSafetensors.Build(RawSafetensors.TwoTensors, 12), _directory);
        Assert.That(file.Weights.Keys, Is.EqualTo(new[] { "a", "b" }));
        Assert.That(file.Weights["b"].Bytes.ToArray(), Is.EqualTo(new byte[] { 8, 9, 10, 11 }));
    }

    [TestCase("  ")]
    [TestCase("\t\r\n ")]
    public void White_space_after_the_header_is_padding(string padding)
    {
        using SafetensorsFile file = Way.Bytes.Open(RawSafetensors.Build(RawSafetensors.TwoTensors + padding, 12), _directory);
        Assert.That(file.Weights, Has.Count.EqualTo(2));
    }

    [Test]
    public void An_empty_header_object_is_a_file_without_tensors([Values] Way way)
    {
        using SafetensorsFile file = way.Open(RawSafetensors.Build("{}", 0), _directory);
        Assert.That(file.Weights, Is.Empty);
        Assert.That(file.Metadata, Is.Empty);
    }

    [Test]
    public void A_tensor_without_elements_takes_no_bytes([Values] Way way)
    {
        using SafetensorsFile file = way.Open(RawSafetensors.Build(
            """{"none":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]},"one":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", 4), _directory);
        Assert.That(file.Weights["none"].Bytes.Length, Is.Zero);
        Assert.That(file.Weights["one"].ElementCount, Is.EqualTo(1));
    }

    [TestCase("int8", WeightType.Int8)]
    [TestCase("int4", WeightType.Int4)]
    public void Matrices_of_bytes_hold_the_blocks_that_the_metadata_names(string blocks, WeightType type)
    {
        const string Key = "managed_transformers.block";
        string metadata = $"""
            "{Key}s":"{blocks}","{Key}_size":"32","{Key}_version":"1"
            """;
        string vector = """
            "vector":{"dtype":"U8","shape":[2],"data_offsets":[12,14]}
            """;
        byte[] bytes = RawSafetensors.Build($"{{\"__metadata__\":{{{metadata}}},{vector},{RawSafetensors.TwoTensors[1..]}", 14);
        foreach (Way way in Enum.GetValues<Way>())
        {
            using SafetensorsFile file = way.Open(bytes, _directory);
            Assert.That(file.Weights.ToDictionary(weight => weight.Key, weight => weight.Value.BlockType),
                Is.EquivalentTo(new Dictionary<string, WeightType?> { ["a"] = null, ["b"] = type, ["vector"] = null }), $"{way}");
        }
    }

    [Test]
    public void A_tensor_has_64_axes_at_most()
    {
        using SafetensorsFile file = Way.Bytes.Open(RawSafetensors.Build(Ones(64), 4), _directory);
        Assert.That(file.Weights["a"].Shape, Has.Count.EqualTo(64));
        Refused(Way.Bytes, RawSafetensors.Build(Ones(65), 4), "a in ", "shape has more than 64 numbers");
        Assert.That(() => TensorEntry.Create("a", Enumerable.Repeat(1L, 65).ToArray(), new float[1]),
            Throws.ArgumentException.With.Message.Contains("65 dimensions").And.Message.Contains("at most 64"));

        static string Ones(int axes) =>
            $$$"""{"a":{"dtype":"F32","shape":[{{{string.Join(',', Enumerable.Repeat(1, axes))}}}],"data_offsets":[0,4]}}""";
    }

    [Test]
    public void A_file_of_0_to_7_bytes_is_refused([Values] Way way, [Values(0, 1, 7)] int length) =>
        Refused(way, new byte[length], $"{length} bytes", "starts with 8 bytes");

    [Test]
    public void A_header_longer_than_the_file_is_refused([Values] Way way, [Values(113, 100_000_000)] int claimed) =>
        Refused(way, RawSafetensors.Build(RawSafetensors.TwoTensors[..100], 12, claimed), $"claims to be {claimed} bytes", "only 112 follow");

    [Test]
    public void A_header_over_100_MB_is_refused([Values] Way way, [Values(100_000_001, long.MaxValue, -1)] long claimed) =>
        Refused(way, RawSafetensors.Build(RawSafetensors.TwoTensors, 12, claimed), $"claims to be {(ulong)claimed} bytes", "at most 100000000");

    [Test]
    public void A_truncated_file_is_refused_and_names_the_first_tensor_cut([Values] Way way)
    {
        CheckpointException error = Refused(way, RawSafetensors.Build(RawSafetensors.TwoTensors, 9), "b in model.safetensors",
            "truncated", "9 bytes", "need 12");
        Assert.That(error.TensorName, Is.EqualTo("b"));
    }

    [Test]
    public void Bytes_left_over_are_refused([Values] Way way) =>
        Refused(way, RawSafetensors.Build(RawSafetensors.TwoTensors, 13), "cover", "12", "left over");

    [TestCase("", "header is empty")]
    [TestCase(" {}", "byte 0x20")]
    [TestCase("[]", "byte 0x5B")]
    [TestCase("{", "not valid JSON")]
    [TestCase("{} x", "not valid JSON")]
    [TestCase("{}{}", "not valid JSON")]
    [TestCase("{}\0", "not valid JSON")]
    [TestCase("""{"a":1}""", "Found 1; needed is an object")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],},}""", "not valid JSON")]
    [TestCase("""{"\ud800":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""", "not valid JSON")]
    [TestCase("""{"__metadata__":[]}""", "Found an array; needed is __metadata__ as an object")]
    [TestCase("""{"__metadata__":{"format":1}}""", "Found 1; needed is __metadata__.format as a string")]
    [TestCase("""{"__metadata__":{"format":null}}""", "Found null")]
    [TestCase("""{"__metadata__":{"a":"1","a":"1"}}""", "\"a\" twice")]
    [TestCase("""{"__metadata__":{},"__metadata__":{}}""", "\"__metadata__\" is in the header twice")]
    public void A_bad_header_is_refused(string header, string said) => Refused(Way.Bytes, RawSafetensors.Build(header, 1), said);

    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"F32"}""", "dtype is there twice")]
    [TestCase("""{"shape":[1],"shape":[1],"dtype":"F32","data_offsets":[0,4]}""", "shape is there twice")]
    [TestCase("""{"shape":[1],"dtype":"F32","data_offsets":[0,4],"data_offsets":[0,4]}""", "data_offsets is there twice")]
    [TestCase("""{"shape":[1],"data_offsets":[0,4]}""", "dtype is missing")]
    [TestCase("""{"dtype":"F32","data_offsets":[0,4]}""", "shape is missing")]
    [TestCase("""{"dtype":"F32","shape":[1]}""", "data_offsets is missing")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}""", "Unknown field \"strides\"")]
    [TestCase("""{"dtype":"F33","shape":[1],"data_offsets":[0,4]}""", "Unknown dtype \"F33\"; known are U64")]
    [TestCase("""{"dtype":"f32","shape":[1],"data_offsets":[0,4]}""", "Unknown dtype \"f32\"")]
    [TestCase("""{"dtype":32,"shape":[1],"data_offsets":[0,4]}""", "Found 32; needed is the dtype")]
    [TestCase("""{"dtype":"F32","shape":1,"data_offsets":[0,4]}""", "Found 1; needed is shape as an array")]
    [TestCase("""{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}""", "shape contains -1")]
    [TestCase("""{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}""", "shape contains 1.0")]
    [TestCase("""{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}""", "shape contains a string")]
    [TestCase("""{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}""", "shape contains an array")]
    [TestCase("""{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}""", "shape contains 9223372036854775808")]
    [TestCase("""{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}""", "[4294967296, 4294967296] is more than 2^63 - 1 bytes")]
    [TestCase("""{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}""", "more than 2^63 - 1 bytes")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}""", "data_offsets contains -4")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}""", "data_offsets contains 18446744073709551615")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[4,0]}""", "[4, 0] end before they begin")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[0]}""", "has 1 numbers; needed are 2")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}""", "has 3 numbers; needed are 2")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[0,3]}""", "[0, 3] are 3 bytes; F32 [1] needs 4")]
    [TestCase("""{"dtype":"F16","shape":[1],"data_offsets":[0,4]}""", "[0, 4] are 4 bytes; F16 [1] needs 2")]
    [TestCase("""{"dtype":"F32","shape":[1],"data_offsets":[1,5]}""", "begins at 1, but the header ends at 0: there must be no gap")]
    public void A_bad_tensor_is_refused_by_name(string tensor, string said)
    {
        CheckpointException error = Refused(Way.Bytes, RawSafetensors.Build("{\"bad.weight\":" + tensor + "}", 4), "bad.weight in model.safetensors: ", said);
        Assert.That(error.TensorName, Is.EqualTo("bad.weight"));
    }

    [TestCase("[0,4]", "[2,6]", "b in model.safetensors: It begins at 2, inside a, which ends at 4")]
    [TestCase("[0,4]", "[0,4]", "b in model.safetensors: It begins at 0, inside a, which ends at 4")]
    [TestCase("[0,4]", "[5,9]", "b in model.safetensors: It begins at 5, but a ends at 4: there must be no gap")]
    [TestCase("[5,9]", "[0,4]", "a in model.safetensors: It begins at 5, but b ends at 4: there must be no gap")]
    public void Overlaps_and_gaps_are_refused(string a, string b, string said) => Refused(Way.Bytes, RawSafetensors.Build(
        $$$"""{"a":{"dtype":"F32","shape":[1],"data_offsets":{{{a}}}},"b":{"dtype":"F32","shape":[1],"data_offsets":{{{b}}}}}""", 9), said);

    [Test]
    public void A_duplicate_tensor_is_refused([Values] Way way) => Refused(way, RawSafetensors.WithTensors("x", "x"), "\"x\" is in the header twice");

    [Test]
    public void Names_that_differ_only_by_an_escape_are_duplicates() =>
        Refused(Way.Bytes, RawSafetensors.Build(
            """{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0078":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2),
            "\"x\" is in the header twice");

    [Test]
    public void Invalid_UTF_8_is_refused([Values] Way way)
    {
        byte[] header = Encoding.UTF8.GetBytes(RawSafetensors.TwoTensors);
        header[2] = 0xFF;
        Refused(way, RawSafetensors.Build(header, 12), "not valid UTF-8");
    }

    [Test]
    public void A_header_that_nests_without_end_is_refused() =>
        Refused(Way.Bytes, RawSafetensors.Build("{\"a\":" + new string('[', 100_000), 0), "needed is an object");

    [Test]
    public void A_stream_that_claims_gigabytes_takes_no_memory_for_them()
    {
        byte[] file = RawSafetensors.Build("""{"a":{"dtype":"U8","shape":[2000000000],"data_offsets":[0,2000000000]}}""", 100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(Way.Network, file, "a in model.safetensors", "100 bytes follow");
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(8 << 20));
        Refused(Way.Network, RawSafetensors.Build("""{"a":{"dtype":"U8","shape":[1000000000000],"data_offsets":[0,1000000000000]}}""", 100), "open it there");
    }

    [Test]
    public void A_long_name_from_the_file_is_cut_in_the_message()
    {
        CheckpointException error = Refused(Way.Bytes, RawSafetensors.WithTensors(new string('n', 10_000), new string('n', 10_000)), "twice");
        Assert.That(error.Message, Has.Length.LessThan(500));
    }

    private CheckpointException Refused(Way way, byte[] file, params string[] said)
    {
        var error = Assert.Throws<CheckpointException>(() => way.Open(file, _directory).Dispose())!;
        foreach (string part in said) Assert.That(error.Message, Does.Contain(part));
        Assert.That(error.Message, Does.Contain("model.safetensors"));
        Assert.That(error.FileName, Is.EqualTo("model.safetensors"));
        Assert.That(error.Problems, Has.Count.EqualTo(1));
        return error;
    }
}
