namespace ManagedTransformers.Serving;

/// <summary>Texts whose keys and values are kept for prompts that begin alike; those that begin alike among themselves share their pages. The one that was
/// not used for the longest time goes first.</summary>
/// <param name="cache">Holds them.</param>
/// <param name="firstSequence">Its sequences from here on are this cache's.</param>
internal sealed class PrefixCache(KeyValueCache cache, int firstSequence)
{
    private readonly List<Entry> _entries = [];            // the least recently used first
    private readonly Stack<int> _free = new(Enumerable.Range(firstSequence, cache.BatchSize - firstSequence).Reverse());

    public int Count => _entries.Count;

    /// <summary>Grows with every change of what is kept.</summary>
    public int Version { get; private set; }

    /// <summary>What is kept, the least recently used first.</summary>
    public IEnumerable<int[]> Prompts => _entries.Select(entry => entry.Tokens);

    /// <summary>The sequence that begins most like a prompt, and how many tokens they have in common; (−1, 0) where none does.</summary>
    public (int Sequence, int Tokens) Find(ReadOnlySpan<int> prompt)
    {
        Entry? best = null;
        int longest = 0;
        foreach (Entry entry in _entries)
        {
            int common = prompt.CommonPrefixLength(entry.Tokens);
            if (common > longest)
                (best, longest) = (entry, common);
        }
        if (best is null)
            return (-1, 0);
        _entries.Remove(best);
        _entries.Add(best);
        return (best.Sequence, longest);
    }

    /// <summary>Keeps what a sequence holds of these tokens, which are its first.</summary>
    public void Keep(int sequence, int[] tokens)
    {
        if (tokens.Length == 0)
            return;
        foreach (Entry entry in _entries)
        {
            int common = entry.Tokens.AsSpan().CommonPrefixLength(tokens);
            if (common == tokens.Length)                   // it is the beginning of what is kept
            {
                _entries.Remove(entry);
                _entries.Add(entry);
                return;
            }
            if (common == entry.Tokens.Length)             // what is kept is its beginning
            {
                Drop(entry);
                break;
            }
        }
        if (_free.Count == 0)
            EvictOne();
        if (!_free.TryPop(out int place))
            return;
        cache.Copy(cache, sequence, place);
        cache.Truncate(place, tokens.Length);
        _entries.Add(new Entry(place, tokens));
        Version++;
    }

    /// <summary>Forgets the text that was not used for the longest time.</summary>
    /// <returns>False: there is none.</returns>
    public bool EvictOne()
    {
        if (_entries.Count == 0)
            return false;
        Drop(_entries[0]);
        return true;
    }

    private void Drop(Entry entry)
    {
        Version++;
        _entries.Remove(entry);
        cache.Truncate(entry.Sequence, 0);
        _free.Push(entry.Sequence);
    }

    private sealed record Entry(int Sequence, int[] Tokens);
}
