using System.Diagnostics;
using System.Runtime.InteropServices;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// The keys and values of the tokens that a decoder has read (past_key_values), for a fixed number of sequences of a fixed
/// greatest length, in pages that are allocated as sequences grow, and shared where one is a copy of another.
/// </summary>
/// <remarks>Memory: 2 · layers · heads · head_dim elements of <see cref="Type"/> for each token, in whole pages of 64 tokens. What is forgotten is kept for
/// tokens that come later.</remarks>
[DebuggerDisplay("{Layers} layers, {Heads} heads of {HeadDim}, {Type}: {LengthText,nq}")]
[DebuggerTypeProxy(typeof(KeyValueCacheDebugView))]
public sealed class KeyValueCache
{
    private readonly CachedSequence[] _sequences;
    private readonly CachedSequence?[] _reordered;
    private readonly KeyValuePages _pages;

    internal KeyValueCache(int layers, int batchSize, int heads, int maxLength, int headDim, WeightType type)
    {
        (Layers, BatchSize, Heads, MaxLength, HeadDim, Type) = (layers, batchSize, heads, maxLength, headDim, type);
        if ((long)layers * batchSize > Array.MaxLength || (long)batchSize * maxLength > Array.MaxLength)
            throw new ModelInputException($"A KV cache of {layers} layers for {batchSize} sequences of {maxLength} tokens is too large. " +
                "Ask for a smaller BatchSize or MaxLength.");
        _pages = new KeyValuePages(layers, heads, headDim, type);
        _sequences = new CachedSequence[batchSize];
        _reordered = new CachedSequence?[batchSize];
        for (int i = 0; i < batchSize; i++)
            _sequences[i] = new CachedSequence(_pages);
    }

    /// <summary>The cache that a configuration and a session's options ask for.</summary>
    /// <exception cref="ModelInputException">More tokens than the model reads, or no sequence.</exception>
    internal static KeyValueCache Create(PretrainedConfig config, SessionOptions options)
    {
        int maxLength = options.MaxLength ?? config.MaxTokens;
        if (maxLength < 1 || maxLength > config.Positions.MostTokens)
            throw new ModelInputException($"SessionOptions.MaxLength is {maxLength}; " +
                $"the model reads 1 … {config.Positions.MostTokens} tokens ({config.Positions}).");
        if (options.BatchSize < 1)
            throw new ModelInputException($"SessionOptions.BatchSize is {options.BatchSize}; at least 1 is needed.");
        return new KeyValueCache(config.Layers, options.BatchSize, config.KeyValueHeads, maxLength, config.HeadWidth, options.KeyValueType);
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

    /// <summary>How keys and values are stored.</summary>
    public WeightType Type { get; }

    /// <summary>Columns read so far, padding included: the position that the next token has by default.</summary>
    public int Columns { get; internal set; }

    /// <summary>The tokens that a sequence holds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public int Length(int sequence) => Of(sequence).Length;

    /// <summary>Forgets all tokens; memory stays.</summary>
    public void Clear()
    {
        foreach (CachedSequence sequence in _sequences) sequence.Truncate(0);
        Columns = 0;
    }

    /// <summary>Forgets the tokens of a sequence from a place on, so that others can follow there.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="length">The tokens to keep.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence, or it holds fewer tokens.</exception>
    public void Truncate(int sequence, int length)
    {
        CachedSequence held = Of(sequence);
        if (length < 0 || length > held.Length)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"Sequence {sequence} holds {held.Length} tokens; " +
                $"0 … {held.Length} of them can be kept.");
        held.Truncate(length);
        Columns = _sequences.Max(one => one.EndColumn);
    }

