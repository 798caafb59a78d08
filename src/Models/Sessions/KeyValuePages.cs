using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>The pages that the sequences of a cache are made of: rented as sequences grow, shared where they begin alike, reused once nobody holds
/// them.</summary>
/// <remarks>Kwon et al. 2023, arXiv:2309.06180. A page holds keys and values of all layers, each [heads, Tokens, head_dim]. Thread-safe.</remarks>
internal sealed class KeyValuePages
{
    /// <summary>Tokens of a page.</summary>
    public const int Tokens = 64;

    private readonly Stack<KeyValuePage> _free = [];
    private readonly Lock _gate = new();
    private readonly int _pageBytes;

    /// <exception cref="ModelInputException">A page would be longer than an array can be.</exception>
    public KeyValuePages(int layers, int heads, int headDim, WeightType type)
    {
        VectorBytes = headDim * WeightMatrix.ElementSize(type);
        LayerBytes = heads * Tokens * VectorBytes;
        long bytes = 2L * layers * heads * Tokens * VectorBytes;
        if (bytes > Array.MaxLength)
            throw new ModelInputException($"{Tokens} tokens of {layers} layers with {heads} heads of {headDim} take {bytes} bytes of keys and values, over " +
                $"{Array.MaxLength}. Store them as F16 (SessionOptions.KeyValueType).");
        (Layers, Heads, _pageBytes) = (layers, heads, (int)bytes);
    }

    public int Layers { get; }
    public int Heads { get; }

    /// <summary>Bytes of one key or value.</summary>
    public int VectorBytes { get; }

    /// <summary>Bytes of a page's keys, or of its values, in one layer.</summary>
    public int LayerBytes { get; }

    /// <summary>Bytes of the pages that somebody holds.</summary>
    public long BytesInUse { get; private set; }

    /// <summary>Bytes of the pages for this many tokens.</summary>
    public long BytesFor(int tokens) => (tokens + Tokens - 1L) / Tokens * _pageBytes;

    /// <summary>From a page's beginning to the keys of a layer, or to its values, in bytes.</summary>
    public int Offset(int layer, KeyOrValue what) => ((2 * layer) + (int)what) * LayerBytes;

    /// <summary>A page of undefined content, held once.</summary>
    public KeyValuePage Rent()
    {
        lock (_gate)
        {
            BytesInUse += _pageBytes;
            if (_free.TryPop(out KeyValuePage? page))
            {
                page.Share();
                return page;
            }
        }
        return new KeyValuePage(this, _pageBytes);
    }

    /// <summary>Takes a page back that nobody holds any more.</summary>
    internal void Return(KeyValuePage page)
    {
        lock (_gate)
        {
            BytesInUse -= _pageBytes;
            _free.Push(page);
        }
    }
}

/// <summary>Which of the two an attention stores for a token.</summary>
internal enum KeyOrValue
{
    Key,
    Value,
}

/// <summary>Keys and values of some tokens in a row. Several sequences may hold it; then nobody writes into it.</summary>
internal sealed unsafe class KeyValuePage
{
    private readonly KeyValuePages _pages;
    private readonly byte[] _bytes;
    private int _holders = 1;

    public KeyValuePage(KeyValuePages pages, int bytes)
    {
        _pages = pages;
        _bytes = GC.AllocateUninitializedArray<byte>(bytes, pinned: true);
        fixed (byte* start = _bytes) Address = (nint)start;
    }

    /// <summary>Where it begins; it never moves.</summary>
    public nint Address { get; }

    public bool IsShared => Volatile.Read(ref _holders) > 1;

    /// <summary>Keys or values of all heads in a layer, [heads, Tokens, head_dim] as stored.</summary>
    public Span<byte> Layer(int layer, KeyOrValue what) => _bytes.AsSpan(_pages.Offset(layer, what), _pages.LayerBytes);

    /// <summary>Those of one head, [Tokens, head_dim] as stored.</summary>
    public Span<byte> Head(int layer, KeyOrValue what, int head) =>
        Layer(layer, what).Slice(head * KeyValuePages.Tokens * _pages.VectorBytes, KeyValuePages.Tokens * _pages.VectorBytes);

    /// <summary>Another sequence holds it, too.</summary>
    public void Share() => Interlocked.Increment(ref _holders);

    /// <summary>A sequence no longer holds it.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0) _pages.Return(this);
    }

    /// <summary>A page with the same first tokens, for somebody who goes on differently.</summary>
    public KeyValuePage CopyOf(int tokens)
    {
        KeyValuePage copy = _pages.Rent();
        int bytes = tokens * _pages.VectorBytes;
        for (int layer = 0; layer < _pages.Layers; layer++)
        {
            for (int head = 0; head < _pages.Heads; head++)
            {
                Head(layer, KeyOrValue.Key, head)[..bytes].CopyTo(copy.Head(layer, KeyOrValue.Key, head));
                Head(layer, KeyOrValue.Value, head)[..bytes].CopyTo(copy.Head(layer, KeyOrValue.Value, head));
            }
        }
        return copy;
    }
}
