using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>What a safetensors header says of one tensor; offsets count from the end of the header.</summary>
internal sealed record TensorInfo(string Name, ElementType Type, long[] Shape, long Begin, long End);

/// <summary>
/// The header of a safetensors file: eight bytes of length (little-endian), then that much JSON,
/// <c>{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {"key": "value"}}</c>, padded with spaces.
/// </summary>
internal sealed class SafetensorsHeader
{
    public const int PrefixLength = 8;
    public const int MaxLength = 100_000_000;              // the limit of the safetensors library
    public const string MetadataName = "__metadata__";

    /// <summary>What to do about any of these errors.</summary>
    public const string Advice = "The file is damaged, incomplete or not a safetensors file: download or export it again.";

    public required IReadOnlyList<TensorInfo> Tensors { get; init; }
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>Bytes that follow the header.</summary>
    public required long DataLength { get; init; }

    /// <summary>The blocks of integers that U8 matrices hold; null where those are bytes.</summary>
    public required WeightType? Blocks { get; init; }

    /// <summary>The blocks that a tensor holds.</summary>
    public WeightType? BlocksOf(TensorInfo tensor) => tensor is { Type: ElementType.U8, Shape.Length: 2 } ? Blocks : null;

    /// <summary>Reads the first eight bytes, or what could be read of them; remaining bytes follow, where that is known.</summary>
    public static int ReadLength(ReadOnlySpan<byte> prefix, long? remaining, string file)
    {
        if (GitLfsPointer.Problem(file, prefix) is string pointer)
            throw new CheckpointException(pointer) { FileName = file };
        if (prefix.Length < PrefixLength)
            throw Bad(file, null, $"The file has {prefix.Length} bytes; " +
                $"a safetensors file starts with {PrefixLength} bytes that give the length of its header.");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxLength)
            throw Bad(file, null, $"The header claims to be {length} bytes; at most {MaxLength} are allowed.");
        if (remaining is long rest && (long)length > rest)
            throw Bad(file, null, $"The header claims to be {length} bytes; only {rest} follow.");
        return (int)length;
    }

    /// <summary>Parses and checks the JSON part.</summary>
    /// <exception cref="CheckpointException">It breaks any rule of the format.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, string file)
    {
        if (json.IsEmpty)
            throw Bad(file, null, "The header is empty; it must be a JSON object.");
        if (json[0] != (byte)'{')
            throw Bad(file, null, $"The header starts with byte 0x{json[0]:X2}; it must be a JSON object and start with '{{'.");
        if (!Utf8.IsValid(json))
            throw Bad(file, null, "The header is not valid UTF-8.");
        return new SafetensorsHeaderReader(json, file).Read();
    }

    /// <summary>Checks that the data is neither truncated nor longer than the header says.</summary>
    public void RequireDataLength(long found, string file)
    {
        if (found < DataLength)
        {
            TensorInfo cut = Tensors.First(tensor => tensor.End > found);
            throw Bad(file, cut.Name, $"The file is truncated: {found} bytes follow the header, the tensors need {DataLength}.");
        }
        if (found > DataLength)
            throw Bad(file, null, $"{found} bytes follow the header; its tensors cover only {DataLength}, and no byte may be left over.");
    }

    public static CheckpointException Bad(string file, string? tensor, string what, Exception? cause = null) =>
        new($"{(tensor is null ? file : $"{Shown(tensor)} in {file}")}: {what} {Advice}", cause) { FileName = file, TensorName = tensor };

    /// <summary>A name or number from a file, cut to a length that fits a message.</summary>
    public static string Shown(string text) => text.Length <= 120 ? text : $"{text.AsSpan(0, 120)}…";
}

