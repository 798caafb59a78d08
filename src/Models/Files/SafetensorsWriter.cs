using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Models;


/// <summary>How far a checkpoint is written.</summary>
/// <param name="TensorName">The tensor that was just completed.</param>
/// <param name="Bytes">Tensor bytes written, or checked, so far.</param>
/// <param name="TotalBytes">Tensor bytes in all.</param>
/// <param name="Checking">Whether what was written is read again and compared with the source, as a conversion does.</param>
public readonly record struct WriteProgress(string TensorName, long Bytes, long TotalBytes, bool Checking = false);

/// <summary>
/// Writes safetensors files as the safetensors library lays them out, byte for byte: header padded to 8 bytes, tensors from the widest type to
/// the narrowest and then by name. One tensor at a time is in memory.
/// </summary>
internal static class SafetensorsWriter
{
    /// <summary>
    /// Writes a file as a <see cref="PendingFile"/>, so that no partial file is ever seen; an existing one is replaced. If it is cancelled nothing is left
    /// behind.
    /// </summary>
    /// <exception cref="ArgumentException">Two tensors have one name, or a name is not valid Unicode.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote another number of bytes than its shape needs.</exception>
    /// <exception cref="IOException">The disk is full, the directory missing, …</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Write(string path, IReadOnlyCollection<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<WriteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var file = new PendingFile(path);
        Write(file.Stream, tensors, metadata, progress, cancellationToken);
        file.Complete();
        file.Publish();
    }

    /// <summary>Writes a file to a stream, front to back; the stream need not seek and is not disposed.</summary>
    public static void Write(Stream stream, IReadOnlyCollection<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<WriteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        RequireDistinctNames(tensors);
        Write(stream, tensors, metadata, new WriteTally(progress, tensors.Sum(tensor => tensor.ByteLength)), cancellationToken);
    }

    internal static void Write(Stream stream, IEnumerable<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata, WriteTally tally,
        CancellationToken cancellationToken)
    {
        TensorEntry[] ordered = [.. tensors.OrderByDescending(tensor => tensor.Type).ThenBy(tensor => tensor.Name, StringComparer.Ordinal)];
        SafetensorsHeaderWriter.Write(stream, ordered, metadata);
        foreach (TensorEntry tensor in ordered)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var exact = new ExactLengthStream(stream, tensor);
            tensor.WriteTo(exact, cancellationToken);
            exact.RequireComplete();
            tally.Add(tensor);
        }
    }

    /// <exception cref="ArgumentException">Two tensors have one name.</exception>
    internal static void RequireDistinctNames(IReadOnlyCollection<TensorEntry> tensors)
    {
        var seen = new HashSet<string>(tensors.Count, StringComparer.Ordinal);
        foreach (TensorEntry tensor in tensors)
            if (!seen.Add(tensor.Name)) throw new ArgumentException($"Two tensors are named {tensor.Name}; names must be unique.", nameof(tensors));
    }
}

/// <summary>Writes the header of a safetensors file; the counterpart of <see cref="SafetensorsHeader"/>.</summary>
internal static class SafetensorsHeaderWriter
{
    private const int Alignment = 8;                       // where the data starts, so that a mapped file keeps it aligned

    private static readonly JsonWriterOptions Style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Length, JSON, spaces; the tensors in the order in which their bytes will follow. Empty metadata is left out.</summary>
    /// <exception cref="ArgumentException">The header is too long, or a name is not valid Unicode.</exception>
    public static void Write(Stream stream, TensorEntry[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var header = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(header, Style))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 }) WriteMetadata(json, metadata);
            long begin = 0;
            foreach (TensorEntry tensor in tensors)
            {
                WriteTensorInfo(json, tensor, begin);
                begin += tensor.ByteLength;
            }
            json.WriteEndObject();
        }
        while (header.WrittenCount % Alignment != 0) header.Write(" "u8);
        if (header.WrittenCount > SafetensorsHeader.MaxLength)
            throw new ArgumentException(
                $"The header of {tensors.Length} tensors takes {header.WrittenCount} bytes; at most {SafetensorsHeader.MaxLength} are allowed. Write shards.",
                nameof(tensors));
        Span<byte> length = stackalloc byte[SafetensorsHeader.PrefixLength];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.WrittenCount);
        stream.Write(length);
        stream.Write(header.WrittenSpan);
    }

    private static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string> metadata)
    {
        json.WriteStartObject(SafetensorsHeader.MetadataName);
        foreach ((string key, string value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            json.WriteString(StrictUtf8.GetBytes(key), StrictUtf8.GetBytes(value));
        json.WriteEndObject();
    }

    private static void WriteTensorInfo(Utf8JsonWriter json, TensorEntry tensor, long begin)
    {
        json.WriteStartObject(StrictUtf8.GetBytes(tensor.Name));
        json.WriteString("dtype"u8, tensor.Type.SafetensorsName());
        json.WriteStartArray("shape"u8);
        foreach (long dimension in tensor.Shape) json.WriteNumberValue(dimension);
        json.WriteEndArray();
        json.WriteStartArray("data_offsets"u8);
        json.WriteNumberValue(begin);
        json.WriteNumberValue(begin + tensor.ByteLength);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}

/// <summary>Which tensors go into which file, filled in order; the counterpart of <see cref="ShardIndex"/>.</summary>
internal sealed class ShardPlan
{
    private static readonly JsonWriterOptions Style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true };

    public ShardPlan(IEnumerable<TensorEntry> tensors, long maxShardSize)
    {
        Shards = Split(tensors, maxShardSize);
        FileNames = IsSharded
            ? [.. Enumerable.Range(1, Shards.Count).Select(i => $"model-{i:D5}-of-{Shards.Count:D5}.safetensors")]
            : [Checkpoint.SingleFileName];
    }

    public List<List<TensorEntry>> Shards { get; }
    public IReadOnlyList<string> FileNames { get; }
    public bool IsSharded => Shards.Count > 1;

    public void WriteIndex(Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, Style);
        json.WriteStartObject();
        json.WriteStartObject("metadata"u8);
        json.WriteNumber("total_size"u8, Shards.Sum(shard => shard.Sum(tensor => tensor.ByteLength)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map"u8);
        var files = Shards.Zip(FileNames, (shard, file) => shard.Select(tensor => (tensor.Name, File: file))).SelectMany(pairs => pairs);
        foreach ((string tensor, string file) in files.OrderBy(pair => pair.Name, StringComparer.Ordinal)) json.WriteString(tensor, file);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static List<List<TensorEntry>> Split(IEnumerable<TensorEntry> tensors, long maxShardSize)
    {
        var shards = new List<List<TensorEntry>> { new() };
        long size = 0;
        foreach (TensorEntry tensor in tensors)
        {
            if (shards[^1].Count > 0 && size + tensor.ByteLength > maxShardSize)
            {
                shards.Add([]);
                size = 0;
            }
            shards[^1].Add(tensor);
            size += tensor.ByteLength;
        }
        return shards;
    }
}
