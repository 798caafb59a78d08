using System.Buffers.Binary;
using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>SentencePiece's precompiled map of characters: a double array of keys (UTF-8) and the texts that replace them.</summary>
/// <remarks>Format of Darts-clone: a unit has a label (bits 0–7; bit 31 is clear), whether a key ends there (bit 8) and an offset (bits 10–30, with
/// bit 9 times 256); a leaf has the value in bits 0–30.</remarks>
internal sealed class CharacterMap
{
    private const int LongestText = 256;                        // NFKC has one of 33

    private readonly uint[] _units;
    private readonly byte[] _texts;                             // each ends with a zero

    private CharacterMap(uint[] units, byte[] texts) => (_units, _texts) = (units, texts);

    /// <summary>Reads "precompiled_charsmap", base64.</summary>
    /// <exception cref="TokenizerException">It is damaged.</exception>
    public static CharacterMap Read(JsonPart json)
    {
        try
        {
            return Read(Convert.FromBase64String(json.String()), json.Path);
        }
        catch (FormatException e)
        {
            throw Damaged(json.Path, "it is not base64", e);
        }
    }

    /// <summary>Reads a map: the size of the array in bytes, its units, the texts.</summary>
    /// <exception cref="TokenizerException">It is damaged.</exception>
    public static CharacterMap Read(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.Length < 4) throw Damaged(path, $"it has {bytes.Length} bytes");
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (size % 4 != 0 || size < 1024 || size > bytes.Length - 4)
            throw Damaged(path, $"it says that its array has {size} bytes; a multiple of 4 from 1024 to {bytes.Length - 4} is possible");
        var units = new uint[size / 4];
        for (int i = 0; i < units.Length; i++) units[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 + (4 * i))..]);
        byte[] texts = bytes[(int)(4 + size)..].ToArray();
        Check(path, units, texts);
        return new CharacterMap(units, texts);
    }

    /// <summary>The code points that replace a text: those of the shortest key that it begins with; null where there is none.</summary>
    public int[]? Find(ReadOnlySpan<byte> utf8)
    {
        uint node = Offset(_units[0]);
        foreach (byte b in utf8)
        {
            if (b == 0) return null;
            node ^= b;
            uint unit = _units[node];
            if (Label(unit) != b) return null;
            node ^= Offset(unit);
            if (HasLeaf(unit)) return TextAt((int)Value(_units[node]));
        }
        return null;
    }

    private int[] TextAt(int start) =>
        [.. System.Text.Encoding.UTF8.GetString(_texts.AsSpan(start, _texts.AsSpan(start).IndexOf((byte)0))).EnumerateRunes().Select(rune => rune.Value)];

    // Follows every key, so that no text can lead out of the array later.
    private static void Check(string path, uint[] units, byte[] texts)
    {
        try
        {
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetCharCount(texts);
        }
        catch (DecoderFallbackException e)
        {
            throw Damaged(path, "its texts are not UTF-8", e);
        }
        if (texts.Length > 0 && texts[^1] != 0) throw Damaged(path, "its last text has no end");
        for (int start = 0, length; start < texts.Length; start += length + 1)
        {
            length = texts.AsSpan(start).IndexOf((byte)0);
            if (length > LongestText) throw Damaged(path, $"it puts {length} bytes in place of a character, of which {LongestText} are possible");
        }
        var seen = new bool[units.Length];
        var open = new Stack<uint>([Offset(units[0])]);
        while (open.TryPop(out uint node))
        {
            if ((node | 0xFF) >= units.Length) throw Damaged(path, $"a key leads to unit {node} of {units.Length}");
            if (seen[node]) continue;
            seen[node] = true;
            for (uint b = 1; b < 256; b++)
            {
                uint unit = units[node ^ b];
                if (Label(unit) != b) continue;
                uint child = node ^ b ^ Offset(unit);
                if (HasLeaf(unit) && (child >= units.Length || Value(units[child]) >= texts.Length))
                    throw Damaged(path, "a key has no text");
                open.Push(child);
            }
        }
    }

    private static uint Label(uint unit) => unit & 0x800000FF;

    private static bool HasLeaf(uint unit) => (unit & 0x100) != 0;

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    private static uint Value(uint unit) => unit & 0x7FFFFFFF;

    private static TokenizerException Damaged(string path, string why, Exception? inner = null) =>
        new($"{path} is damaged: {why}. Get the file again.", inner);
}
