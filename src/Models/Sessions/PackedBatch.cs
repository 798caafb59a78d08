namespace ManagedTransformers.Models;

/// <summary>
/// The tokens of a batch, row after row without the padding: layers work on [tokens, width], attention row by row. Reused from
/// pass to pass, so that a decode step allocates nothing.
/// </summary>
public sealed class PackedBatch
{
    private int[] _rowStarts = new int[2];
    private int[] _slots = new int[1];
    private int[] _tokenIds = [];
    private int[] _typeIds = [];
    private int[] _positions = [];
    private int[] _columns = [];
    private byte[] _visible = [];
    private bool _isPacked;

    internal PackedBatch()
    {
    }

    /// <summary>Rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Tokens of all rows.</summary>
    public int Tokens { get; private set; }

    /// <summary>Columns of the padded batch.</summary>
    public int Width { get; private set; }

    /// <summary>Whether each row starts where its sequence ends, whatever the other rows do; otherwise all rows start at one column.</summary>
    public bool StartsAtOwnEnd { get; private set; }

    /// <summary>Whether some token may not be attended to (padding that is computed).</summary>
    public bool HasHiddenTokens { get; private set; }

    /// <summary>Token ids, [tokens].</summary>
    public Span<int> TokenIds => _tokenIds.AsSpan(0, Tokens);

    /// <summary>Vectors in place of token ids, [rows, width, hidden] with the padding; null where ids were given.</summary>
    public FloatTensor? InputsEmbeds { get; private set; }

    /// <summary>Whether segments were given; without them <see cref="TypeIds"/> are 0.</summary>
    public bool HasTypeIds { get; private set; }

    /// <summary>Segment ids, [tokens].</summary>
    public Span<int> TypeIds => _typeIds.AsSpan(0, Tokens);

    /// <summary>Positions, [tokens].</summary>
    public Span<int> Positions => _positions.AsSpan(0, Tokens);

    /// <summary>One more than the largest position of all rows where tokens count columns or positions were given, padding that is left out included.</summary>
    internal int EndPosition { get; private set; }

    /// <summary>Each token's column in the padded batch, [tokens].</summary>
    public Span<int> Columns => _columns.AsSpan(0, Tokens);

    /// <summary>1 where a token may be attended to, [tokens].</summary>
    public Span<byte> Visible => _visible.AsSpan(0, Tokens);

    /// <summary>The first token of a row.</summary>
    public int RowStart(int row) => _rowStarts[row];

    /// <summary>The number of tokens of a row.</summary>
    public int RowLength(int row) => _rowStarts[row + 1] - _rowStarts[row];

    /// <summary>The sequence of the KV cache that a row continues.</summary>
    public int Slot(int row) => _slots[row];

    /// <summary>The token at a place of the padded batch, or −1 where that place is padding.</summary>
    public int TokenAt(int row, int column)
    {
        int index = Columns[_rowStarts[row].._rowStarts[row + 1]].IndexOf(column);
        return index < 0 ? -1 : _rowStarts[row] + index;
    }

    /// <summary>Takes the tokens whose mask is not 0, or all of them, with their ids, segments and positions.</summary>
    /// <param name="inputs">Inputs that were checked.</param>
    /// <param name="mask">The attention mask of the new tokens, [rows, width]; empty: all ones.</param>
    /// <param name="keepPadding">Keep masked tokens, marked as not visible.</param>
    /// <param name="cache">The KV cache that the rows continue; null: none.</param>
    /// <param name="positions">How the model numbers its tokens.</param>
    internal void Pack(ModelInputs inputs, ReadOnlySpan<int> mask, bool keepPadding, KeyValueCache? cache, PositionLimit positions)
    {
        _isPacked = inputs.RowLengths is not null;
        if (inputs.RowLengths is int[] lengths)
            PackColumns(lengths, inputs.SequenceLength);
        else
            PackColumns(inputs.BatchSize, inputs.SequenceLength, mask, keepPadding);
        (InputsEmbeds, HasTypeIds) = (inputs.InputsEmbeds, inputs.TokenTypeIds is not null);
        if (inputs.InputIds is int[] ids)
            Gather(ids, TokenIds);
        if (inputs.TokenTypeIds is int[] types)
            Gather(types, TypeIds);
        else
            TypeIds.Clear();
        if (inputs.PositionIds is int[] given)
            Gather(given, Positions);
        else if (positions.PaddingIdx is int padding)
            CountFromPadding(inputs, padding);
        else if (positions.CountsVisible)
            CountVisible(cache);
        else
            CountColumns(cache?.Columns ?? 0);
        EndPosition = inputs.PositionIds is { Length: > 0 } all ? all.Max() + 1 : (cache?.Columns ?? 0) + Width;
    }

    private void PackColumns(int[] lengths, int width)
    {
        Reserve(lengths.Length, lengths.Sum());
        (Rows, Width, Tokens, HasHiddenTokens, StartsAtOwnEnd) = (lengths.Length, width, 0, false, false);
        for (int row = 0; row < Rows; row++)
        {
            (_slots[row], _rowStarts[row]) = (row, Tokens);
            for (int column = 0; column < lengths[row]; column++, Tokens++)
                (_columns[Tokens], _visible[Tokens]) = (column, 1);
        }
        _rowStarts[Rows] = Tokens;
    }

