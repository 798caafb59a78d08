namespace ManagedTransformers.Tokenizers;

/// <summary>The pieces of a vocabulary as a trie of UTF-16 units. Nodes are in order of their depth, and of the texts that lead to them: the children of a node
/// lie side by side, in order of their units, and those of the next node follow them.</summary>
internal sealed class PieceTrie
{
    /// <summary>No node: no piece goes on so.</summary>
    public const int None = 0;

    /// <summary>What a place in a text costs grows with the longest piece; no tokenizer has one of a quarter of this.</summary>
    public const int LongestPiece = 256;

    private readonly int[] _firsts = new int[char.MaxValue + 1];    // the node of each first unit
    private readonly Node[] _nodes;         // [nodes + 1]; the root is the first, and is never gone to
    private readonly char[] _units;         // [nodes]

    /// <summary>A trie of these pieces; the empty one is never found.</summary>
    public PieceTrie(IReadOnlyDictionary<string, int> pieces)
    {
        KeyValuePair<string, int>[] sorted = Sorted(pieces);
        int count = 1;
        for (int i = 0; i < sorted.Length; i++) count += sorted[i].Key.Length - (i == 0 ? 0 : sorted[i].Key.AsSpan().CommonPrefixLength(sorted[i - 1].Key));
        (_nodes, _units) = (new Node[count + 1], new char[count]);
        int next = 1;
        var open = new Queue<(int From, int To, int Depth)>([(0, sorted.Length, 0)]);
        for (int node = 0; open.TryDequeue(out (int From, int To, int Depth) one); node++)
        {
            // The piece that ends at the node comes first; the others go on with a unit each.
            (int from, int to, int depth) = one;
            bool ends = from < to && sorted[from].Key.Length == depth;
            _nodes[node] = new Node(next, ends ? sorted[from++].Value : -1);
            while (from < to)
            {
                char unit = sorted[from].Key[depth];
                int same = from + 1;
                while (same < to && sorted[same].Key[depth] == unit) same++;
                if (node == 0) _firsts[unit] = next;
                _units[next++] = unit;
                open.Enqueue((from, same, depth + 1));
                from = same;
            }
        }
        _nodes[count] = new Node(next, -1);
    }

    /// <exception cref="TokenizerException">A piece is too long.</exception>
    public static void RequireShortPieces(Vocabulary vocabulary)
    {
        if (vocabulary.MaxTokenLength <= LongestPiece) return;
        (string piece, int id) = vocabulary.Ids.First(one => one.Key.Length > LongestPiece);
        throw new TokenizerException($"The vocabulary has a piece of {piece.Length} characters (id {id}, {Vocabulary.Show(piece)}); at most {LongestPiece} " +
            "are possible, because each place of a text is compared with all of it. The vocabulary is damaged, or made to take time.");
    }

    /// <summary>The id of the piece that ends at a node; −1: none does.</summary>
    public int IdAt(int node) => _nodes[node].Id;

    /// <summary>The node of a first unit.</summary>
    public int First(char unit) => _firsts[unit];

    /// <summary>The node behind a unit.</summary>
    public int Next(int node, char unit)
    {
        const int Few = 8;
        int first = _nodes[node].FirstChild;
        ReadOnlySpan<char> units = _units.AsSpan(first, _nodes[node + 1].FirstChild - first);
        if (units.Length > Few)
        {
            int found = units.BinarySearch(unit);
            return found < 0 ? None : first + found;
        }
        for (int i = 0; i < units.Length; i++)
            if (units[i] == unit) return first + i;
        return None;
    }

    /// <summary>The node behind a text; <see cref="None"/> for the empty one, too.</summary>
    public int After(string text)
    {
        int node = text.Length == 0 ? None : First(text[0]);
        for (int i = 1; i < text.Length && node != None; i++) node = Next(node, text[i]);
        return node;
    }

    // In ordinal order: by the first four units, which as a number are compared fastest, and by all where those are the same.
    private static KeyValuePair<string, int>[] Sorted(IReadOnlyDictionary<string, int> pieces)
    {
        KeyValuePair<string, int>[] sorted = [.. pieces.Where(piece => piece.Key.Length > 0)];
        ulong[] firsts = Array.ConvertAll(sorted, piece => FirstFour(piece.Key));
        Array.Sort(firsts, sorted);
        var all = Comparer<KeyValuePair<string, int>>.Create((a, b) => string.CompareOrdinal(a.Key, b.Key));
        for (int from = 0, to; from < sorted.Length; from = to)
        {
            to = from + 1;
            while (to < sorted.Length && firsts[to] == firsts[from]) to++;
            if (to - from > 1) Array.Sort(sorted, from, to - from, all);
        }
        return sorted;

        static ulong FirstFour(string text)
        {
            ulong first = 0;
            for (int i = 0; i < 4; i++) first = (first << 16) | (i < text.Length ? text[i] : '\0');
            return first;
        }
    }

    private readonly record struct Node(int FirstChild, int Id);
}
