using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Serving;

/// <summary>A file of JSON objects, one on a line; it is begun with the first of them.</summary>
/// <param name="path">What it is to be named.</param>
internal sealed class JsonLinesFile(string path) : IDisposable
{
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _line = new(1 << 12);
    private PendingFile? _file;
    private Utf8JsonWriter? _json;

    /// <summary>Lines.</summary>
    public long Count { get; private set; }

    /// <summary>Its length, once it is complete.</summary>
    public long Bytes { get; private set; }

    /// <summary>Where it lies; null: it was not begun.</summary>
    public string? TemporaryPath => _file?.TemporaryPath;

    /// <summary>Adds a line.</summary>
    /// <param name="write">Writes the properties of its object.</param>
    public void Add(Action<Utf8JsonWriter> write)
    {
        _file ??= new PendingFile(path);
        _json ??= new Utf8JsonWriter(_line, s_json);
        _line.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
        write(_json);
        _json.WriteEndObject();
        _json.Flush();
        _line.Write("\n"u8);
        _file.Stream.Write(_line.WrittenSpan);
        Count++;
    }

    /// <summary>All lines are written: brings it to the disk.</summary>
    /// <param name="evenEmpty">Whether there is a file where there is no line.</param>
    public void Complete(bool evenEmpty)
    {
        if (_file is null && !evenEmpty) return;
        _file ??= new PendingFile(path);
        _file.Complete();
        Bytes = new FileInfo(_file.TemporaryPath).Length;
    }

    /// <summary>Removes it where it got no name.</summary>
    public void Dispose()
    {
        _json?.Dispose();
        _file?.Dispose();
    }
}
