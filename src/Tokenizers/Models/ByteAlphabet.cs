namespace ManagedTransformers.Tokenizers;

/// <summary>The 256 printable characters that stand for bytes in byte-level vocabularies (bytes_to_unicode of GPT-2).</summary>
internal static class ByteAlphabet
{
    private const int Limit = 0x144;

    private static readonly char[] Characters = BuildCharacters();
    private static readonly short[] Bytes = BuildBytes();

    public static char CharacterOf(byte b) => Characters[b];

    /// <summary>The byte that a character stands for; −1 for other characters.</summary>
    public static int ByteOf(char c) => c < Limit ? Bytes[c] : -1;

    /// <summary>Appends the bytes of a token; a token with any other character in it is its own text.</summary>
    public static void AppendBytes(string token, List<byte> bytes)
    {
        int before = bytes.Count;
        foreach (char c in token)
        {
            int b = ByteOf(c);
            if (b < 0)
            {
                bytes.RemoveRange(before, bytes.Count - before);
                bytes.AddRange(System.Text.Encoding.UTF8.GetBytes(token));
                return;
            }
            bytes.Add((byte)b);
        }
    }

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
            characters[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)b : (char)next++;
        return characters;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[Limit];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++) bytes[Characters[b]] = (short)b;
        return bytes;
    }
}
