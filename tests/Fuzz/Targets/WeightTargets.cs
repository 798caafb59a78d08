using ManagedTransformers.Models;

namespace ManagedTransformers.Fuzz;

/// <summary>Files of tensors.</summary>
internal static class WeightTargets
{
    private static readonly string s_file = Scratch.File("weights");

    private static readonly JsonMutator s_header = new(
        "dtype", "shape", "data_offsets", "__metadata__", "F32", "BF16", "F16", "F64", "I64", "U8", "BOOL", "F8_E4M3", "managed_transformers.blocks",
        "managed_transformers.block_size", "managed_transformers.block_version", "int8", "int4", "32", "1");

    private static readonly PickleMutator s_pickle = new();
    private static readonly ByteMutator s_bytes = new("version https://git-lfs");
    private static readonly ZipMutator s_zip = new(name => name.EndsWith(".pkl", StringComparison.Ordinal) ? s_pickle : s_bytes);

    public static IEnumerable<FuzzTarget> All =>
    [
        new("safetensors-header", s_header, () => Files().Select(HeaderOf), input => SafetensorsHeader.Parse(input, "x")),
        new("safetensors", new SafetensorsMutator(s_header), Files, ReadSafetensors),
        new("shard-index", s_header, () => Seeds.Named("*.index.json"), input => ShardIndex.Parse(input, "x")),
        new("sharded-checkpoint", new BundleMutator(name => name.EndsWith(".json", StringComparison.Ordinal) ? s_header : new SafetensorsMutator(s_header)),
            Sharded, ReadCheckpoint),
        new("pickle", s_pickle, Pickles, ReadPickle),
        new("torch-zip", s_zip, Archives, ReadTorch),
        new("torch-legacy", s_pickle, () => [Seeds.Of("torch", "legacy.bin"), Seeds.Of("torch", "runs-legacy.bin")], ReadTorch),
    ];

    private static IEnumerable<byte[]> Files() =>
    [
        Seeds.Safetensors(null, Seeds.Tensor("a", ElementType.F32, 2, 3), Seeds.Tensor("b.weight", ElementType.I64)),
        Seeds.Safetensors(new Dictionary<string, string> { ["format"] = "pt", ["é"] = "" },
            [.. Enum.GetValues<ElementType>().Select(type => Seeds.Tensor($"t{type}", type, 2, 0 + (int)type % 3))]),
        Seeds.Safetensors(new Dictionary<string, string>
            {
                ["managed_transformers.blocks"] = "int8", ["managed_transformers.block_size"] = "32", ["managed_transformers.block_version"] = "1",
            },
            Seeds.Tensor("q", ElementType.U8, 2, 72), Seeds.Tensor("w", ElementType.BF16, 4)),
        Seeds.Safetensors(null),
    ];

    private static byte[] HeaderOf(byte[] file) => file[SafetensorsHeader.PrefixLength..(SafetensorsHeader.PrefixLength + BitConverter.ToInt32(file))];

    private static IEnumerable<byte[]> Archives() =>
        new[] { "zip.bin", "protocol4.bin", "runs.bin", "complex.bin", "tensor.bin", "training.bin" }.Select(name => Seeds.Of("torch", name));

    private static IEnumerable<byte[]> Pickles() => Archives().Select(file => ZipMutator.Read(file).First(entry =>
        entry.Name.EndsWith("data.pkl", StringComparison.Ordinal)).Bytes);

    private static IEnumerable<byte[]> Sharded()
    {
        yield return Bundle.Write(
            (Checkpoint.IndexFileName, Seeds.Utf8("""{"metadata":{"total_size":12},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}""")),
            ("model-1.safetensors", Seeds.Safetensors(null, Seeds.Tensor("a", ElementType.F32, 2))),
            ("model-2.safetensors", Seeds.Safetensors(null, Seeds.Tensor("b", ElementType.F16, 2))));
        yield return Bundle.Write((Checkpoint.SingleFileName, Files().First()));
        yield return Bundle.Write((Checkpoint.TorchFileName, Seeds.Of("torch", "runs.bin")));
        yield return Bundle.Write(
            (Checkpoint.TorchIndexFileName, Seeds.Utf8("""{"weight_map":{"w":"pytorch_model-1.bin"}}""")),
            ("pytorch_model-1.bin", Seeds.Of("torch", "runs.bin")));
    }

