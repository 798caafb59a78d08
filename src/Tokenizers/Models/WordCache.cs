using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Tokenizers;

/// <summary>Words that were split before, with what they became. Of a fixed size: a new word takes the place of an old one. Thread-safe without a lock: entries
/// never change, and who reads while another adds finds an entry or splits the word again.</summary>
internal sealed class WordCache<T> where T : class
{
    // Longer words are not kept: they hardly come twice.
    private const int LongestWord = 64;

    private const int Sets = 1 << 13;
    private const int Ways = 4;

    // [Sets][Ways], the newest first: words with the same hash share a set.
    private readonly Entry?[] _entries = new Entry?[Sets * Ways];

    public bool TryGet(ReadOnlySpan<char> word, [NotNullWhen(true)] out T? value)
    {
        value = null;
        if (word.Length > LongestWord) return false;
        uint hash = HashOf(word);
        foreach (Entry? entry in SetOf(hash))
        {
            if (entry is null) return false;
            if (!entry.Is(word, hash)) continue;
            value = entry.Value;
            return true;
        }
        return false;
    }

    public void Add(ReadOnlySpan<char> word, T value)
    {
        if (word.Length > LongestWord) return;
        uint hash = HashOf(word);
        Span<Entry?> set = SetOf(hash);
        set[..^1].CopyTo(set[1..]);
        set[0] = new Entry(word.ToString(), hash, value);
    }

    private Span<Entry?> SetOf(uint hash) => _entries.AsSpan((int)(hash % Sets) * Ways, Ways);

    // Four characters at a time, multiplied and folded. Words that are made to collide only displace each other.
    private static uint HashOf(ReadOnlySpan<char> word)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15;        // 2⁶⁴ / the golden ratio
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(word);
        ulong hash = (ulong)word.Length;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            hash = Fold((hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes)) * Multiplier);
        ulong rest = 0;
        if (bytes.Length >= sizeof(uint))
        {
            rest = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            bytes = bytes[sizeof(uint)..];
        }
        if (bytes.Length > 0) rest |= (ulong)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 32;
        return (uint)Fold((hash ^ rest) * Multiplier);

        static ulong Fold(ulong product) => product ^ (product >> 32);
    }

    private sealed class Entry(string word, uint hash, T value)
    {
        public T Value { get; } = value;

        public bool Is(ReadOnlySpan<char> other, uint otherHash) => hash == otherHash && other.SequenceEqual(word);
    }
}
