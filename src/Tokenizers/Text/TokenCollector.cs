namespace ManagedTransformers.Tokenizers;

/// <summary>Takes a text as it is found, in order: added tokens, and what is between them.</summary>
internal interface ITokenSink : IWordConsumer
{
    /// <summary>Does it ask where in the text as given a token stands?</summary>
    bool NeedsOffsets { get; }

    /// <summary>Takes text between added tokens before it is normalised; false: it must be normalised first.</summary>
    bool TryAddAsGiven(ReadOnlySpan<char> text);

    /// <summary>An added token, found in the text.</summary>
    void AddToken(int id, in AlignedText text, int start, int end);

    /// <summary>Normalised text between added tokens: it is split into words.</summary>
    void AddText(in AlignedText text, int start, int end);
}

/// <summary>Gathers the tokens of a text as they are found.</summary>
internal sealed class TokenCollector : ITokenSink
{
    private readonly TokenModel _model;
    private readonly PreTokenizer? _preTokenizer;
    private readonly List<int> _ids;
    private readonly List<(int Start, int End)> _offsets;       // UTF-16
    private readonly List<int> _words;
    private readonly List<(int Index, string Text)> _texts = [];    // of added tokens, white space included, and of others shown as what the text has
    private readonly CancellationToken _cancellationToken;
    private int _word;

    public TokenCollector(TokenModel model, PreTokenizer? preTokenizer, int textLength, CancellationToken cancellationToken)
    {
        (_model, _preTokenizer, _cancellationToken) = (model, preTokenizer, cancellationToken);
        int expected = (textLength / 3) + 4;
        _ids = new List<int>(expected);
        _offsets = new List<(int, int)>(expected);
        _words = new List<int>(expected);
    }

    public bool NeedsOffsets => true;

    public bool TryAddAsGiven(ReadOnlySpan<char> text) => false;

    public void AddToken(int id, in AlignedText text, int start, int end)
    {
        _texts.Add((_ids.Count, text.Value[start..end].ToString()));
        Add(id, text.Start(start), text.End(end));
        _word++;
    }

    public void AddText(in AlignedText text, int start, int end)
    {
        if (_preTokenizer is null) Add(text, start, end);
        else _preTokenizer.Split(text, start, end, this);
    }

    public void Add(in AlignedText text, int start, int end)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        for (int part = start, next; part < end; part = next)
        {
            next = part + _model.EndOfPart(text.Value[part..end]);
            foreach (TokenSpan token in _model.Tokenize(text.Value[part..next], _cancellationToken))
            {
                if (token.Id == _model.ShownAsText) _texts.Add((_ids.Count, text.Value[(part + token.Start)..(part + token.End)].ToString()));
                Add(token.Id, text.Start(part + token.Start), text.End(part + token.End));
            }
        }
        _word++;
    }

    /// <summary>The tokens of the text as given, the first (0) or second (1) of a pair, as an encoding. <paramref name="word"/> is the word that it is,
    /// where the caller split it; null: words as found.</summary>
    public TokenEncoding ToEncoding(string text, int sequence, int? word)
    {
        int length = _ids.Count;
        var tokens = new string[length];
        var words = new int?[length];
        var sequences = new int?[length];
        for (int i = 0; i < length; i++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            tokens[i] = _model.Vocabulary.TokenOf(_ids[i]) ?? "";
            words[i] = word ?? _words[i];
            sequences[i] = sequence;
        }
        foreach ((int index, string content) in _texts) tokens[index] = content;
        (int, int)[] utf16 = [.. _offsets];
        return new TokenEncoding
        {
            Ids = [.. _ids],
            Tokens = tokens,
            Offsets = InCodePoints(text, utf16),
            Utf16Offsets = utf16,
            TypeIds = TokenEncoding.Filled(length, sequence),
            SpecialTokensMask = new int[length],
            AttentionMask = TokenEncoding.Filled(length, 1),
            WordIds = words,
            SequenceIds = sequences,
            Sources = word is not null ? default : sequence == 0 ? (text, null) : (null, text),
        };
    }

    private void Add(int id, int start, int end)
    {
        _ids.Add(id);
        _offsets.Add((start, end));
        _words.Add(_word);
    }

    private static (int, int)[] InCodePoints(string text, (int Start, int End)[] utf16)
    {
        if (AlignedText.CodePointIndex(text) is not { } index) return utf16;
        var offsets = new (int, int)[utf16.Length];
        for (int i = 0; i < offsets.Length; i++) offsets[i] = (index[utf16[i].Start], index[utf16[i].End]);
        return offsets;
    }
}
