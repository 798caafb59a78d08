namespace ManagedTransformers;

/// <summary>NaN, Infinity and -Infinity, which Python's json module writes and JSON does not have.</summary>
internal static class PythonNumbers
{
    /// <summary>The same JSON with such words as strings: who reads a number may take them for what they say, who reads something else names their
    /// key.</summary>
    /// <param name="json">UTF-8.</param>
    public static ReadOnlyMemory<byte> Quote(ReadOnlyMemory<byte> json)
    {
        ReadOnlySpan<byte> left = json.Span;
        if (left.IndexOf("NaN"u8) < 0 && left.IndexOf("Infinity"u8) < 0)
            return json;
        var quoted = new MemoryStream(json.Length + 2);
        bool inString = false;
        while (!left.IsEmpty)
        {
            int length = inString ? 0 : WordAt(left);
            if (length > 0)
            {
                quoted.WriteByte((byte)'"');
                quoted.Write(left[..length]);
                quoted.WriteByte((byte)'"');
            }
            else
            {
                inString ^= left[0] == (byte)'"';
                length = inString && left[0] == (byte)'\\' ? Math.Min(2, left.Length) : 1;      // an escaped quote ends no string
                quoted.Write(left[..length]);
            }
            left = left[length..];
        }
        return quoted.GetBuffer().AsMemory(0, (int)quoted.Length);
    }

    /// <summary>A value as the file had it.</summary>
    /// <param name="value">The text of a JSON value.</param>
    public static string Unquote(string value) => value is "\"NaN\"" or "\"Infinity\"" or "\"-Infinity\"" ? value[1..^1] : value;

    private static int WordAt(ReadOnlySpan<byte> json) =>
        json.StartsWith("NaN"u8) ? "NaN".Length : json.StartsWith("Infinity"u8) ? "Infinity".Length : json.StartsWith("-Infinity"u8) ? "-Infinity".Length : 0;
}