    /// <summary>Makes a sequence a copy of one of this cache or of another cache of the same model: both may go on in different ways.</summary>
    /// <param name="source">The cache to copy from; may be this one.</param>
    /// <param name="from">The sequence there.</param>
    /// <param name="to">The sequence here; what it held is forgotten.</param>
    /// <exception cref="ArgumentException">
    /// The caches belong to models of different sizes, store different types, or the sequence is too long for this one.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public void Copy(KeyValueCache source, int from, int to)
    {
        ArgumentNullException.ThrowIfNull(source);
        if ((source.Layers, source.Heads, source.HeadDim, source.Type) != (Layers, Heads, HeadDim, Type))
            throw new ArgumentException($"The source has {source.Layers} layers of {source.Heads} heads of {source.HeadDim} in {source.Type}; " +
                $"this cache has {Layers} of {Heads} of {HeadDim} in {Type}.", nameof(source));
        CachedSequence original = source.Of(from), copy = Of(to);
        if (original.Length > MaxLength)
            throw new ArgumentException($"The source holds {original.Length} tokens; " +
                $"this cache holds at most {MaxLength} (SessionOptions.MaxLength).", nameof(source));
        if (original != copy) copy.CopyFrom(original);
        Columns = _sequences.Max(one => one.EndColumn);
    }

    /// <summary>Puts into each sequence what another one held: beams that follow their parents. Only what has several children is copied.</summary>
    /// <param name="parents">For sequence i, the one whose tokens it takes over; sequences beyond are left as they are.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence, or a parent lies beyond those that are reordered.</exception>
    public void Reorder(ReadOnlySpan<int> parents)
    {
        if (parents.Length > BatchSize)
            throw new ArgumentOutOfRangeException(nameof(parents), $"{parents.Length} sequences were given; the cache has {BatchSize}.");
        foreach (int parent in parents)
        {
            if ((uint)parent >= (uint)parents.Length)
                throw new ArgumentOutOfRangeException(nameof(parents), parent, $"Sequences 0 … {parents.Length - 1} are reordered among each other.");
        }
        // The first child of a sequence takes it as it is; the others get what no child has taken, and copy.
        Array.Clear(_reordered);
        for (int i = 0; i < parents.Length; i++)
        {
            if (parents[..i].Contains(parents[i])) continue;
            _reordered[i] = _sequences[parents[i]];
        }
        int free = 0;
        for (int i = 0; i < parents.Length; i++)
        {
            if (_reordered[i] is not null) continue;
            while (parents.Contains(free)) free++;
            _reordered[i] = _sequences[free++];
            _reordered[i]!.CopyFrom(_sequences[parents[i]]);
        }
        for (int i = 0; i < parents.Length; i++) _sequences[i] = _reordered[i]!;
        Columns = _sequences.Max(one => one.EndColumn);
    }

    /// <summary>A copy of a layer's keys, [batch, heads, length, head_dim]; shorter sequences are filled with zeros.</summary>
    public FloatTensor Keys(int layer) => Export(layer, KeyOrValue.Key);

    /// <summary>A copy of a layer's values, [batch, heads, length, head_dim]; shorter sequences are filled with zeros.</summary>
    public FloatTensor Values(int layer) => Export(layer, KeyOrValue.Value);

    /// <summary>Replaces what is held by keys and values of the same form as <see cref="Keys"/> gives: past_key_values as an input.</summary>
    /// <param name="pastKeyValues">One pair per layer, each [batch, heads, length, head_dim].</param>
    /// <exception cref="ModelInputException">The number of layers or a shape does not fit.</exception>
    public void Load(IReadOnlyList<(FloatTensor Key, FloatTensor Value)> pastKeyValues)
    {
        ArgumentNullException.ThrowIfNull(pastKeyValues);
        if (pastKeyValues.Count != Layers)
            throw new ModelInputException($"past_key_values has {pastKeyValues.Count} layers; the model has {Layers}.");
        int length = pastKeyValues[0].Key.Rank == 4 ? pastKeyValues[0].Key.Shape[2] : 0;
        foreach ((FloatTensor key, FloatTensor value) in pastKeyValues)
        {
            CheckShape(key, length);
            CheckShape(value, length);
        }
        for (int i = 0; i < BatchSize; i++)
        {
            _sequences[i].Fill(length);
            for (int layer = 0; layer < Layers; layer++)
            {
                Import(pastKeyValues[layer].Key, i, layer, KeyOrValue.Key);
                Import(pastKeyValues[layer].Value, i, layer, KeyOrValue.Value);
            }
        }
        Columns = length;
    }

