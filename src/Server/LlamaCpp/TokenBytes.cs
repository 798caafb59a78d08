using System.Text;

namespace ManagedTransformers.Server;

/// <summary>The bytes of a token, which need not be whole characters.</summary>
internal static class TokenBytes
{
    private static readonly DecodeOptions s_strict = new() { Errors = InvalidUtf8.Strict };

    public static byte[] Of(Tokenizer tokenizer, int id) =>
        Text(tokenizer, id) is string text ? Encoding.UTF8.GetBytes(text) : Raw(tokenizer.IdToToken(id) ?? "");

    /// <summary>The text of a token; null: its bytes are none.</summary>
    public static string? Text(Tokenizer tokenizer, int id)
    {
        if (IsByte(tokenizer.IdToToken(id), out byte value) && value >= 0x80)
            return null;
        try
        {
            // As it stands within a text: a space before it is its own.
            var text = new DecodeStream(tokenizer, s_strict, continues: true);
            return text.Append(id) + text.Flush();
        }
        catch (TokenizerException)
        {
            return null;
        }
    }

    // A byte as a token, <0xE2>, or characters that stand for bytes.
    private static byte[] Raw(string token)
    {
        if (IsByte(token, out byte value))
            return [value];
        var bytes = new List<byte>();
        ByteAlphabet.AppendBytes(token, bytes);
        return [.. bytes];
    }

    private static bool IsByte(string? token, out byte value)
    {
        value = 0;
        return token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token.AsSpan(3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out value);
    }
}
