using System.Buffers;

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

    public int Count { get; private set; }

    /// <summary>The tokens that were not taken, in no order.</summary>
    public readonly ReadOnlySpan<int> Rest => _heap[..Count];

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

/// <summary>The k-th highest of many numbers, without sorting them.</summary>
internal static class Highest
{
    /// <summary>What stands at place k, counted from 1, in descending order; equals count one by one.</summary>
    public static float At(int k, ReadOnlySpan<float> values)
    {
        // The k highest seen so far, as a heap with the lowest at the top: nearly all values fail against it at once.
        using var rented = new Scratch<float>(k);
        Span<float> heap = rented.Span;
        values[..k].CopyTo(heap);
        for (int i = k / 2 - 1; i >= 0; i--)
            SiftDown(heap, i);
        foreach (float value in values[k..])
        {
            if (value > heap[0])
            {
                heap[0] = value;
                SiftDown(heap, 0);
            }
        }
        return heap[0];
    }

    private static void SiftDown(Span<float> heap, int parent)
    {
        float value = heap[parent];
        for (int child; (child = 2 * parent + 1) < heap.Length; parent = child)
        {
            if (child + 1 < heap.Length && heap[child + 1] < heap[child])
                child++;
            if (value <= heap[child])
                break;
            heap[parent] = heap[child];
        }
        heap[parent] = value;
    }
}

/// <summary>Memory for one call, from the shared pool: processors keep none, because rows and generations share them.</summary>
/// <param name="length">Elements; what is in them at first is anything.</param>
internal readonly ref struct Scratch<T>(int length) : IDisposable
{
    private readonly T[] _array = ArrayPool<T>.Shared.Rent(length);

    public Span<T> Span => _array.AsSpan(0, length);

    public void Dispose() => ArrayPool<T>.Shared.Return(_array);
}