    /// <summary>The tokens held, for debugger views: <c>23 of 512 tokens</c>, with a number for each sequence.</summary>
    internal string LengthText
    {
        get
        {
            const int Named = 8;
            string lengths = string.Join(" + ", _sequences.Take(Named).Select(one => one.Length));
            return BatchSize == 1 ? $"{lengths} of {MaxLength} tokens" : $"{lengths}{(BatchSize > Named ? " + …" : "")} of {BatchSize} × {MaxLength} tokens";
        }
    }

    /// <summary>A sequence.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    internal CachedSequence Of(int sequence) => (uint)sequence < (uint)_sequences.Length
        ? _sequences[sequence]
        : throw new ArgumentOutOfRangeException(nameof(sequence), sequence, $"The cache has sequences 0 … {BatchSize - 1}.");

    /// <summary>Which tokens of a sequence may be attended to, [tokens]; empty where all may.</summary>
    internal ReadOnlySpan<byte> KeyMask(int sequence, int tokens) => _sequences[sequence].HasHidden ? _sequences[sequence].Visible(tokens) : [];

    /// <summary>Columns once a batch that is being read has been read: the keys of the longest row, padding included.</summary>
    internal int ColumnsWith(PackedBatch batch)
    {
        if (!batch.StartsAtOwnEnd) return Columns + batch.Width;
        int columns = 0;
        for (int row = 0; row < batch.Rows; row++)
            columns = Math.Max(columns, Of(batch.Slot(row)).EndColumn + batch.RowLength(row));
        return columns;
    }

    /// <summary>What a row of a batch that is being read attends to in a layer, as floats.</summary>
    internal AttendedRow Attended(PackedBatch batch, int row, int layer)
    {
        int slot = batch.Slot(row);
        CachedSequence held = Of(slot);
        int keys = held.Length + batch.RowLength(row);
        return new AttendedRow(Widened(held, layer, KeyOrValue.Key, keys), Widened(held, layer, KeyOrValue.Value, keys), held.Columns(keys).ToArray(),
            KeyMask(slot, keys).ToArray());
    }

    /// <summary>A layer's keys or values of a sequence, [heads, length, head_dim] as stored.</summary>
    internal byte[] Stored(int sequence, int layer, KeyOrValue what)
    {
        CachedSequence held = Of(sequence);
        int bytes = held.Length * _pages.VectorBytes;
        var stored = new byte[Heads * bytes];
        for (int head = 0; head < Heads; head++) held.CopyHead(layer, what, head, held.Length, stored.AsSpan(head * bytes, bytes));
        return stored;
    }

    /// <summary>Bytes of the pages that sequences hold; a page that several share counts once.</summary>
    internal long BytesInUse => _pages.BytesInUse;

    /// <summary>Bytes of the pages for this many tokens.</summary>
    internal long BytesFor(int tokens) => _pages.BytesFor(tokens);

    /// <summary>From a page's beginning to a layer's keys or values, in bytes.</summary>
    internal int PageOffset(int layer, KeyOrValue what) => _pages.Offset(layer, what);

    private float[] Widened(CachedSequence held, int layer, KeyOrValue what, int tokens)
    {
        var vectors = new float[Heads * tokens * HeadDim];
        Widen(held, layer, what, tokens, vectors, tokens);
        return vectors;
    }

    /// <summary>The vectors of a sequence's first tokens to [heads, length, head_dim].</summary>
    private void Widen(CachedSequence held, int layer, KeyOrValue what, int tokens, Span<float> destination, int length)
    {
        var stored = new byte[tokens * _pages.VectorBytes];
        for (int head = 0; head < Heads; head++)
        {
            held.CopyHead(layer, what, head, tokens, stored);
            Conversion.Widen(stored, Type, destination.Slice(head * length * HeadDim, tokens * HeadDim), KernelOptions.Default);
        }
    }

