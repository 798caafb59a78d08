using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Fuzz;

/// <summary>A JSON value that may be changed into what is none: keys twice, numbers of any length, text that is no text.</summary>
internal sealed class JsonTree
{
    private static readonly JsonReaderOptions s_deep = new() { MaxDepth = 20_000 };

    /// <summary>What stands in the file: a whole value that has no parts; null: it has parts.</summary>
    public string? Leaf { get; set; }

    public bool IsObject { get; set; }

    /// <summary>The parts of an object, or of an array, whose keys are null; keys have their quotes.</summary>
    public List<(string? Key, JsonTree Value)> Parts { get; } = [];

    public static JsonTree OfLeaf(string text) => new() { Leaf = text };

    /// <summary>Reads a value; null: it is none.</summary>
    public static JsonTree? Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, s_deep);
            reader.Read();
            return Read(ref reader);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>This and all below it.</summary>
    public List<JsonTree> All()
    {
        var all = new List<JsonTree> { this };
        for (int i = 0; i < all.Count; i++)
            all.AddRange(all[i].Parts.Select(part => part.Value));
        return all;
    }

    public JsonTree Clone()
    {
        var copy = new JsonTree { Leaf = Leaf, IsObject = IsObject };
        copy.Parts.AddRange(Parts.Select(part => (part.Key, part.Value.Clone())));
        return copy;
    }

    /// <summary>Becomes what another is.</summary>
    public void Become(JsonTree other)
    {
        var parts = other.Parts.ToArray();
        (Leaf, IsObject) = (other.Leaf, other.IsObject);
        Parts.Clear();
        Parts.AddRange(parts);
    }

    public byte[] ToBytes()
    {
        var text = new StringBuilder();
        Write(text);
        return Encoding.Latin1.GetBytes(text.ToString());
    }

    // Texts are kept byte for byte, so that what is not UTF-8 stays so.
    private static string Raw(ref Utf8JsonReader reader) => Encoding.Latin1.GetString(reader.ValueSpan);

    private static JsonTree Read(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartArray or JsonTokenType.StartObject:
                var tree = new JsonTree { IsObject = reader.TokenType == JsonTokenType.StartObject };
                while (reader.Read() && reader.TokenType is not (JsonTokenType.EndArray or JsonTokenType.EndObject))
                {
                    string? key = reader.TokenType == JsonTokenType.PropertyName ? $"\"{Raw(ref reader)}\"" : null;
                    if (key is not null)
                        reader.Read();
                    tree.Parts.Add((key, Read(ref reader)));
                }
                return tree;
            case JsonTokenType.String:
                return OfLeaf($"\"{Raw(ref reader)}\"");
            default:
                return OfLeaf(Raw(ref reader));
        }
    }

    private void Write(StringBuilder text)
    {
        if (Leaf is not null)
        {
            text.Append(Leaf);
            return;
        }
        text.Append(IsObject ? '{' : '[');
        for (int i = 0; i < Parts.Count; i++)
        {
            if (i > 0)
                text.Append(',');
            if (IsObject)
                text.Append(Parts[i].Key ?? "\"k\"").Append(':');
            Parts[i].Value.Write(text);
        }
        text.Append(IsObject ? '}' : ']');
    }
}
