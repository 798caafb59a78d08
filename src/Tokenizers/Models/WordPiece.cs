namespace ManagedTransformers.Tokenizers;

/// <summary>Splits a word into the longest tokens from the left; a word that cannot be split so is unknown as a whole.</summary>
/// <remarks>Wu et al. 2016, arXiv:1609.08144; WordPiece of the library.</remarks>
internal sealed class WordPiece : TokenModel
{
    private readonly int _unkId;
    private readonly string _prefix;
    private readonly int _maxInputCharsPerWord;

    /// <summary>A model of this vocabulary.</summary>
    /// <exception cref="TokenizerException">The unknown token is not in the vocabulary.</exception>
    public WordPiece(Vocabulary vocabulary, string unkToken, string continuingSubwordPrefix, int maxInputCharsPerWord, string source)
        : base(vocabulary)
    {
        if (!vocabulary.TryGetId(unkToken, out _unkId))
            throw new TokenizerException($"{source}: the unknown token {Vocabulary.Show(unkToken)} is not among its {vocabulary.Count} tokens. " +
                "Add it, or name the one that the vocabulary has as unk_token.");
        _prefix = continuingSubwordPrefix;
        _maxInputCharsPerWord = maxInputCharsPerWord;
    }

    protected override TokenSpan[] Split(ReadOnlySpan<char> word, CancellationToken cancellationToken)
    {
        TokenSpan[] unknown = [new TokenSpan(_unkId, 0, word.Length)];
        if (CharactersOf(word) > _maxInputCharsPerWord) return unknown;

        Span<char> piece = new char[_prefix.Length + word.Length];
        _prefix.CopyTo(piece);
        var tokens = new List<TokenSpan>();
        for (int start = 0; start < word.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int prefix = start == 0 ? 0 : _prefix.Length;
            int end = Math.Min(word.Length, start + Vocabulary.MaxTokenLength);
            if (end < word.Length && char.IsLowSurrogate(word[end])) end--;
            word[start..end].CopyTo(piece[prefix..]);
            int id = -1;
            for (; end > start; end -= char.IsLowSurrogate(word[end - 1]) ? 2 : 1)
                if (Vocabulary.TryGetId(piece[..(prefix + end - start)], out id)) break;
            if (end <= start) return unknown;
            tokens.Add(new TokenSpan(id, start, end));
            start = end;
            _prefix.CopyTo(piece);
        }
        return [.. tokens];
    }

    private static int CharactersOf(ReadOnlySpan<char> word)
    {
        int count = 0;
        foreach (char c in word)
            if (!char.IsLowSurrogate(c)) count++;
        return count;
    }
}
