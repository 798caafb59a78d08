namespace ManagedTransformers.Models;

/// <summary>
/// The keys and values of the tokens that a decoder has read (past_key_values), for a fixed number of sequences of a fixed
/// greatest length: allocated once, appended in place.
/// </summary>
/// <remarks>Memory: 2 · layers · batch · MaxLength · n_embd · 4 bytes, touched only as sequences grow.</remarks>
public sealed class KeyValueCache
{
    private readonly float[][] _keys;      // per layer and sequence: [heads, MaxLength, head_dim]
    private readonly float[][] _values;
    private readonly int[] _lengths;
    private readonly byte[] _visible;      // [batch, MaxLength]
    private readonly int[] _columns;       // [batch, MaxLength]: where each token stood in the padded batches
    private readonly bool[] _hasHidden;

    internal KeyValueCache(int layers, int batchSize, int heads, int maxLength, int headDim)
    {
        (Layers, BatchSize, Heads, MaxLength, HeadDim) = (layers, batchSize, heads, maxLength, headDim);
        long perSequence = (long)heads * maxLength * headDim;
        if (perSequence > Array.MaxLength)
            throw new ModelInputException($"A KV cache of {maxLength} tokens needs {perSequence} numbers per layer and sequence, over {Array.MaxLength}. Ask for a smaller MaxLength.");
        if ((long)layers * batchSize > Array.MaxLength || (long)batchSize * maxLength > Array.MaxLength)
            throw new ModelInputException($"A KV cache of {layers} layers for {batchSize} sequences of {maxLength} tokens is too large. Ask for a smaller BatchSize or MaxLength.");
        _keys = new float[layers * batchSize][];
        _values = new float[layers * batchSize][];
        for (int i = 0; i < _keys.Length; i++)
        {
            _keys[i] = GC.AllocateUninitializedArray<float>((int)perSequence);
            _values[i] = GC.AllocateUninitializedArray<float>((int)perSequence);
        }
        _lengths = new int[batchSize];
        _visible = new byte[checked(batchSize * maxLength)];
        _columns = new int[batchSize * maxLength];
        _hasHidden = new bool[batchSize];
    }

    /// <summary>Layers of the model.</summary>
    public int Layers { get; }

    /// <summary>Sequences.</summary>
    public int BatchSize { get; }

    /// <summary>Heads per layer.</summary>
    public int Heads { get; }

    /// <summary>The most tokens of a sequence.</summary>
    public int MaxLength { get; }

    /// <summary>Width of a head.</summary>
    public int HeadDim { get; }

    /// <summary>Columns read so far, padding included: the position that the next token has by default.</summary>
    public int Columns { get; internal set; }

    /// <summary>The tokens that a sequence holds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public int Length(int sequence) => (uint)sequence < (uint)_lengths.Length
        ? _lengths[sequence]
        : throw new ArgumentOutOfRangeException(nameof(sequence), sequence, $"The cache has sequences 0 … {BatchSize - 1}.");

    /// <summary>Forgets all tokens; memory stays.</summary>
    public void Clear()
    {
        Columns = 0;
        Array.Clear(_lengths);
        Array.Clear(_hasHidden);
    }

    /// <summary>Forgets the tokens of a sequence from a place on, so that others can follow there.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="length">The tokens to keep.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence, or it holds fewer tokens.</exception>
    public void Truncate(int sequence, int length)
    {
        if (length < 0 || length > Length(sequence))
            throw new ArgumentOutOfRangeException(nameof(length), length, $"Sequence {sequence} holds {Length(sequence)} tokens; 0 … {Length(sequence)} of them can be kept.");
        _lengths[sequence] = length;
        Columns = 0;
        for (int i = 0; i < BatchSize; i++)
            Columns = Math.Max(Columns, _lengths[i] == 0 ? 0 : _columns[i * MaxLength + _lengths[i] - 1] + 1);
    }

    /// <summary>A copy of a layer's keys, [batch, heads, length, head_dim]; shorter sequences are filled with zeros.</summary>
    public Tensor Keys(int layer) => Export(_keys, layer, "key");

    /// <summary>A copy of a layer's values, [batch, heads, length, head_dim]; shorter sequences are filled with zeros.</summary>
    public Tensor Values(int layer) => Export(_values, layer, "value");

    /// <summary>Replaces what is held by keys and values of the same form as <see cref="Keys"/> gives: past_key_values as an input.</summary>
    /// <param name="pastKeyValues">One pair per layer, each [batch, heads, length, head_dim].</param>
    /// <exception cref="ModelInputException">The number of layers or a shape does not fit.</exception>
    public void Load(IReadOnlyList<(Tensor Key, Tensor Value)> pastKeyValues)
    {
        ArgumentNullException.ThrowIfNull(pastKeyValues);
        if (pastKeyValues.Count != Layers)
            throw new ModelInputException($"past_key_values has {pastKeyValues.Count} layers; the model has {Layers}.");
        int length = pastKeyValues[0].Key.Rank == 4 ? pastKeyValues[0].Key.Shape[2] : 0;
        foreach ((Tensor key, Tensor value) in pastKeyValues)
        {
            CheckShape(key, length);
            CheckShape(value, length);
        }
        Clear();
        for (int layer = 0; layer < Layers; layer++)
        {
            Import(_keys, layer, pastKeyValues[layer].Key, length);
            Import(_values, layer, pastKeyValues[layer].Value, length);
        }
        Array.Fill(_lengths, length);
        Array.Fill(_visible, (byte)1);
        for (int i = 0; i < _columns.Length; i++)
            _columns[i] = i % MaxLength;
        Columns = length;
    }

