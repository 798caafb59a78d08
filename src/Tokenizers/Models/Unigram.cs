using System.Buffers;
using System.Globalization;

namespace ManagedTransformers.Tokenizers;

/// <summary>Splits a word into the pieces whose scores, logarithms of probabilities, have the highest sum.</summary>
/// <remarks>Kudo 2018, arXiv:1804.10959; Unigram of the library, whose sums are float64 and whose ties go to the piece that begins first.</remarks>
internal sealed class Unigram : TokenModel
{
    private const double UnknownPenalty = 10;

    private readonly double[] _scores;
    private readonly int _unkId;
    private readonly double _unkScore;
    private readonly PieceTrie _trie;
    private readonly int[]? _byteIds;       // null: what is unknown is the unknown token

    /// <summary>A model of this vocabulary with the score of each id.</summary>
    public Unigram(Vocabulary vocabulary, double[] scores, int unkId, bool byteFallback)
        : base(vocabulary)
    {
        (_scores, _unkId) = (scores, unkId);
        _unkScore = scores.Min() - UnknownPenalty;
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
        int places = word.Length + 1;
        double[] sums = ArrayPool<double>.Shared.Rent(places);
        int[] rented = ArrayPool<int>.Shared.Rent(2 * places);
        Span<int> starts = rented.AsSpan(0, places), ids = rented.AsSpan(places, places);
        FindBest(word, sums, starts, ids, cancellationToken);
        TokenSpan[] tokens = Backwards(word, starts, ids);
        ArrayPool<double>.Shared.Return(sums);
        ArrayPool<int>.Shared.Return(rented);
        return tokens;
    }

    // For every place the piece that ends there on the best way to it. Longer pieces come later and win only if they are better.
    private void FindBest(ReadOnlySpan<char> word, Span<double> sums, Span<int> starts, Span<int> ids, CancellationToken cancellationToken)
    {
        starts.Fill(-1);
        sums[0] = 0;
        int units;
        for (int start = 0; start < word.Length; start += units)
        {
            cancellationToken.ThrowIfCancellationRequested();
            units = char.IsHighSurrogate(word[start]) ? 2 : 1;
            bool known = false;
            int node = PieceTrie.Root;
            for (int end = start + 1; end <= word.Length && _trie.TryFollow(ref node, word[end - 1]); end++)
            {
                int id = _trie.IdAt(node);
                if (id < 0) continue;
                known |= end - start == units;
                Offer(end, id, sums[start] + _scores[id], sums, starts, ids, start);
            }
            if (!known) Offer(start + units, _unkId, sums[start] + _unkScore, sums, starts, ids, start);
        }
    }

    private static void Offer(int end, int id, double sum, Span<double> sums, Span<int> starts, Span<int> ids, int start)
    {
        if (starts[end] >= 0 && sum <= sums[end]) return;
        (sums[end], starts[end], ids[end]) = (sum, start, id);
    }

    // From the end: the pieces, unknown ones side by side as one.
    private TokenSpan[] Backwards(ReadOnlySpan<char> word, ReadOnlySpan<int> starts, ReadOnlySpan<int> ids)
    {
        var tokens = new List<TokenSpan>();
        for (int end = word.Length; end > 0;)
        {
            (int id, int start) = (ids[end], starts[end]);
            if (id == _unkId)
            {
                while (start > 0 && ids[start] == _unkId) start = starts[start];
                AddUnknown(word, start, end, tokens);
            }
            else
            {
                tokens.Add(new TokenSpan(id, start, end));
            }
            end = start;
        }
        tokens.Reverse();
        return [.. tokens];
    }

    private void AddUnknown(ReadOnlySpan<char> word, int start, int end, List<TokenSpan> tokens)
    {
        if (!Vocabulary.TryGetId(word[start..end], out int id)) id = _unkId;
        if (id != _unkId || _byteIds is null)
        {
            tokens.Add(new TokenSpan(id, start, end));
            return;
        }
        int[] bytes = [.. System.Text.Encoding.UTF8.GetBytes(word[start..end].ToString()).Select(b => _byteIds[b])];
        if (bytes.Contains(-1)) tokens.Add(new TokenSpan(_unkId, start, end));
        else foreach (int one in bytes.Reverse()) tokens.Add(new TokenSpan(one, start, end));
    }
}

/// <summary>The pieces of a vocabulary as a trie of UTF-16 units. All edges lie in one hash table.</summary>
internal sealed class PieceTrie
{
    /// <summary>The node of the empty text.</summary>
    public const int Root = 0;

    private const ulong Multiplier = 0x9E3779B97F4A7C15;        // 2⁶⁴ / the golden ratio

    private readonly List<int> _ids = [-1];     // [nodes]
    private ulong[] _keys = new ulong[1 << 10];     // [edges] node and unit, plus 1; 0: none
    private int[] _children = new int[1 << 10];
    private int _edges;

    /// <summary>A trie of these pieces; the empty one is never found.</summary>
    public PieceTrie(IReadOnlyDictionary<string, int> pieces)
    {
        foreach ((string piece, int id) in pieces)
        {
            int node = Root;
            foreach (char c in piece)
                if (!TryFollow(ref node, c)) node = Add(node, c);
            if (node != Root) _ids[node] = id;
        }
    }

    /// <summary>The id of the piece that ends at a node; −1: none does.</summary>
    public int IdAt(int node) => _ids[node];

    /// <summary>Goes to the node behind a unit; false: no piece goes on so, and <paramref name="node"/> stays.</summary>
    public bool TryFollow(ref int node, char unit)
    {
        ulong key = Key(node, unit);
        int slot = Slot(key);
        if (_keys[slot] != key) return false;
        node = _children[slot];
        return true;
    }

    private int Add(int node, char unit)
    {
        if (2 * ++_edges > _keys.Length) Grow();
        int child = _ids.Count;
        _ids.Add(-1);
        Put(Key(node, unit), child);
        return child;
    }

    private void Put(ulong key, int child)
    {
        int slot = Slot(key);
        (_keys[slot], _children[slot]) = (key, child);
    }

    private void Grow()
    {
        (ulong[] keys, int[] children) = (_keys, _children);
        (_keys, _children) = (new ulong[2 * keys.Length], new int[2 * keys.Length]);
        for (int i = 0; i < keys.Length; i++)
            if (keys[i] != 0) Put(keys[i], children[i]);
    }

    // Where the edge is, or would be.
    private int Slot(ulong key)
    {
        ulong[] keys = _keys;
        int mask = keys.Length - 1;
        int slot = (int)((key * Multiplier) >> 32) & mask;
        while (keys[slot] != key && keys[slot] != 0) slot = (slot + 1) & mask;
        return slot;
    }

    private static ulong Key(int node, char unit) => (((ulong)(uint)node << 16) | unit) + 1;
}