    private static void ReadSafetensors(byte[] input)
    {
        Oracle.Agree("Bytes and stream",
            () => DigestOf(SafetensorsFile.FromBytes(input)), () => DigestOf(SafetensorsFile.FromStream(new Unseekable(input))));
        using SafetensorsFile file = SafetensorsFile.FromBytes(input);
        if (input.Length % 16 == 0)             // files are slow
        {
            File.WriteAllBytes(s_file, input);
            Oracle.Agree("Mapped and read",
                () => DigestOf(SafetensorsFile.OpenFile(s_file, map: true)), () => DigestOf(SafetensorsFile.OpenFile(s_file, map: false)));
            Oracle.Require(DigestOf(SafetensorsFile.Open(s_file)) == DigestOf(file.Weights), "A file and its bytes hold other tensors");
        }
        using var saved = new MemoryStream();
        SafetensorsWriter.Write(saved, [.. file.Weights.Values.Select(weight => TensorEntry.Create(weight))], file.Metadata);
        using SafetensorsFile again = SafetensorsFile.FromBytes(saved.ToArray());
        Oracle.Require(DigestOf(again.Weights) == DigestOf(file.Weights), "What was written is not what was read");
        Oracle.Require(
            again.Metadata.SequenceEqual(file.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)), "Other metadata was written than read");
    }

    private static void ReadTorch(byte[] input)
    {
        using TorchFile file = TorchFile.FromBytes(input);
        string digest = DigestOf(file.Weights);
        if (input.Length % 16 != 0)
            return;
        File.WriteAllBytes(s_file, input);
        using TorchFile mapped = TorchFile.Open(s_file);
        Oracle.Require(DigestOf(mapped.Weights) == digest, "A file and its bytes hold other tensors");
    }

    private static void ReadPickle(byte[] input) => PickleValues.Describe(new PickleMachine(input, "x").Run());

    private static void ReadCheckpoint(byte[] input)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Bundle.Files(input);
        Oracle.Agree("Bytes and streams",
            () => DigestOf(Checkpoint.FromBytes(files)),
            () => DigestOf(Checkpoint.FromStreams(files.ToDictionary(file => file.Key, file => (Stream)new MemoryStream(file.Value.ToArray())))));
    }

    private static string DigestOf(SafetensorsFile file)
    {
        using (file)
            return DigestOf(file.Weights);
    }

    private static string DigestOf(Checkpoint file)
    {
        using (file)
            return DigestOf(file.Weights);
    }

    /// <summary>Names, types, shapes, and a hash of the bytes, which are all read.</summary>
    private static string DigestOf(IReadOnlyDictionary<string, Weight> weights)
    {
        var text = new System.Text.StringBuilder();
        byte[] block = new byte[1 << 12];
        foreach (Weight weight in weights.Values.OrderBy(weight => weight.Name, StringComparer.Ordinal))
        {
            var hash = new HashCode();
            int step = block.Length / weight.Type.Size() * weight.Type.Size();
            for (long at = 0; at < weight.ByteLength; at += step)
            {
                Span<byte> part = block.AsSpan(0, (int)Math.Min(step, weight.ByteLength - at));
                weight.CopyBytes(at, part);
                hash.AddBytes(part);
            }
            text.Append(weight).Append(' ').Append(hash.ToHashCode()).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>A stream that does not know its length, and gives a few bytes at a time.</summary>
    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 1000)]);
    }
}

/// <summary>Changes the header of a safetensors file as JSON and writes its length anew; or changes any bytes.</summary>
internal sealed class SafetensorsMutator(JsonMutator header) : Mutator
{
    private readonly ByteMutator _bytes = new();

    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        int length = input.Length < 8 ? -1 : BitConverter.ToInt32(input), otherLength = other.Length < 8 ? -1 : BitConverter.ToInt32(other);
        if (random.Next(4) == 0 || length < 0 || length > input.Length - 8)
            return _bytes.Change(random, input, other);
        byte[] donor = otherLength < 0 || otherLength > other.Length - 8 ? input : other[8..(8 + otherLength)];
        byte[] json = header.Change(random, input[8..(8 + length)], donor), data = input[(8 + length)..];
        if (random.Next(8) == 0)
            Array.Resize(ref data, (int)(ByteMutator.Edge(random) & 0xFFF));
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. data];
    }

    public override byte[] Grow(Random random, byte[] input, int length)
    {
        int headerLength = input.Length < 8 ? -1 : BitConverter.ToInt32(input);
        if (headerLength < 0 || headerLength > input.Length - 8)
            return base.Grow(random, input, length);
        byte[] json = header.Grow(random, input[8..(8 + headerLength)], length);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. input[(8 + headerLength)..]];
    }
}
