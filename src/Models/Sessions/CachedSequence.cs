using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>What a KV cache holds of one sequence: keys and values of every layer, and where its tokens stood.</summary>
internal sealed class CachedSequence
{
    private readonly byte[][] _keys;       // per layer: [heads, MaxLength, head_dim] in the cache's type
    private readonly byte[][] _values;
    private readonly byte[] _visible;      // [MaxLength]
    private readonly int[] _columns;       // [MaxLength]: where each token stood in the padded batches
    private readonly int _heads, _maxLength, _vectorBytes;

    public CachedSequence(int layers, int heads, int maxLength, int vectorBytes)
    {
        (_heads, _maxLength, _vectorBytes) = (heads, maxLength, vectorBytes);
        _keys = new byte[layers][];
        _values = new byte[layers][];
        for (int layer = 0; layer < layers; layer++)
        {
            _keys[layer] = GC.AllocateUninitializedArray<byte>(heads * maxLength * vectorBytes);
            _values[layer] = GC.AllocateUninitializedArray<byte>(heads * maxLength * vectorBytes);
        }
        _visible = new byte[maxLength];
        _columns = new int[maxLength];
    }

    /// <summary>Tokens held.</summary>
    public int Length { get; private set; }

    /// <summary>Whether some of them may not be attended to.</summary>
    public bool HasHidden { get; private set; }

    /// <summary>The column after the last token.</summary>
    public int EndColumn => Length == 0 ? 0 : _columns[Length - 1] + 1;

    /// <summary>1 where a token may be attended to, [length].</summary>
    public ReadOnlySpan<byte> Visible(int length) => _visible.AsSpan(0, length);

    /// <summary>Where tokens stand in the padded batches, [length].</summary>
    public ReadOnlySpan<int> Columns(int length) => _columns.AsSpan(0, length);

    /// <summary>A layer's keys, [heads, MaxLength, head_dim].</summary>
    public Span<byte> Keys(int layer) => _keys[layer];

    /// <summary>A layer's values, [heads, MaxLength, head_dim].</summary>
    public Span<byte> Values(int layer) => _values[layer];

    /// <summary>Forgets all tokens from <paramref name="length"/> on.</summary>
    public void Truncate(int length)
    {
        Length = length;
        HasHidden = Visible(length).Contains((byte)0);
    }

    /// <summary>Notes where tokens stand that follow those held; they count once <see cref="Commit"/> is called.</summary>
    public void Reserve(ReadOnlySpan<byte> visible, ReadOnlySpan<int> columns, int firstColumn)
    {
        visible.CopyTo(_visible.AsSpan(Length));
        HasHidden |= visible.Contains((byte)0);
        for (int i = 0; i < columns.Length; i++) _columns[Length + i] = firstColumn + columns[i];
    }

    /// <summary>Counts this many more tokens as read.</summary>
    public void Commit(int tokens) => Length += tokens;

    /// <summary>Says anew, by the mask of all columns read so far, which tokens may be attended to; returns how many of them may.</summary>
    public int Mask(ReadOnlySpan<int> mask)
    {
        int shown = 0;
        for (int i = 0; i < Length; i++)
        {
            _visible[i] = (byte)mask[_columns[i]];
            shown += _visible[i];
        }
        HasHidden = shown < Length;
        return shown;
    }

    /// <summary>Holds this many tokens from column 0 on, all visible; keys and values are written by the caller.</summary>
    public void Fill(int length)
    {
        Array.Fill(_visible, (byte)1);
        for (int i = 0; i < _maxLength; i++) _columns[i] = i;
        (Length, HasHidden) = (length, false);
    }

    /// <summary>Becomes a copy of what another one of the same layers and heads holds.</summary>
    public void CopyFrom(CachedSequence other)
    {
        for (int layer = 0; layer < _keys.Length; layer++)
        {
            CopyHeads(other._keys[layer], other._maxLength, _keys[layer], other.Length);
            CopyHeads(other._values[layer], other._maxLength, _values[layer], other.Length);
        }
        other._visible.AsSpan(0, other.Length).CopyTo(_visible);
        other._columns.AsSpan(0, other.Length).CopyTo(_columns);
        (Length, HasHidden) = (other.Length, other.HasHidden);
    }

    /// <summary>A layer's keys or values without the room behind them, [heads, length, head_dim].</summary>
    public byte[] HeadsOf(ReadOnlySpan<byte> buffer)
    {
        byte[] copy = new byte[_heads * Length * _vectorBytes];
        for (int head = 0; head < _heads; head++)
            buffer.Slice(head * _maxLength * _vectorBytes, Length * _vectorBytes).CopyTo(copy.AsSpan(head * Length * _vectorBytes));
        return copy;
    }

    /// <summary>Writes a layer's keys or values from [heads, length, head_dim].</summary>
    public void SetHeads(Span<byte> buffer, ReadOnlySpan<byte> heads, int length) => CopyHeads(heads, length, buffer, length);

    private void CopyHeads(ReadOnlySpan<byte> from, int fromMaxLength, Span<byte> to, int length)
    {
        for (int head = 0; head < _heads; head++)
            from.Slice(head * fromMaxLength * _vectorBytes, length * _vectorBytes).CopyTo(to[(head * _maxLength * _vectorBytes)..]);
    }
}
