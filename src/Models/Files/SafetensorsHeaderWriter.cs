using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Models;

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
