using System.Buffers;
using System.Globalization;

namespace ManagedTransformers.Tokenizers;

/// <summary>Splits a word into the pieces whose scores, logarithms of probabilities, have the highest sum.</summary>
/// <remarks>Kudo 2018, arXiv:1804.10959; Unigram of the library, whose sums are float64 and whose ties go to the piece that begins first.</remarks>
internal sealed class Unigram : TokenModel
{
    private const double UnknownPenalty = 10;
    private const int MostBytes = 3;        // of a UTF-16 unit in UTF-8

    private readonly double[] _scores;
    private readonly int _unkId;
    private readonly double _unkScore;
    private readonly PieceTrie _trie;
    private readonly int[]? _byteIds;       // null: what is unknown is the unknown token

    /// <summary>A model of this vocabulary with the score of each id.</summary>
    /// <exception cref="TokenizerException">A piece is too long.</exception>
    public Unigram(Vocabulary vocabulary, double[] scores, int unkId, bool byteFallback)
        : base(vocabulary)
    {
        (_scores, _unkId) = (scores, unkId);
        _unkScore = scores.Min() - UnknownPenalty;
        PieceTrie.RequireShortPieces(vocabulary);
        _trie = new PieceTrie(vocabulary.Ids);
        if (!byteFallback) return;
        _byteIds = new int[256];
        for (int b = 0; b < 256; b++)
            _byteIds[b] = vocabulary.TryGetId("<0x" + b.ToString("X2", CultureInfo.InvariantCulture) + ">", out int id) ? id : -1;
    }

    /// <summary>The library names what is unknown by its text.</summary>
    public override int ShownAsText => _unkId;

    protected override TokenSpan[] Split(ReadOnlySpan<char> word, CancellationToken cancellationToken)
    {
        const int Short = 128;
        if (word.Length <= Short)
        {
            Span<Place> few = stackalloc Place[Short + 1];
            return Best(word, few[..(word.Length + 1)], cancellationToken);
        }
        Place[] rented = ArrayPool<Place>.Shared.Rent(word.Length + 1);
        TokenSpan[] tokens = Best(word, rented.AsSpan(0, word.Length + 1), cancellationToken);
        ArrayPool<Place>.Shared.Return(rented);
        return tokens;
    }

    private TokenSpan[] Best(ReadOnlySpan<char> word, Span<Place> places, CancellationToken cancellationToken)
    {
        FindBest(word, places, cancellationToken);
        return Backwards(word, places);
    }

    // For every place the piece that ends there on the best way to it. Longer pieces come later and win only if they are better.
    private void FindBest(ReadOnlySpan<char> word, Span<Place> places, CancellationToken cancellationToken)
    {
        places.Fill(new Place(0, -1, 0));
        int units;
        for (int start = 0; start < word.Length; start += units)
        {
            cancellationToken.ThrowIfCancellationRequested();
            units = char.IsHighSurrogate(word[start]) ? 2 : 1;
            double before = places[start].Sum;
            bool known = false;
            int node = _trie.First(word[start]);
            for (int end = start + 1; node != PieceTrie.None; end++)
            {
                int id = _trie.IdAt(node);
                if (id >= 0)
                {
                    known |= end - start == units;
                    Offer(ref places[end], before + _scores[id], start, id);
                }
                if (end == word.Length) break;
                node = _trie.Next(node, word[end]);
            }
            if (!known) Offer(ref places[start + units], before + _unkScore, start, _unkId);
        }
    }

    private static void Offer(ref Place place, double sum, int start, int id)
    {
        if (place.Start < 0 || sum > place.Sum) place = new Place(sum, start, id);
    }

    // From the end: the pieces, unknown ones side by side as one.
    private TokenSpan[] Backwards(ReadOnlySpan<char> word, ReadOnlySpan<Place> places)
    {
        int most = 0;
        for (int end = word.Length; end > 0; end = places[end].Start)
            most += _byteIds is not null && places[end].Id == _unkId ? MostBytes * (end - places[end].Start) : 1;
        var tokens = new TokenSpan[most];
        int first = most;
        for (int end = word.Length; end > 0;)
        {
            (_, int start, int id) = places[end];
            if (id == _unkId)
            {
                while (start > 0 && places[start].Id == _unkId) start = places[start].Start;
                AddUnknown(word, start, end, tokens, ref first);
            }
            else
            {
                tokens[--first] = new TokenSpan(id, start, end);
            }
            end = start;
        }
        return first == 0 ? tokens : tokens[first..];
    }

    private void AddUnknown(ReadOnlySpan<char> word, int start, int end, TokenSpan[] tokens, ref int first)
    {
        if (!Vocabulary.TryGetId(word[start..end], out int id)) id = _unkId;
        int[]? bytes = id != _unkId || _byteIds is null ? null
            : [.. System.Text.Encoding.UTF8.GetBytes(word[start..end].ToString()).Select(b => _byteIds[b])];
        if (bytes is null || bytes.Contains(-1)) tokens[--first] = new TokenSpan(id, start, end);
        else foreach (int one in bytes.Reverse()) tokens[--first] = new TokenSpan(one, start, end);
    }

    // The best way to a place: the sum of its scores, and the piece that ends there (start −1: none does yet).
    private readonly record struct Place(double Sum, int Start, int Id);
}