    private void PackColumns(int rows, int width, ReadOnlySpan<int> mask, bool keepPadding)
    {
        Reserve(rows, rows * width);
        (Rows, Width, Tokens, HasHiddenTokens, StartsAtOwnEnd) = (rows, width, 0, false, false);
        for (int row = 0; row < rows; row++)
        {
            (_slots[row], _rowStarts[row]) = (row, Tokens);
            for (int column = 0; column < width; column++)
            {
                bool visible = mask.IsEmpty || mask[row * width + column] != 0;
                if (!visible && !keepPadding)
                    continue;
                (_columns[Tokens], _visible[Tokens]) = (column, visible ? (byte)1 : (byte)0);
                HasHiddenTokens |= !visible;
                Tokens++;
            }
        }
        _rowStarts[rows] = Tokens;
    }

    /// <summary>A token's position is its column; padding counts, as in transformers.</summary>
    private void CountColumns(int past)
    {
        for (int token = 0; token < Tokens; token++)
            _positions[token] = past + _columns[token];
    }

    /// <summary>GPTBigCode counts the tokens that the mask shows.</summary>
    private void CountVisible(KeyValueCache? cache)
    {
        const int Hidden = 1;
        for (int row = 0; row < Rows; row++)
        {
            int next = cache?.Of(row).CountVisible() ?? 0;
            for (int token = _rowStarts[row]; token < _rowStarts[row + 1]; token++)
                _positions[token] = _visible[token] != 0 ? next++ : Hidden;
        }
    }

    /// <summary>RoBERTa counts the tokens that are not padding by their ids, from padding_idx + 1.</summary>
    private void CountFromPadding(ModelInputs inputs, int padding)
    {
        var positions = new int[inputs.Places];
        for (int row = 0; row < inputs.BatchSize; row++)
        {
            int next = padding + 1;
            (int start, int end) = _isPacked ? (_rowStarts[row], _rowStarts[row + 1]) : (row * Width, (row + 1) * Width);
            for (int i = start; i < end; i++)
                positions[i] = inputs.InputIds is int[] ids && ids[i] == padding ? padding : next++;
        }
        Gather(positions, Positions);
    }

    /// <summary>Rows without padding that continue the given sequences of the KV cache.</summary>
    /// <param name="tokenIds">The tokens, row after row.</param>
    /// <param name="lengths">Tokens of each row; empty: one each.</param>
    /// <param name="slots">The sequence that each row continues.</param>
    /// <param name="cache">The cache; positions count the tokens that its sequences hold.</param>
    internal void PackRows(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> lengths, ReadOnlySpan<int> slots, KeyValueCache cache)
    {
        Reserve(slots.Length, tokenIds.Length);
        (Rows, Tokens, Width, HasHiddenTokens, StartsAtOwnEnd) = (slots.Length, tokenIds.Length, 0, false, true);
        (InputsEmbeds, HasTypeIds, _isPacked) = (null, false, true);
        int token = 0;
        for (int row = 0; row < Rows; row++)
        {
            int length = lengths.IsEmpty ? 1 : lengths[row], past = cache.Length(slots[row]);
            (_slots[row], _rowStarts[row], Width) = (slots[row], token, Math.Max(Width, length));
            for (int column = 0; column < length; column++, token++)
                (_columns[token], _visible[token], _positions[token]) = (column, 1, past + column);
        }
        _rowStarts[Rows] = token;
        tokenIds.CopyTo(_tokenIds);
    }

    /// <summary>Takes from a padded [rows, width] array what belongs to the packed tokens; inputs without padding are packed already.</summary>
    internal void Gather(ReadOnlySpan<int> padded, Span<int> packed)
    {
        if (_isPacked)
        {
            padded.CopyTo(packed);
            return;
        }
        for (int row = 0; row < Rows; row++)
            for (int t = _rowStarts[row]; t < _rowStarts[row + 1]; t++)
                packed[t] = padded[row * Width + _columns[t]];
    }

    /// <summary>Takes the vectors of the packed tokens from a padded [rows, width, n] array.</summary>
    internal void Gather(ReadOnlySpan<float> padded, FloatTensor packed)
    {
        int n = packed.Shape[^1];
        for (int row = 0; row < Rows; row++)
            for (int t = _rowStarts[row]; t < _rowStarts[row + 1]; t++)
                padded.Slice((row * Width + _columns[t]) * n, n).CopyTo(packed.Row(t));
    }

    /// <summary>Lays packed vectors [tokens, n] out as a padded [rows, width, n] tensor; padding is zero.</summary>
    public FloatTensor Unpack(FloatTensor packed, string name)
    {
        bool isFull = Tokens == (long)Rows * Width;                    // every element is written
        var padded = isFull
            ? new FloatTensor(GC.AllocateUninitializedArray<float>(packed.Length), name, Rows, Width, packed.Shape[^1])
            : new FloatTensor(name, Rows, Width, packed.Shape[^1]);
        for (int row = 0; row < Rows; row++)
            for (int t = _rowStarts[row]; t < _rowStarts[row + 1]; t++)
                packed.Row(t).CopyTo(padded.Row(row * Width + _columns[t]));
        return padded;
    }

    private void Reserve(int rows, int tokens)
    {
        if (_slots.Length < rows)
            (_slots, _rowStarts) = (new int[rows], new int[rows + 1]);
        if (_columns.Length < tokens)
            (_tokenIds, _typeIds, _positions, _columns, _visible) = (new int[tokens], new int[tokens], new int[tokens], new int[tokens], new byte[tokens]);
    }
}
