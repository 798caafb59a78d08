using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>The nearest rows of a matrix: every row is read once, blocks on all threads.</summary>
internal static class FlatSearch
{
    // Less than that is read by one thread in less time than another one needs to start.
    private const int FloatsPerThread = 1 << 18;

    /// <summary>Finds rows, nearest first; of rows that are equally near the one that was added first.</summary>
    /// <param name="matrix">[rows, dimensions].</param>
    /// <param name="query">[dimensions].</param>
    /// <param name="measure">What is near.</param>
    /// <param name="top">How many at most.</param>
    /// <param name="accept">Whether a row counts; asked only for rows that are near enough. Null: all count.</param>
    /// <param name="threshold">The least similarity, or the greatest distance; null: any.</param>
    /// <param name="maxThreads">Threads at most, the caller's included.</param>
    /// <param name="cancellationToken">Ends the search between two blocks.</param>
    public static IReadOnlyList<(int Row, double Score)> Run(
        VectorMatrix matrix, ReadOnlyMemory<float> query, VectorMeasure measure, int top, Func<int, bool>? accept, double? threshold, int maxThreads,
        CancellationToken cancellationToken)
    {
        ReadOnlyMemory<float> scaled = measure.UnitQuery ? Unit(query.Span) : query;
        float least = threshold is not double limit ? float.NegativeInfinity : (float)(measure.MoreIsNearer ? limit : -limit);
        int next = -1, blocks = matrix.Blocks;
        var all = new NearestRows(top, least);
        void Work()
        {
            var mine = new NearestRows(top, least);
            var scratch = new float[matrix.Dimensions];
            for (int block = Interlocked.Increment(ref next); block < blocks; block = Interlocked.Increment(ref next))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Scan(matrix, block, scaled.Span, measure, mine, accept, scratch);
            }
            lock (all)
                all.Add(mine);
        }
        int threads = (int)Math.Clamp((long)matrix.Rows * matrix.Dimensions / FloatsPerThread, 1, Math.Min(maxThreads, Math.Max(1, blocks)));
        if (threads == 1)
            Work();
        else
            OnThreads(threads, Work, cancellationToken);
        return [.. all.Sorted().Select(found => (found.Row, (double)(measure.MoreIsNearer ? found.Nearness : -found.Nearness)))];
    }

    private static void OnThreads(int threads, Action work, CancellationToken cancellationToken)
    {
        try
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellationToken }, _ => work());
        }
        catch (AggregateException e)
        {
            // What a filter throws comes out as it does on one thread.
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private static void Scan(
        VectorMatrix matrix, int block, ReadOnlySpan<float> query, VectorMeasure measure, NearestRows nearest, Func<int, bool>? accept, Span<float> scratch)
    {
        (ReadOnlyMemory<float> memory, ReadOnlyMemory<float> norms) = matrix.Block(block);
        ReadOnlySpan<float> vectors = memory.Span, inverseNorms = norms.Span;
        int width = matrix.Dimensions, first = block * matrix.RowsPerBlock;
        for (int i = 0; i < inverseNorms.Length; i++)
        {
            float value = measure.Of(vectors.Slice(i * width, width), query, inverseNorms[i], scratch);
            float nearness = measure.MoreIsNearer ? value : -value;
            // NaN, which a missing row gives, is never near enough.
            if (nearest.Wants(nearness, first + i) && !float.IsNaN(inverseNorms[i]) && accept?.Invoke(first + i) != false)
                nearest.Add(nearness, first + i);
        }
    }

    private static float[] Unit(ReadOnlySpan<float> query)
    {
        var unit = new float[query.Length];
        float norm = TensorPrimitives.Norm(query);
        if (norm > 0)
            TensorPrimitives.Divide(query, norm, unit);
        return unit;
    }
}

/// <summary>The rows that are nearest so far.</summary>
/// <param name="capacity">How many are kept.</param>
/// <param name="least">The least nearness that counts.</param>
internal sealed class NearestRows(int capacity, float least)
{
    // The farthest of them comes out first.
    private readonly PriorityQueue<int, Rank> _kept = new();

    public bool Wants(float nearness, int row) =>
        nearness >= least && (_kept.Count < capacity || (_kept.TryPeek(out _, out Rank worst) && worst.CompareTo(new Rank(nearness, row)) < 0));

    public void Add(float nearness, int row)
    {
        if (_kept.Count < capacity)
            _kept.Enqueue(row, new Rank(nearness, row));
        else
            _kept.DequeueEnqueue(row, new Rank(nearness, row));
    }

    public void Add(NearestRows others)
    {
        foreach ((int row, Rank rank) in others._kept.UnorderedItems)
        {
            if (Wants(rank.Nearness, row))
                Add(rank.Nearness, row);
        }
    }

    /// <summary>Nearest first.</summary>
    public IEnumerable<(int Row, float Nearness)> Sorted() =>
        _kept.UnorderedItems.OrderByDescending(item => item.Priority).Select(item => (item.Element, item.Priority.Nearness));

    private readonly record struct Rank(float Nearness, int Row) : IComparable<Rank>
    {
        public int CompareTo(Rank other) => Nearness != other.Nearness ? Nearness.CompareTo(other.Nearness) : other.Row.CompareTo(Row);
    }
}
