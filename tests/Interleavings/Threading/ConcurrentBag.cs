namespace System.Collections.Concurrent;

/// <summary>A stack: the last one first, as on one thread.</summary>
internal sealed class ConcurrentBag<T> : IEnumerable<T>
{
    private readonly Stack<T> _items = [];

    public void Add(T item)
    {
        Schedule.Point();
        _items.Push(item);
    }

    public bool TryTake([Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out T item)
    {
        Schedule.Point();
        return _items.TryPop(out item);
    }

    public IEnumerator<T> GetEnumerator() => _items.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
