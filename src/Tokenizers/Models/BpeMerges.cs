namespace ManagedTransformers.Tokenizers;

/// <summary>Which pairs of tokens join to which, and which pair goes first.</summary>
internal sealed class BpeMerges
{
    private readonly Dictionary<long, Merge> _byPair;

    /// <summary>The merges, best first. A pair that comes again has the last of its ranks, as in the library.</summary>
    public BpeMerges(IReadOnlyList<(int Left, int Right, int Joined)> ranked)
    {
        Ranked = ranked;
        _byPair = new Dictionary<long, Merge>(ranked.Count);
        for (int rank = 0; rank < ranked.Count; rank++)
            _byPair[Key(ranked[rank].Left, ranked[rank].Right)] = new Merge(rank, ranked[rank].Joined);
    }

    /// <summary>The merges, best first.</summary>
    public IReadOnlyList<(int Left, int Right, int Joined)> Ranked { get; }

    /// <summary>Joins symbols in place, best pair first, leftmost where two are as good; returns how many are left.</summary>
    public int Apply(Span<int> ids, Span<int> lengths)
    {
        const int Short = 48;
        return ids.Length <= Short ? ApplyToShort(ids, lengths) : ApplyToLong(ids, lengths);
    }

    // A few symbols: looking at all pairs each time beats keeping a queue.
    private int ApplyToShort(Span<int> ids, Span<int> lengths)
    {
        int count = ids.Length;
        Span<int> ranks = stackalloc int[count + 1];
        for (int i = 0; i + 1 < count; i++) ranks[i] = RankOf(ids[i], ids[i + 1]);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best]) best = i;
            if (ranks[best] == int.MaxValue) break;

            ids[best] = Ranked[ranks[best]].Joined;
            lengths[best] += lengths[best + 1];
            count--;
            ids[(best + 2)..(count + 1)].CopyTo(ids[(best + 1)..]);
            lengths[(best + 2)..(count + 1)].CopyTo(lengths[(best + 1)..]);
            ranks[(best + 2)..(count + 1)].CopyTo(ranks[(best + 1)..]);
            if (best + 1 < count) ranks[best] = RankOf(ids[best], ids[best + 1]);
            if (best > 0) ranks[best - 1] = RankOf(ids[best - 1], ids[best]);
        }
        return count;
    }

    // Many symbols: a linked list and a queue of pairs, n log n. Entries whose pair has gone meanwhile are passed over.
    private int ApplyToLong(Span<int> ids, Span<int> lengths)
    {
        int count = ids.Length;
        var previous = new int[count];
        var next = new int[count];
        var queue = new PriorityQueue<int, long>(count);
        for (int i = 0; i < count; i++) (previous[i], next[i]) = (i - 1, i + 1);
        for (int i = 0; i + 1 < count; i++) Enqueue(queue, i, ids[i], ids[i + 1]);

        while (queue.TryDequeue(out int left, out long priority))
        {
            int rank = (int)(priority >> 32), right = next[left];
            if (lengths[left] == 0 || right == count || RankOf(ids[left], ids[right]) != rank) continue;

            ids[left] = Ranked[rank].Joined;
            lengths[left] += lengths[right];
            lengths[right] = 0;
            next[left] = next[right];
            if (next[left] < count)
            {
                previous[next[left]] = left;
                Enqueue(queue, left, ids[left], ids[next[left]]);
            }
            if (previous[left] >= 0) Enqueue(queue, previous[left], ids[previous[left]], ids[left]);
        }
        int kept = 0;
        for (int i = 0; i < count; i = next[i], kept++) (ids[kept], lengths[kept]) = (ids[i], lengths[i]);
        return kept;
    }

    private void Enqueue(PriorityQueue<int, long> queue, int position, int left, int right)
    {
        int rank = RankOf(left, right);
        if (rank != int.MaxValue) queue.Enqueue(position, Key(rank, position));
    }

    private int RankOf(int left, int right) => _byPair.TryGetValue(Key(left, right), out Merge merge) ? merge.Rank : int.MaxValue;

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private readonly record struct Merge(int Rank, int Joined);
}
