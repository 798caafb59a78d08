namespace ManagedTransformers;

/// <summary>Tokens from the highest score down, put in order only as far as they are taken: a binary heap. Scores of −∞ are left out.</summary>
internal ref struct ScoreOrder
{
    private readonly ReadOnlySpan<float> _scores;
    private readonly Span<int> _heap;
    private readonly bool _lowestIdFirst;

    /// <summary>Makes the heap, in time of the number of scores.</summary>
    /// <param name="scores">A score for each token; they may not change while tokens are taken.</param>
    /// <param name="scratch">As long as <paramref name="scores"/>.</param>
    /// <param name="lowestIdFirst">Of equal scores: torch.sort's order where it descends; otherwise that of ascending, from its end.</param>
    public ScoreOrder(ReadOnlySpan<float> scores, Span<int> scratch, bool lowestIdFirst)
    {
        _scores = scores;
        _heap = scratch;
        _lowestIdFirst = lowestIdFirst;
        for (int token = 0; token < scores.Length; token++)
        {
            if (scores[token] > float.NegativeInfinity)
                scratch[Count++] = token;
        }
        for (int i = Count / 2 - 1; i >= 0; i--)
            SiftDown(i);
    }

    /// <summary>Tokens that were not taken.</summary>
    public int Count { get; private set; }

    /// <summary>The tokens that were not taken, in no order.</summary>
    public readonly ReadOnlySpan<int> Rest => _heap[..Count];

    /// <summary>The next token.</summary>
    public int Take()
    {
        int first = _heap[0];
        _heap[0] = _heap[--Count];
        if (Count > 0)
            SiftDown(0);
        return first;
    }

    private readonly void SiftDown(int parent)
    {
        int token = _heap[parent];
        for (int child; (child = 2 * parent + 1) < Count; parent = child)
        {
            if (child + 1 < Count && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], token))
                break;
            _heap[parent] = _heap[child];
        }
        _heap[parent] = token;
    }

    private readonly bool IsBefore(int a, int b) =>
        _scores[a] > _scores[b] || (_scores[a] == _scores[b] && (a < b) == _lowestIdFirst);
}
