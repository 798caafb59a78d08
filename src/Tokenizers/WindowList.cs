using System.Collections;

namespace ManagedTransformers.Tokenizers;

/// <summary>Windows of a text, each made when it is asked for: a long text has many, and they overlap.</summary>
internal sealed class WindowList : IReadOnlyList<Encoding>
{
    public static readonly WindowList None = new(0, _ => new Encoding());

    private readonly long _count;
    private readonly Func<long, Encoding> _window;

    public WindowList(long count, Func<long, Encoding> window) => (_count, _window) = (count, window);

    /// <exception cref="TokenizerException">There are more than an int can count: windows of a text with windows of its pair.</exception>
    public int Count => _count <= int.MaxValue ? (int)_count : throw new TokenizerException(
        $"The two texts have {_count} windows (each of the first with each of the second); at most {int.MaxValue} can be counted. Use a larger MaxLength.");

    public Encoding this[int index] => index >= 0 && index < _count
        ? _window(index)
        : throw new ArgumentOutOfRangeException(nameof(index), $"Window {index} was asked for; there are {_count}.");

    /// <summary>These, each processed when it is asked for.</summary>
    public WindowList Select(Func<Encoding, Encoding> process) => _count == 0 ? this : new WindowList(_count, i => process(_window(i)));

    /// <summary>Every combination of the windows of two texts, in the order of the library's merge_with.</summary>
    public static WindowList OfPair(Encoding first, Encoding second)
    {
        (WindowList mine, WindowList others) = (first.Windows, second.Windows);
        if (mine._count == 0 && others._count == 0) return None;
        long each = others._count + 1;           // a window of the first text stands with what is left of the second, and with each window of it
        long ofFirst = mine._count * each;
        return new WindowList(ofFirst + others._count, i =>
        {
            if (i >= ofFirst) return Encoding.Concat(first, others._window(i - ofFirst));
            return Encoding.Concat(mine._window(i / each), i % each == 0 ? second : others._window((i % each) - 1));
        });
    }

    public IEnumerator<Encoding> GetEnumerator()
    {
        for (long i = 0; i < _count; i++) yield return _window(i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
