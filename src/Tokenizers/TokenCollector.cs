namespace ManagedTransformers.Tokenizers;

/// <summary>Gathers the tokens of a text as they are found.</summary>
internal sealed class TokenCollector : IWordConsumer
{
    private readonly TokenModel _model;
    private readonly PreTokenizer? _preTokenizer;
    private readonly List<int> _ids;
    private readonly List<(int Start, int End)> _offsets;       // UTF-16
    private readonly List<int> _words;
    private readonly List<(int Index, string Text)> _texts = [];    // of added tokens, which are what the text has, white space included
    private int _word;

    public TokenCollector(TokenModel model, PreTokenizer? preTokenizer, int textLength)
    {
        _model = model;
        _preTokenizer = preTokenizer;
        int expected = (textLength / 3) + 4;
        _ids = new List<int>(expected);
        _offsets = new List<(int, int)>(expected);
        _words = new List<int>(expected);
    }

    /// <summary>An added token, found in the text.</summary>
    public void AddToken(int id, AlignedText text, int start, int end)
    {
        _texts.Add((_ids.Count, text.Value[start..end]));
        Add(id, text.Start(start), text.End(end));
        _word++;
    }

    /// <summary>Text between added tokens: it is split into words.</summary>
    public void AddText(AlignedText text, int start, int end)
    {
        if (_preTokenizer is null) Add(text, start, end);
        else _preTokenizer.Split(text, start, end, this);
    }

    /// <summary>A word: it is split into tokens.</summary>
    public void Add(AlignedText text, int start, int end)
    {
        foreach (TokenSpan token in _model.Tokenize(text.Value.AsSpan(start, end - start)))
            Add(token.Id, text.Start(start + token.Start), text.End(start + token.End));
        _word++;
    }

    /// <summary>The tokens of the text as given, the first (0) or second (1) of a pair, as an encoding. <paramref name="word"/> is the word that it is,
    /// where the caller split it; null: words as found.</summary>
    public Encoding ToEncoding(string text, int sequence, int? word)
    {
        int length = _ids.Count;
        var tokens = new string[length];
        var words = new int?[length];
        var sequences = new int?[length];
        for (int i = 0; i < length; i++)
        {
            tokens[i] = _model.Vocabulary.TokenOf(_ids[i]) ?? "";
            words[i] = word ?? _words[i];
            sequences[i] = sequence;
        }
        foreach ((int index, string content) in _texts) tokens[index] = content;
        (int, int)[] utf16 = [.. _offsets];
        return new Encoding
        {
            Ids = [.. _ids],
            Tokens = tokens,
            Offsets = InCodePoints(text, utf16),
            Utf16Offsets = utf16,
            TypeIds = Encoding.Filled(length, sequence),
            SpecialTokensMask = new int[length],
            AttentionMask = Encoding.Filled(length, 1),
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
