namespace ManagedTransformers;

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
