using System.Buffers;

namespace ManagedTransformers.Tokenizers;

/// <summary>Finds tokens in a text: the leftmost, and of those that begin there the longest. Works on UTF-16 units.</summary>
internal sealed class TokenTrie
{
    private readonly List<Node> _nodes = [new Node()];
    private readonly SearchValues<char> _firstUnits;

    /// <summary>A trie of these patterns; empty ones are never found, of equal ones the first.</summary>
    public TokenTrie(IEnumerable<(string Pattern, int Id)> patterns)
    {
        foreach ((string pattern, int id) in patterns)
        {
            if (pattern.Length == 0) continue;
            int node = 0;
            foreach (char c in pattern)
            {
                if (!_nodes[node].Children.TryGetValue(c, out int child))
                {
                    child = _nodes.Count;
                    _nodes[node].Children.Add(c, child);
                    _nodes.Add(new Node());
                }
                node = child;
            }
            if (_nodes[node].Id < 0) _nodes[node].Id = id;
        }
        _firstUnits = SearchValues.Create([.. _nodes[0].Children.Keys]);
    }

    /// <summary>Has it no patterns?</summary>
    public bool IsEmpty => _nodes.Count == 1;

    /// <summary>The next match at or after <paramref name="from"/>.</summary>
    public bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end, out int id)
    {
        for (start = from; start < text.Length; start++)
        {
            int skipped = text[start..].IndexOfAny(_firstUnits);
            if (skipped < 0) break;
            start += skipped;
            if (TryMatch(text, start, out end, out id)) return true;
        }
        (start, end, id) = (text.Length, text.Length, -1);
        return false;
    }

    private bool TryMatch(ReadOnlySpan<char> text, int start, out int end, out int id)
    {
        (end, id) = (start, -1);
        Node node = _nodes[0];
        for (int i = start; i < text.Length && node.Children.TryGetValue(text[i], out int child); i++)
        {
            node = _nodes[child];
            if (node.Id >= 0) (end, id) = (i + 1, node.Id);
        }
        return id >= 0;
    }

    private sealed class Node
    {
        public Dictionary<char, int> Children { get; } = [];

        public int Id { get; set; } = -1;
    }
}
