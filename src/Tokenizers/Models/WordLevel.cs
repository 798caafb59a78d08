namespace ManagedTransformers.Tokenizers;

/// <summary>Every word is a token, or unknown as a whole.</summary>
/// <remarks>WordLevel of the library.</remarks>
internal sealed class WordLevel : TokenModel
{
    private readonly string _unkToken;
    private readonly int _unkId;

    /// <summary>A model of this vocabulary. The unknown token may be missing in it as long as it is not needed.</summary>
    public WordLevel(Vocabulary vocabulary, string unkToken)
        : base(vocabulary)
    {
        _unkToken = unkToken;
        if (!vocabulary.TryGetId(unkToken, out _unkId)) _unkId = -1;
    }

    protected override TokenSpan[] Split(ReadOnlySpan<char> word, CancellationToken cancellationToken)
    {
        if (!Vocabulary.TryGetId(word, out int id)) id = _unkId;
        return id >= 0 ? [new TokenSpan(id, 0, word.Length)] : throw new TokenizerException(
            $"The text has the word {Vocabulary.Show(word.ToString())}, which is not among the {Vocabulary.Count} of the vocabulary, and neither is "
            + $"{Vocabulary.Show(_unkToken)}, the token that stands for such (unk_token in tokenizer.json). Correct unk_token.");
    }
}
