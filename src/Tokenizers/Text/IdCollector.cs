using System.Buffers;

namespace ManagedTransformers.Tokenizers;

/// <summary>Gathers the ids of a text as they are found, or only counts them. Its memory is rented: dispose it.</summary>
internal sealed class IdCollector : ITokenSink, IDisposable
{
    private readonly TokenModel _model;
    private readonly PreTokenizer? _preTokenizer;
    private readonly BertPieces? _pieces;
    private readonly CancellationToken _cancellationToken;
    private readonly bool _keeps;
    private int[] _ids = [];

    /// <param name="model">Splits words into tokens.</param>
    /// <param name="preTokenizer">Splits normalised text into words; null: it is one.</param>
    /// <param name="pieces">Knows pieces of the text as given; null: all text is normalised.</param>
    /// <param name="keeps">Whether ids are kept; false: they are counted.</param>
    /// <param name="cancellationToken">Asked at each word.</param>
    public IdCollector(TokenModel model, PreTokenizer? preTokenizer, BertPieces? pieces, bool keeps, CancellationToken cancellationToken)
    {
        (_model, _preTokenizer, _pieces, _keeps, _cancellationToken) = (model, preTokenizer, pieces, keeps, cancellationToken);
    }

    /// <summary>How many ids there are.</summary>
    public int Count { get; private set; }

    /// <summary>The ids, until this is disposed.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, _keeps ? Count : 0);

    public bool NeedsOffsets => _preTokenizer?.NeedsOffsets ?? false;

    public bool TryAddAsGiven(ReadOnlySpan<char> text)
    {
        _pieces?.Split(text, this, _cancellationToken);
        return _pieces is not null;
    }

    public void AddToken(int id, in AlignedText text, int start, int end) => Add([id]);

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
            TokenSpan[] tokens = _model.Tokenize(text.Value[part..next], _cancellationToken);
            Span<int> room = Room(tokens.Length);
            for (int i = 0; i < room.Length; i++) room[i] = tokens[i].Id;
        }
    }

    /// <summary>The ids of a piece of the text.</summary>
    public void Add(ReadOnlySpan<int> ids)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        Span<int> room = Room(ids.Length);
        if (_keeps) ids.CopyTo(room);
    }

    public void Dispose()
    {
        if (_ids.Length > 0) ArrayPool<int>.Shared.Return(_ids);
        _ids = [];
    }

    // Where the next ids go; empty where they are only counted.
    private Span<int> Room(int ids)
    {
        int start = Count;
        Count += ids;
        if (!_keeps) return default;
        if (Count > _ids.Length) Grow();
        return _ids.AsSpan(start, ids);
    }

    private void Grow()
    {
        const int Least = 256;
        int[] larger = ArrayPool<int>.Shared.Rent(Math.Max(Math.Max(Least, Count), (int)Math.Min(2L * _ids.Length, Array.MaxLength)));
        _ids.CopyTo(larger, 0);
        if (_ids.Length > 0) ArrayPool<int>.Shared.Return(_ids);
        _ids = larger;
    }
}