    /// <summary>A layer's keys of a sequence, [heads, MaxLength, head_dim].</summary>
    internal Span<float> KeyBuffer(int layer, int sequence) => _keys[layer * BatchSize + sequence];

    /// <summary>A layer's values of a sequence, [heads, MaxLength, head_dim].</summary>
    internal Span<float> ValueBuffer(int layer, int sequence) => _values[layer * BatchSize + sequence];

    /// <summary>Which tokens of a sequence may be attended to, [tokens]; empty where all may.</summary>
    internal ReadOnlySpan<byte> KeyMask(int sequence, int tokens) => _hasHidden[sequence] ? _visible.AsSpan(sequence * MaxLength, tokens) : [];

    /// <summary>Takes over the part of an attention mask [batch, past + sequence] that speaks of tokens read before.</summary>
    /// <param name="mask">The mask; one of the new tokens alone, or none, leaves what is held as it was masked before.</param>
    /// <param name="rows">Rows of the batch.</param>
    /// <param name="sequence">New columns of the batch.</param>
    /// <exception cref="ModelInputException">The mask shows a place that was left out as padding when it was read.</exception>
    internal void MaskPast(int[]? mask, int rows, int sequence)
    {
        if (mask is null || Columns == 0 || mask.Length != rows * (Columns + sequence))
            return;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<int> past = mask.AsSpan(row * (Columns + sequence), Columns);
            Span<byte> visible = _visible.AsSpan(row * MaxLength, _lengths[row]);
            int shown = 0;
            for (int i = 0; i < visible.Length; i++)
            {
                visible[i] = (byte)past[_columns[row * MaxLength + i]];
                shown += visible[i];
            }
            if (shown != past.Count(1))
            {
                throw new ModelInputException(
                    $"Row {row} of attention_mask has {past.Count(1)} ones for the {Columns} columns read before, but the session holds only {shown} of those tokens: the others were padding when they were read, and left out. Give them 0, or set ComputePadding from the first pass on.");
            }
            _hasHidden[row] = shown < visible.Length;
        }
    }

    /// <summary>Makes room for a batch's tokens. Their keys and values are written layer by layer, and count once <see cref="Commit"/> is called.</summary>
    /// <exception cref="ModelInputException">A sequence would grow over MaxLength.</exception>
    internal void Reserve(PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
        {
            int slot = batch.Slot(row);
            int needed = _lengths[slot] + batch.RowLength(row);
            if (needed > MaxLength)
            {
                throw new ModelInputException(
                    $"Sequence {slot} holds {_lengths[slot]} tokens and {batch.RowLength(row)} more make {needed}; the session holds at most {MaxLength} (SessionOptions.MaxLength). Shorten the text or create a longer session.");
            }
            ReadOnlySpan<byte> visible = batch.Visible.Slice(batch.RowStart(row), batch.RowLength(row));
            visible.CopyTo(_visible.AsSpan(slot * MaxLength + _lengths[slot]));
            _hasHidden[slot] |= visible.Contains((byte)0);
            for (int i = 0; i < visible.Length; i++)
                _columns[slot * MaxLength + _lengths[slot] + i] = Columns + batch.Columns[batch.RowStart(row) + i];
        }
    }

    /// <summary>Counts a batch's tokens as read.</summary>
    internal void Commit(PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
            _lengths[batch.Slot(row)] += batch.RowLength(row);
        Columns += batch.Width;
    }

    private Tensor Export(float[][] buffers, int layer, string kind)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)Layers, nameof(layer));
        int length = _lengths.Max();
        var copy = new Tensor($"past_key_values.{layer}.{kind}", BatchSize, Heads, length, HeadDim);
        for (int sequence = 0; sequence < BatchSize; sequence++)
            for (int head = 0; head < Heads; head++)
                buffers[layer * BatchSize + sequence].AsSpan(head * MaxLength * HeadDim, _lengths[sequence] * HeadDim)
                    .CopyTo(copy.Span[((sequence * Heads + head) * length * HeadDim)..]);
        return copy;
    }

    private void Import(float[][] buffers, int layer, Tensor tensor, int length)
    {
        for (int sequence = 0; sequence < BatchSize; sequence++)
            for (int head = 0; head < Heads; head++)
                tensor.Span.Slice((sequence * Heads + head) * length * HeadDim, length * HeadDim)
                    .CopyTo(buffers[layer * BatchSize + sequence].AsSpan(head * MaxLength * HeadDim));
    }

    private void CheckShape(Tensor tensor, int length)
    {
        if (!tensor.Shape.SequenceEqual([BatchSize, Heads, length, HeadDim]) || length > MaxLength)
        {
            throw new ModelInputException(
                $"{tensor.Name} is [{string.Join(", ", tensor.Shape.ToArray())}]; this session needs [{BatchSize}, {Heads}, length, {HeadDim}] with one length of at most {MaxLength} in all layers.");
        }
    }
}
