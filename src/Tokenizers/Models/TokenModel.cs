using System.Collections.Concurrent;

namespace ManagedTransformers.Tokenizers;

/// <summary>A token of a word: its id and the part of the word (UTF-16 units) that it stands for.</summary>
internal readonly record struct TokenSpan(int Id, int Start, int End);

/// <summary>Splits words into tokens of a vocabulary.</summary>
internal abstract class TokenModel(Vocabulary vocabulary)
{
    private readonly WordCache _cache = new();

    public Vocabulary Vocabulary { get; } = vocabulary;

    /// <summary>The tokens of a word; the array may be shared and must not be written to.</summary>
    public TokenSpan[] Tokenize(ReadOnlySpan<char> word)
    {
        if (word.Length > WordCache.LongestWord) return Split(word);
        if (_cache.TryGet(word, out TokenSpan[]? tokens)) return tokens;
        tokens = Split(word);
        _cache.Add(word, tokens);
        return tokens;
    }

    /// <summary>The tokens of a word that is not in the cache.</summary>
    protected abstract TokenSpan[] Split(ReadOnlySpan<char> word);
}

/// <summary>Words that were split before. Bounded: when it is full, it starts anew. Thread-safe.</summary>
internal sealed class WordCache
{
    /// <summary>Longer words are not kept: they hardly come twice.</summary>
    public const int LongestWord = 64;

    private const int Capacity = 1 << 15;

    private Generation _generation = new();

    public bool TryGet(ReadOnlySpan<char> word, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TokenSpan[]? tokens) =>
        Volatile.Read(ref _generation).ByWord.TryGetValue(word, out tokens);

    public void Add(ReadOnlySpan<char> word, TokenSpan[] tokens)
    {
        Generation generation = Volatile.Read(ref _generation);
        if (Interlocked.Increment(ref generation.Count) > Capacity)
        {
            generation = new Generation();
            Volatile.Write(ref _generation, generation);
        }
        generation.ByWord.TryAdd(word, tokens);
    }

    private sealed class Generation
    {
        public readonly ConcurrentDictionary<string, TokenSpan[]>.AlternateLookup<ReadOnlySpan<char>> ByWord =
            new ConcurrentDictionary<string, TokenSpan[]>(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();

        public int Count;
    }
}