    /// <summary>
    /// Takes over the part of an attention mask [batch, past + sequence] that speaks of tokens read before; a mask of the new tokens alone, or none, leaves
    /// what is held as it was masked before.
    /// </summary>
    /// <exception cref="ModelInputException">The mask shows a place that was left out as padding when it was read.</exception>
    internal void MaskPast(int[]? mask, int rows, int sequence)
    {
        if (mask is null || Columns == 0 || mask.Length != rows * (Columns + sequence)) return;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<int> past = mask.AsSpan(row * (Columns + sequence), Columns);
            int shown = _sequences[row].Mask(past);
            if (shown != past.Count(1))
                throw new ModelInputException(
                    $"Row {row} of attention_mask has {past.Count(1)} ones for the {Columns} columns read before, but the session holds only {shown} of " +
                        "those tokens: the others were padding when they were read, and left out. Give them 0, or set ComputePadding from the first pass on.");
        }
    }

    /// <summary>Makes room for a batch's tokens. Their keys and values are written layer by layer, and count once <see cref="Commit"/> is called.</summary>
    /// <exception cref="ModelInputException">A sequence would grow over MaxLength.</exception>
    internal void Reserve(PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
        {
            int slot = batch.Slot(row);
            int needed = _sequences[slot].Length + batch.RowLength(row);
            if (needed > MaxLength)
                throw new ModelInputException(
                    $"Sequence {slot} holds {_sequences[slot].Length} tokens and {batch.RowLength(row)} more make {needed}; " +
                        $"the session holds at most {MaxLength} (SessionOptions.MaxLength). Shorten the text or create a longer session.");
        }
        for (int row = 0; row < batch.Rows; row++)
        {
            (int start, int length) = (batch.RowStart(row), batch.RowLength(row));
            CachedSequence held = _sequences[batch.Slot(row)];
            held.Reserve(batch.Visible.Slice(start, length), batch.Columns.Slice(start, length), batch.StartsAtOwnEnd ? held.EndColumn : Columns);
        }
    }

    /// <summary>Counts a batch's tokens as read.</summary>
    internal void Commit(PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
        {
            CachedSequence held = _sequences[batch.Slot(row)];
            held.Commit(batch.RowLength(row));
            if (batch.StartsAtOwnEnd) Columns = Math.Max(Columns, held.EndColumn);
        }
        if (!batch.StartsAtOwnEnd) Columns += batch.Width;
    }

    private FloatTensor Export(int layer, KeyOrValue what)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)Layers, nameof(layer));
        int length = _sequences.Max(sequence => sequence.Length), stride = Heads * length * HeadDim;
        string kind = what == KeyOrValue.Key ? "key" : "value";
        var copy = new FloatTensor($"past_key_values.{layer}.{kind}", BatchSize, Heads, length, HeadDim);
        for (int i = 0; i < BatchSize; i++)
            Widen(_sequences[i], layer, what, _sequences[i].Length, copy.Span.Slice(i * stride, stride), length);
        return copy;
    }

    private void Import(FloatTensor tensor, int sequence, int layer, KeyOrValue what)
    {
        int length = _sequences[sequence].Length;
        var stored = new byte[length * _pages.VectorBytes];
        for (int head = 0; head < Heads; head++)
        {
            ReadOnlySpan<float> vectors = tensor.Span.Slice((sequence * Heads + head) * length * HeadDim, length * HeadDim);
            if (Type == WeightType.F32)
                MemoryMarshal.AsBytes(vectors).CopyTo(stored);
            else
                Conversion.Narrow(vectors, Type, stored, KernelOptions.Default);
            _sequences[sequence].SetHead(layer, what, head, stored);
        }
    }

    private void CheckShape(FloatTensor tensor, int length)
    {
        if (!tensor.Shape.SequenceEqual([BatchSize, Heads, length, HeadDim]) || length > MaxLength)
            throw new ModelInputException(
                $"{tensor.Name} is [{string.Join(", ", tensor.Shape.ToArray())}]; " +
                    $"this session needs [{BatchSize}, {Heads}, length, {HeadDim}] with one length of at most {MaxLength} in all layers.");
    }
}
