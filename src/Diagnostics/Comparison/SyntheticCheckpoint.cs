using System.Buffers.Binary;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Diagnostics;

/// <summary>Rebuilds a checkpoint from <c>weights.json</c>: a seed and, per tensor, a centre and a half width between which its numbers are spread by a hash of
/// name and index. So checkpoints of real size can be compared without shipping them.</summary>
/// <remarks>The arithmetic is stated in tests/data/reference/README.md: FNV-1a of the name, splitmix64 of the index.</remarks>
public static class SyntheticCheckpoint
{
    /// <summary>The file that specifies the weights.</summary>
    public const string SpecificationFileName = "weights.json";

    private const int ChunkElements = 1 << 16;

    /// <summary>Writes config.json and model.safetensors, or shards of 5 GB and their index, as the specification in <paramref name="caseDirectory"/>
    /// says.</summary>
    /// <param name="caseDirectory">A folder with config.json and weights.json.</param>
    /// <param name="directory">Where the checkpoint goes; created where it is missing.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Ends the writing; no half file is left.</param>
    /// <exception cref="CheckpointException">weights.json is broken, or names a type other than F32, F16 and BF16.</exception>
    /// <exception cref="IOException">A file is missing or cannot be written.</exception>
    public static void Write(
        string caseDirectory, string directory, IProgress<WriteProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Write(caseDirectory, directory, new ConversionOptions().MaxShardSize, progress, cancellationToken);

    /// <summary>The same in shards of a given size.</summary>
    internal static void Write(
        string caseDirectory, string directory, long maxShardSize, IProgress<WriteProgress>? progress, CancellationToken cancellationToken)
    {
        string path = Path.Combine(caseDirectory, SpecificationFileName);
        WeightSpecification specification = Parse(File.ReadAllBytes(path), path);
        byte[] config = File.ReadAllBytes(Path.Combine(caseDirectory, ConfigJson.FileName));
        TensorEntry[] tensors = [.. specification.Tensors.Select(tensor => Entry(tensor, specification, path, cancellationToken))];
        using var files = new PendingDirectory(directory);
        RequireRoom(tensors, directory, path);
        files.Add(ConfigJson.FileName, stream => stream.Write(config));
        SafetensorsWriter.RequireDistinctNames(tensors);
        var shards = new ShardPlan(tensors, maxShardSize);
        var tally = new WriteTally(progress, tensors.Sum(tensor => tensor.ByteLength));
        foreach ((string name, List<TensorEntry> shard) in shards.FileNames.Zip(shards.Shards))
            files.Add(name, stream => SafetensorsWriter.Write(stream, shard, metadata: null, tally, cancellationToken));
        if (shards.IsSharded) files.Add(Checkpoint.IndexFileName, shards.WriteIndex);
        files.Publish(replaces: true, ConversionTarget.IsWeightFile);
    }

    /// <summary>Element <paramref name="index"/> of a tensor, before it is rounded to the stored type.</summary>
    internal static float Value(ulong key, long index, double center, double halfWidth)
    {
        ulong z = key + (ulong)index * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        double u = (z >> 40) / (double)(1 << 24);
        return (float)(center + halfWidth * (2 * u - 1));
    }

    /// <summary>FNV-1a of the name, mixed with the seed.</summary>
    internal static ulong Key(string name, ulong seed)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte b in System.Text.Encoding.UTF8.GetBytes(name))
            hash = (hash ^ b) * 0x100000001B3;
        return hash ^ seed;
    }

    /// <summary>A few bytes of specification can ask for any size: told now, not when the disk is full.</summary>
    private static void RequireRoom(TensorEntry[] tensors, string directory, string path)
    {
        double needed = tensors.Sum(tensor => (double)tensor.ByteLength);
        long free = new DriveInfo(Path.GetFullPath(directory)).AvailableFreeSpace;
        if (needed > free)
            throw new IOException($"The weights of {path} need {needed:0} bytes; {free} are free where {directory} is. Make room, or check the specification.");
    }

    private static TensorEntry Entry(TensorSpecification? tensor, WeightSpecification specification, string path, CancellationToken cancellationToken)
    {
        if (tensor is null)
            throw new CheckpointException($"{path}: an entry of tensors is null; an object with name, shape, center and half_width is needed.");
        ElementType type = specification.Dtype switch
        {
            "F32" => ElementType.F32,
            "F16" => ElementType.F16,
            "BF16" => ElementType.BF16,
            _ => throw new CheckpointException($"{path}: dtype is {specification.Dtype}; F32, F16 or BF16 is needed."),
        };
        ulong key = Key(tensor.Name, specification.Seed);
        return new TensorEntry(tensor.Name, type, tensor.Shape, stream => WriteElements(stream, tensor, key, type, cancellationToken));
    }

    private static void WriteElements(Stream stream, TensorSpecification tensor, ulong key, ElementType type, CancellationToken cancellationToken)
    {
        long count = tensor.Shape.Aggregate(1L, (product, size) => checked(product * size));
        var buffer = new byte[ChunkElements * type.Size()];
        for (long start = 0; start < count; start += ChunkElements)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = (int)Math.Min(ChunkElements, count - start);
            for (int i = 0; i < length; i++)
                Store(buffer.AsSpan(i * type.Size()), type, Value(key, start + i, tensor.Center, tensor.HalfWidth));
            stream.Write(buffer.AsSpan(0, length * type.Size()));
        }
    }

    private static void Store(Span<byte> place, ElementType type, float value)
    {
        switch (type)
        {
            case ElementType.F32:
                BinaryPrimitives.WriteSingleLittleEndian(place, value);
                break;
            case ElementType.F16:
                BinaryPrimitives.WriteHalfLittleEndian(place, (Half)value);
                break;
            default:
                uint bits = BitConverter.SingleToUInt32Bits(value);
                BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));       // to nearest, ties to even
                break;
        }
    }

    private static WeightSpecification Parse(byte[] json, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(json, SpecificationJsonContext.Default.WeightSpecification)
                ?? throw new CheckpointException($"{path} is the JSON value null; an object with seed, dtype and tensors is needed.");
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{path} cannot be read: {e.Message}", e);
        }
    }
}

internal sealed record WeightSpecification(ulong Seed, string Dtype, IReadOnlyList<TensorSpecification> Tensors);

internal sealed record TensorSpecification(string Name, IReadOnlyList<long> Shape, double Center, double HalfWidth);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(WeightSpecification))]
internal sealed partial class SpecificationJsonContext : JsonSerializerContext;
