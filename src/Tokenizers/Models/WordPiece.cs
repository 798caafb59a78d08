namespace ManagedTransformers.Tokenizers;

/// <summary>Splits a word into the longest tokens from the left; a word that cannot be split so is unknown as a whole.</summary>
/// <remarks>Wu et al. 2016, arXiv:1609.08144; WordPiece of the library.</remarks>
internal sealed class WordPiece : TokenModel
{
    private readonly int _unkId;
    private readonly int _maxInputCharsPerWord;
    private readonly PieceTrie _trie;
    private readonly bool _prefixed;
    private readonly int _continuing;       // the node behind the prefix

    /// <summary>A model of this vocabulary.</summary>
    /// <exception cref="TokenizerException">The unknown token is not in the vocabulary, or pieces and words are too long.</exception>
    public WordPiece(Vocabulary vocabulary, string unkToken, string continuingSubwordPrefix, int maxInputCharsPerWord, string source)
        : base(vocabulary)
    {
        if (!vocabulary.TryGetId(unkToken, out _unkId))
            throw new TokenizerException($"{source}: the unknown token {Vocabulary.Show(unkToken)} is not among its {vocabulary.Count} tokens. " +
                "Add it, or name the one that the vocabulary has as unk_token.");
        // A piece that is longer than words may be is never found.
        if (maxInputCharsPerWord > PieceTrie.LongestPiece) PieceTrie.RequireShortPieces(vocabulary);
        _maxInputCharsPerWord = maxInputCharsPerWord;
        _trie = new PieceTrie(vocabulary.Ids);
        (_prefixed, _continuing) = (continuingSubwordPrefix.Length > 0, _trie.After(continuingSubwordPrefix));
    }

    protected override TokenSpan[] Split(ReadOnlySpan<char> word, CancellationToken cancellationToken)
    {
        TokenSpan[] unknown = [new TokenSpan(_unkId, 0, word.Length)];
        if (CharactersOf(word) > _maxInputCharsPerWord) return unknown;

        var tokens = new List<TokenSpan>();
        for (int start = 0; start < word.Length; start = tokens[^1].End)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (int id, int length) = Longest(word[start..], continues: start > 0);
            if (id < 0) return unknown;
            tokens.Add(new TokenSpan(id, start, start + length));
        }
        return [.. tokens];
    }

    // The longest piece that a text begins with (with the prefix before it, where the text continues a word); −1 for none.
    private (int Id, int Length) Longest(ReadOnlySpan<char> text, bool continues)
    {
        (int Id, int Length) longest = (-1, 0);
        if (continues && _prefixed && _continuing == PieceTrie.None) return longest;
        int node = continues && _prefixed ? _trie.Next(_continuing, text[0]) : _trie.First(text[0]);
        for (int length = 1; node != PieceTrie.None; length++)
        {
            int id = _trie.IdAt(node);
            if (id >= 0) longest = (id, length);
            if (length == text.Length) break;
            node = _trie.Next(node, text[length]);
        }
        return longest;
    }

    private static int CharactersOf(ReadOnlySpan<char> word)
    {
        int count = 0;
        foreach (char c in word)
            if (!char.IsLowSurrogate(c)) count++;
        return count;
    }
}
