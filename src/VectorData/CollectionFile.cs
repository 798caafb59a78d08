using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.VectorData.ProviderServices;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>A collection as a safetensors file, which Python's safetensors reads as well. A vector that is missing is a row of NaN.</summary>
internal sealed class CollectionFile<TKey, TRecord>(string name, CollectionModel model, JsonSerializerOptions json)
    where TKey : notnull
    where TRecord : class
{
    private const string Records = "__records__", Format = "managed-transformers-collection";
    private const int MaxHeader = 1 << 20;

    private IEnumerable<PropertyModel> Values =>
        model.Properties.Where(property => property is not VectorPropertyModel || !VectorTypes.IsVector(property.Type));

    public void Save(VectorTable<TKey, TRecord> table, string path, CancellationToken cancellationToken)
    {
        using var file = new PendingFile(path);
        // Room for the greatest numbers: how long the records are is known when they are written.
        int room = Header(table.Count, long.MaxValue / 2, 0).Length;
        file.Stream.Position = sizeof(long) + room;
        WriteVectors(table, file.Stream, cancellationToken);
        long records = WriteRecords(table, file.Stream, cancellationToken);
        file.Stream.Position = 0;
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, room);
        file.Stream.Write(length);
        file.Stream.Write(Header(table.Count, records, room));
        file.Complete();
        file.Publish();
    }

    /// <exception cref="InvalidDataException">The file is no such file, is truncated, is of a collection with other properties, or has a vector that no
    /// collection takes.</exception>
    public VectorRow<TKey, TRecord>[] Load(string path, CancellationToken cancellationToken)
    {
        using FileStream file = File.OpenRead(path);
        try
        {
            (int rows, long records) = ReadHeader(file, path);
            var vectors = new ReadOnlyMemory<float>?[rows][];
            for (int row = 0; row < rows; row++)
                vectors[row] = new ReadOnlyMemory<float>?[model.VectorProperties.Count];
            for (int p = 0; p < model.VectorProperties.Count; p++)
                ReadVectors(file, vectors, p, cancellationToken);
            return ReadRecords(file, path, vectors, records, cancellationToken);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"{path} ends after {file.Length} bytes, before what its header says. Save the collection again.", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new InvalidDataException($"{path} is no collection that this store has saved: {e.Message}", e);
        }
    }

    private byte[] Header(int rows, long recordBytes, int length)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("__metadata__");
            writer.WriteString("format", Format);
            writer.WriteString("collection", name);
            writer.WriteEndObject();
            long at = 0;
            foreach (VectorPropertyModel property in model.VectorProperties)
                WriteTensor(writer, property.StorageName, "F32", [rows, property.Dimensions], ref at, (long)rows * property.Dimensions * sizeof(float));
            WriteTensor(writer, Records, "U8", [recordBytes], ref at, recordBytes);
            writer.WriteEndObject();
        }
        while (stream.Length < length || stream.Length % sizeof(long) != 0)
            stream.WriteByte((byte)' ');
        return stream.ToArray();
    }

    private static void WriteTensor(Utf8JsonWriter writer, string tensor, string type, ReadOnlySpan<long> shape, ref long at, long bytes)
    {
        writer.WriteStartObject(tensor);
        writer.WriteString("dtype", type);
        writer.WriteStartArray("shape");
        foreach (long size in shape)
            writer.WriteNumberValue(size);
        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(at);
        writer.WriteNumberValue(at += bytes);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private void WriteVectors(VectorTable<TKey, TRecord> table, Stream file, CancellationToken cancellationToken)
    {
        for (int p = 0; p < model.VectorProperties.Count; p++)
        {
            for (int block = 0; block < table.Vectors(p).Blocks; block++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                file.Write(MemoryMarshal.AsBytes(table.Vectors(p).Block(block).Vectors.Span));
            }
        }
    }

    private long WriteRecords(VectorTable<TKey, TRecord> table, Stream file, CancellationToken cancellationToken)
    {
        long start = file.Position;
        for (int row = 0; row < table.Count; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using (var writer = new Utf8JsonWriter(file))
            {
                writer.WriteStartObject();
                foreach (PropertyModel property in Values)
                {
                    writer.WritePropertyName(property.StorageName);
                    JsonSerializer.Serialize(writer, property.GetValueAsObject(table.Record(row)), json.GetTypeInfo(property.Type));
                }
                writer.WriteEndObject();
            }
            file.WriteByte((byte)'\n');
        }
        return file.Position - start;
    }

    private (int Rows, long RecordBytes) ReadHeader(FileStream file, string path)
    {
        Span<byte> length = stackalloc byte[sizeof(long)];
        file.ReadExactly(length);
        long size = BinaryPrimitives.ReadInt64LittleEndian(length);
        if (size is < 2 or > MaxHeader)
            throw new InvalidDataException($"{path} has a header of {size} bytes; a collection's has at most {MaxHeader}. It is no file of this store.");
        var header = new byte[size];
        file.ReadExactly(header);
        using JsonDocument document = JsonDocument.Parse(header);
        JsonElement root = document.RootElement;
        if (root.GetProperty("__metadata__").GetProperty("format").GetString() != Format)
            throw new InvalidDataException($"{path} has no format \"{Format}\" in its metadata. It is no file of this store.");
        long rows = model.VectorProperties.Count == 0 ? 0 : -1;
        foreach (VectorPropertyModel property in model.VectorProperties)
        {
            long[] shape = root.TryGetProperty(property.StorageName, out JsonElement tensor) ? Shape(tensor) : [];
            // A record has more than a byte, so what is checked here overflows nothing below.
            if (shape is not [var count, var width] || width != property.Dimensions || count < 0 || count > file.Length || (rows >= 0 && rows != count))
                throw new InvalidDataException($"{path} has the vectors {property.StorageName} of the shape [{string.Join(", ", shape)}]; " +
                    $"the collection {name} needs [records, {property.Dimensions}].");
            rows = count;
        }
        long[] bytes = Shape(root.GetProperty(Records));
        if (bytes is not [var records] || records < 0 || records > file.Length)
            throw new InvalidDataException($"{path} has records of the shape [{string.Join(", ", bytes)}]; their number of bytes is needed. " +
                "It is no file of this store.");
        long vectorBytes = model.VectorProperties.Sum(property => rows * property.Dimensions * sizeof(float));
        if (file.Length != file.Position + vectorBytes + records)
            throw new InvalidDataException($"{path} has {file.Length} bytes; its header needs {file.Position + vectorBytes + records}. " +
                "Save the collection again.");
        return ((int)rows, records);
    }

    private static long[] Shape(JsonElement tensor) => [.. tensor.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];

    private void ReadVectors(FileStream file, ReadOnlyMemory<float>?[][] vectors, int property, CancellationToken cancellationToken)
    {
        VectorPropertyModel read = model.VectorProperties[property];
        for (int row = 0; row < vectors.Length; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var numbers = new float[read.Dimensions];
            file.ReadExactly(MemoryMarshal.AsBytes(numbers.AsSpan()));
            if (Array.TrueForAll(numbers, float.IsNaN))
                continue;
            // The rule of Upsert: the scores of all else would be no numbers.
            float length = TensorPrimitives.Norm(numbers);
            vectors[row][property] = float.IsFinite(length) ? numbers
                : throw new InvalidDataException($"{file.Name} has in row {row} of {read.StorageName} a vector of the length {length}; a vector of finite " +
                    "numbers is needed, or one of NaN only where there is none. Save the collection again.");
        }
    }

    private VectorRow<TKey, TRecord>[] ReadRecords(
        FileStream file, string path, ReadOnlyMemory<float>?[][] vectors, long bytes, CancellationToken cancellationToken)
    {
        var rows = new List<VectorRow<TKey, TRecord>>();
        using var reader = new StreamReader(file, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, bufferSize: 1 << 16, leaveOpen: true);
        for (string? line = reader.ReadLine(); line is not null; line = reader.ReadLine())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (model.VectorProperties.Count > 0 && rows.Count == vectors.Length)
                throw new InvalidDataException($"{path} has more records than vectors ({vectors.Length}).");
            rows.Add(Row(line, model.VectorProperties.Count == 0 ? [] : vectors[rows.Count]));
        }
        return model.VectorProperties.Count == 0 || rows.Count == vectors.Length ? [.. rows]
            : throw new InvalidDataException($"{path} has {rows.Count} records in {bytes} bytes and {vectors.Length} vectors; one of each is needed.");
    }

    private VectorRow<TKey, TRecord> Row(string line, ReadOnlyMemory<float>?[] vectors)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        TRecord record = model.CreateRecord<TRecord>() ?? throw new InvalidOperationException($"{typeof(TRecord)} cannot be made.");
        foreach (PropertyModel property in Values)
            property.SetValueAsObject(record, document.RootElement.GetProperty(property.StorageName).Deserialize(json.GetTypeInfo(property.Type)));
        object key = model.KeyProperty.GetValueAsObject(record)
            ?? throw new FormatException($"A record has no {model.KeyProperty.StorageName}, which is its key.");
        return new VectorRow<TKey, TRecord>((TKey)key, record, vectors);
    }
}