/// <summary>One pass over the header's JSON; each rule of the format is one check.</summary>
internal ref struct SafetensorsHeaderReader
{
    private readonly string _file;
    private Utf8JsonReader _json;
    private string? _tensor;

    public SafetensorsHeaderReader(ReadOnlySpan<byte> json, string file)
    {
        _json = new Utf8JsonReader(json);
        _file = file;
    }

    public SafetensorsHeader Read()
    {
        var tensors = new List<TensorInfo>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var metadata = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        try
        {
            _json.Read();
            while (NextProperty(out string name))
            {
                if (!seen.Add(name)) throw Bad($"\"{SafetensorsHeader.Shown(name)}\" is in the header twice.");
                if (name == SafetensorsHeader.MetadataName) ReadMetadata(metadata);
                else tensors.Add(ReadTensor(name));
            }
            _json.Read();                                  // throws where anything but white space follows
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escape that is half of a surrogate pair
            throw Bad($"The header is not valid JSON: {e.Message}", e);
        }
        return new SafetensorsHeader { Tensors = tensors, Metadata = metadata, DataLength = CheckLayout(tensors), Blocks = StoredBlocks.Read(metadata, _file) };
    }

    private TensorInfo ReadTensor(string name)
    {
        _tensor = name;
        ElementType? type = null;
        long[]? shape = null, offsets = null;
        Enter(JsonTokenType.StartObject, "an object with dtype, shape and data_offsets");
        while (NextProperty(out string field))
        {
            bool repeated = field switch { "dtype" => type is not null, "shape" => shape is not null, "data_offsets" => offsets is not null, _ => false };
            if (repeated) throw Bad($"The field {field} is there twice.");
            switch (field)
            {
                case "dtype": type = ReadType(); break;
                case "shape": shape = ReadIntegers("shape"); break;
                case "data_offsets": offsets = ReadIntegers("data_offsets"); break;
                default: throw Bad($"Unknown field \"{SafetensorsHeader.Shown(field)}\"; allowed are dtype, shape and data_offsets.");
            }
        }
        if (type is null || shape is null || offsets is null)
            throw Bad($"The field {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")} is missing.");
        if (offsets.Length != 2)
            throw Bad($"data_offsets has {offsets.Length} numbers; needed are 2, begin and end.");
        var tensor = new TensorInfo(name, type.Value, shape, offsets[0], offsets[1]);
        CheckSize(tensor);
        _tensor = null;
        return tensor;
    }

    private ElementType ReadType()
    {
        Enter(JsonTokenType.String, "the dtype as a string");
        string name = _json.GetString()!;
        return ElementTypes.TryParseSafetensors(name, out ElementType type)
            ? type
            : throw Bad($"Unknown dtype \"{SafetensorsHeader.Shown(name)}\"; known are {ElementTypes.KnownNames}.");
    }

    private long[] ReadIntegers(string field)
    {
        var values = new List<long>();
        Enter(JsonTokenType.StartArray, $"{field} as an array of numbers");
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.Number || !_json.TryGetInt64(out long value) || value < 0)
                throw Bad($"{field} contains {Token()}; needed are whole numbers from 0 to 2^63 - 1.");
            if (values.Count == TensorEntry.MaxAxes) throw Bad($"{field} has more than {TensorEntry.MaxAxes} numbers, the most axes that a tensor may have.");
            values.Add(value);
        }
        return [.. values];
    }

    private void ReadMetadata(OrderedDictionary<string, string> metadata)
    {
        Enter(JsonTokenType.StartObject, "__metadata__ as an object of strings");
        while (NextProperty(out string key))
        {
            Enter(JsonTokenType.String, $"__metadata__.{SafetensorsHeader.Shown(key)} as a string");
            if (!metadata.TryAdd(key, _json.GetString()!)) throw Bad($"__metadata__ has \"{SafetensorsHeader.Shown(key)}\" twice.");
        }
    }

    private readonly void CheckSize(TensorInfo tensor)
    {
        string offsets = TensorEntry.Describe([tensor.Begin, tensor.End]);
        string what = $"{tensor.Type.SafetensorsName()} {SafetensorsHeader.Shown(TensorEntry.Describe(tensor.Shape))}";
        if (tensor.Begin > tensor.End) throw Bad($"data_offsets {offsets} end before they begin.");
        long needed;
        try
        {
            needed = tensor.Type.ByteLength(tensor.Shape);
        }
        catch (OverflowException e)
        {
            throw Bad($"{what} is more than 2^63 - 1 bytes.", e);
        }
        if (tensor.End - tensor.Begin != needed)
            throw Bad($"data_offsets {offsets} are {tensor.End - tensor.Begin} bytes; {what} needs {needed}.");
    }

    /// <summary>Tensors must lie one after another, from 0, without gap or overlap. Returns where the last one ends.</summary>
    private long CheckLayout(List<TensorInfo> tensors)
    {
        long end = 0;
        string previous = "the header";
        foreach (TensorInfo tensor in tensors.OrderBy(tensor => tensor.Begin).ThenBy(tensor => tensor.End))
        {
            _tensor = tensor.Name;
            if (tensor.Begin < end) throw Bad($"It begins at {tensor.Begin}, inside {previous}, which ends at {end}: tensors must not overlap.");
            if (tensor.Begin > end) throw Bad($"It begins at {tensor.Begin}, but {previous} ends at {end}: there must be no gap.");
            (end, previous) = (tensor.End, SafetensorsHeader.Shown(tensor.Name));
        }
        return end;
    }

    private bool NextProperty(out string name)
    {
        _json.Read();
        bool found = _json.TokenType == JsonTokenType.PropertyName;
        name = found ? _json.GetString()! : "";
        return found;
    }

    private void Enter(JsonTokenType token, string needed)
    {
        _json.Read();
        if (_json.TokenType != token) throw Bad($"Found {Token()}; needed is {needed}.");
    }

    private readonly string Token() => _json.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        _ => SafetensorsHeader.Shown(Encoding.UTF8.GetString(_json.ValueSpan)),
    };

    private readonly CheckpointException Bad(string what, Exception? cause = null) => SafetensorsHeader.Bad(_file, _tensor, what, cause);
}
