using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Models;

/// <summary>How far a checkpoint is written.</summary>
/// <param name="TensorName">The tensor that was just completed.</param>
/// <param name="BytesWritten">Tensor bytes written so far.</param>
/// <param name="BytesTotal">Tensor bytes in all.</param>
public readonly record struct WriteProgress(string TensorName, long BytesWritten, long BytesTotal);

/// <summary>
/// Writes safetensors files as the safetensors library lays them out, byte for byte: header padded to 8 bytes, tensors from the widest type to
/// the narrowest and then by name. One tensor at a time is in memory.
/// </summary>
public static class SafetensorsWriter
{
    private static readonly JsonWriterOptions HeaderStyle = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonWriterOptions IndexStyle = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true };
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Writes a file under a temporary name beside its place and renames it when it is complete, so that no half file is ever seen.</summary>
    /// <param name="path">The file; an existing one is replaced.</param>
    /// <param name="tensors">What to write, in any order.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, such as format = pt.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Ends the writing; nothing is left behind.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or a name is not valid Unicode.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote another number of bytes than its shape needs.</exception>
    /// <exception cref="IOException">The disk is full, the directory missing, …</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Write(
        string path,
        IReadOnlyCollection<TensorEntry> tensors,
        IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<WriteProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        using var file = new PendingFile(path);
        Write(file.Stream, tensors, metadata, progress, cancellationToken);
        file.Complete();
        file.Publish();
    }

    /// <summary>Writes a file to a stream, front to back; the stream need not seek and is not disposed.</summary>
    /// <inheritdoc cref="Write(string, IReadOnlyCollection{TensorEntry}, IReadOnlyDictionary{string, string}?, IProgress{WriteProgress}?, CancellationToken)"/>
    public static void Write(
        Stream stream,
        IReadOnlyCollection<TensorEntry> tensors,
        IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<WriteProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(tensors);
        RequireDistinctNames(tensors);
        Write(stream, tensors, metadata, new WriteTally(progress, tensors.Sum(tensor => tensor.ByteLength)), cancellationToken);
    }

    /// <summary>
    /// Writes <c>model.safetensors</c>, or, where the tensors take more than one shard, <c>model-00001-of-0000N.safetensors</c> … and the index.
    /// All files are written under temporary names first; the index gets its name last.
    /// </summary>
    /// <param name="directory">An existing directory.</param>
    /// <param name="tensors">What to write; shards are filled in this order.</param>
    /// <param name="maxShardSize">Tensor bytes per file; a single larger tensor gets a file of its own.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c> of every file.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Ends the writing; nothing is left behind.</param>
    /// <returns>The names of the files with tensors, without the index.</returns>
    /// <inheritdoc cref="Write(string, IReadOnlyCollection{TensorEntry}, IReadOnlyDictionary{string, string}?, IProgress{WriteProgress}?, CancellationToken)" path="/exception"/>
    public static IReadOnlyList<string> WriteSharded(
        string directory,
        IReadOnlyCollection<TensorEntry> tensors,
        long maxShardSize,
        IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<WriteProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxShardSize);
        RequireDistinctNames(tensors);
        List<List<TensorEntry>> shards = Split(tensors, maxShardSize);
        string single = Path.Combine(directory, Checkpoint.SingleFileName);
        if (shards.Count > 1 && File.Exists(single))
            throw new IOException($"{single} is there, and would be read instead of the {shards.Count} shards to be written. Delete it, or write to an empty directory.");

        string[] names = shards.Count == 1
            ? [Checkpoint.SingleFileName]
            : [.. Enumerable.Range(1, shards.Count).Select(i => $"model-{i:D5}-of-{shards.Count:D5}.safetensors")];
        var pending = new List<PendingFile>();
        try
        {
            var tally = new WriteTally(progress, tensors.Sum(tensor => tensor.ByteLength));
            for (int i = 0; i < shards.Count; i++)
            {
                pending.Add(new PendingFile(Path.Combine(directory, names[i])));
                Write(pending[i].Stream, shards[i], metadata, tally, cancellationToken);
                pending[i].Complete();
            }

            if (shards.Count > 1)
            {
                pending.Add(new PendingFile(Path.Combine(directory, Checkpoint.IndexFileName)));
                pending[^1].Stream.Write(Index(shards, names).WrittenSpan);
                pending[^1].Complete();
            }

            foreach (PendingFile file in pending) file.Publish();
        }
        finally
        {
            foreach (PendingFile file in pending) file.Dispose();
        }

        return names;
    }

    private static void Write(
        Stream stream, IEnumerable<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata, WriteTally tally, CancellationToken cancellationToken)
    {
        TensorEntry[] ordered = [.. tensors.OrderByDescending(tensor => tensor.Type).ThenBy(tensor => tensor.Name, StringComparer.Ordinal)];
        WriteHeader(stream, ordered, metadata);
        foreach (TensorEntry tensor in ordered)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var exact = new ExactLengthStream(stream, tensor);
            tensor.WriteTo(exact, cancellationToken);
            exact.RequireComplete();
            tally.Add(tensor);
        }
    }

    private static void WriteHeader(Stream stream, TensorEntry[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var header = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(header, HeaderStyle))
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

        while (header.WrittenCount % 8 != 0) header.Write(" "u8);
        if (header.WrittenCount > SafetensorsHeader.MaxLength)
            throw new ArgumentException(
                $"The header of {tensors.Length} tensors takes {header.WrittenCount} bytes; at most {SafetensorsHeader.MaxLength} are allowed. Write shards.", nameof(tensors));
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

    private static ArrayBufferWriter<byte> Index(List<List<TensorEntry>> shards, string[] names)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, IndexStyle);
        json.WriteStartObject();
        json.WriteStartObject("metadata"u8);
        json.WriteNumber("total_size"u8, shards.Sum(shard => shard.Sum(tensor => tensor.ByteLength)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map"u8);
        foreach ((string tensor, string file) in shards.Zip(names).SelectMany(pair => pair.First.Select(tensor => (tensor.Name, pair.Second))).OrderBy(pair => pair.Name, StringComparer.Ordinal))
            json.WriteString(tensor, file);
        json.WriteEndObject();
        json.WriteEndObject();
        return buffer;
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

    private static void RequireDistinctNames(IReadOnlyCollection<TensorEntry> tensors)
    {
        var seen = new HashSet<string>(tensors.Count, StringComparer.Ordinal);
        foreach (TensorEntry tensor in tensors)
            if (!seen.Add(tensor.Name)) throw new ArgumentException($"Two tensors are named {tensor.Name}; names must be unique.", nameof(tensors));
    }
}
