using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Kernels;


/// <summary>
/// Attention of a block of queries of the heads that share keys and values per task: blocks of keys pass by, each as two small matrix products on the
/// matmul's tiles, and a running maximum and sum per query (online softmax) make the matrix of scores unnecessary. A row is a query of one of the heads:
/// first all heads of a query, then those of the next, so that a row sees no fewer keys than the rows before it.
/// </summary>
/// <remarks>A query's result has the same bits whatever other queries are computed with it.
/// Milakov &amp; Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.</remarks>
internal unsafe struct AttentionBlockJob<S, V, TTiles, TFormat> : IJob
    where S : struct, ISimd<V>
    where TTiles : struct, ITiles
    where TFormat : struct, IWeightFormat
{
    /// <summary>The most rows per task: each block of keys is packed once for them.</summary>
    private const int MaxRows = 192;

    /// <summary>Rows whose scores are computed together; whole tiles of 4, 6, 8 and 12 rows.</summary>
    private const int Group = 48;

    /// <summary>Keys per step.</summary>
    private const int KeyBlock = 128;

    public AttentionCall Call;

    /// <summary>Blocks of rows of a head of keys.</summary>
    private readonly EqualBlocks Blocks => new(checked(Call.Queries * Call.Group), MaxRows);

    /// <summary>A block of rows of each head of keys.</summary>
    public readonly int Tasks => Call.KeyHeads * Blocks.Count;

    /// <summary>The query of a row.</summary>
    private readonly int QueryAt(int row) => row / Call.Group;

    /// <summary>The head of a row among all heads.</summary>
    private readonly int HeadAt(int keyHead, int row) => (keyHead * Call.Group) + (row % Call.Group);

    /// <summary>Block task % Blocks of head of keys task / Blocks.</summary>
    public readonly void Execute(int task)
    {
        int head = Math.DivRem(task, Blocks.Count, out int block);
        (int first, int count) = Blocks[block];
        var room = new Room(Call.HeadDim);
        Begin(room, head, first, count);

        int keys = Call.CountFor(QueryAt(first + count - 1));        // the last query sees the most
        for (int key = 0; key < keys; key += KeyBlock)
        {
            int step = Math.Min(KeyBlock, keys - key);
            Pack(room, head, key, step);
            for (int row = 0; row < count; row += Group)
                Step(room, head, first, row, Math.Min(Group, count - row), key, step);
        }
        End(room, head, first, count);
    }

    // The queries times scale, in whole groups; nothing summed yet.
    private readonly void Begin(in Room room, int head, int first, int count)
    {
        int d = Call.HeadDim, whole = Packing.Padded(count, Group);
        for (int i = 0; i < count; i++)
        {
            float* q = Call.QueryOf(HeadAt(head, first + i), QueryAt(first + i)), to = room.Queries + ((nint)i * d);
            for (int j = 0; j < d; j++) to[j] = q[j] * Call.Scale;
        }
        new Span<float>(room.Queries + (count * d), (whole - count) * d).Clear();
        new Span<float>(room.Sums, whole).Clear();
        new Span<float>(room.Maxima, whole).Fill(float.NegativeInfinity);
        new Span<float>(room.Output, whole * room.Dims.Padded).Clear();
    }

    // Keys and values to panels of floats.
    private readonly void Pack(in Room room, int head, int key, int count)
    {
        int d = Call.HeadDim;
        Panels panels = KeyPanels(count);
        for (int j = 0; j < panels.Padded; j += S.Width)
        {
            int panel = panels.Of(j), start = panels.First(panel), rows = Math.Min(S.Width, count - j);
            float* keys = Keys(room, head, key + j, rows, out nint stride);
            Packing.Strip<S, V>(keys, rows, stride, d, room.Keys + (start * d) + (j - start), panels.Width(panel));
        }
        for (int panel = 0; panel < room.Dims.Count; panel++)
        {
            int start = room.Dims.First(panel), width = room.Dims.Width(panel), filled = Math.Min(width, d - start);
            float* values = room.Values + (start * KeyBlock);
            for (int j = 0; j < count; j++)
            {
                Widening.Body<S, V, TFormat>(Call.ValueOf(head, Call.KeyAt(key + j)), start, values + (j * width), filled);
                new Span<float>(values + (j * width) + filled, width - filled).Clear();
            }
        }
    }

    // Up to Width visible keys as floats: in place where they are that already and lie evenly.
    private readonly float* Keys(in Room room, int head, int key, int rows, out nint stride)
    {
        if (typeof(TFormat) == typeof(F32Format) && Call.Visible == null)
        {
            stride = Call.KTokenBytes / sizeof(float);
            return (float*)Call.KeyOf(head, key);
        }
        stride = Call.HeadDim;
        for (int r = 0; r < rows; r++)
            Widening.Body<S, V, TFormat>(Call.KeyOf(head, Call.KeyAt(key + r)), 0, room.Gathered + (r * stride), stride);
        return room.Gathered;
    }

    private static Panels KeyPanels(int count) => new(count, S.Width, TTiles.MaxVectors);

    // A group of queries against one block of keys.
    private readonly void Step(in Room room, int head, int first, int row, int rows, int key, int keys)
    {
        Score(room, first, row, rows, key, keys);
        for (int r = 0; r < rows; r++)
        {
            float* scores = room.Scores + (r * KeyBlock);
            int at = first + row + r, visible = Visible(at, key, keys);
            if (Call.Bias != null) Call.AddBias<S, V>(HeadAt(head, at), QueryAt(at), key, visible, scores);
            Absorb(room, row + r, scores, visible);
        }
        Weigh(room, first, row, rows, key, keys);
    }

    // How many keys of a block a row sees.
    private readonly int Visible(int row, int key, int keys) => Math.Clamp(Call.CountFor(QueryAt(row)) - key, 0, keys);

    private readonly void Score(in Room room, int first, int row, int rows, int key, int keys)
    {
        int d = Call.HeadDim;
        Panels panels = KeyPanels(keys);
        var call = new TileCall { K = d, ARow = d, CRow = KeyBlock };
        for (int panel = 0; panel < panels.Count; panel++)
        {
            int start = panels.First(panel), vectors = panels.Vectors(panel), height = TTiles.Rows(vectors);
            call.B = room.Keys + (start * d);
            call.Prefetch = PrefetchRange.Nothing(call.B, d);
            for (int r = 0; r < rows; r += height)
            {
                // The last row of the tile sees the most.
                if (Visible(first + row + Math.Min(r + height, rows) - 1, key, keys) <= start) continue;
                call.A = room.Queries + ((row + r) * d);
                call.C = room.Scores + (r * KeyBlock) + start;
                TTiles.Run<S, V>(vectors, call);
            }
        }
    }

    // Output of a row += Σ over the keys of the block that it sees, summed key by key from 0 on: the same bits whatever rows share its tile.
    private readonly void Weigh(in Room room, int first, int row, int rows, int key, int keys)
    {
        Panels dims = room.Dims;
        var call = new TileCall { ARow = KeyBlock };
        for (int panel = 0; panel < dims.Count; panel++)
        {
            int start = dims.First(panel), vectors = dims.Vectors(panel), height = TTiles.Rows(vectors), width = dims.Width(panel);
            call.B = room.Values + (start * KeyBlock);
            for (int r = 0; r < rows; r += height)
            {
                int end = Math.Min(r + height, rows), fewest = Visible(first + row + r, key, keys);     // the first row of a tile sees the fewest
                bool isEven = Visible(first + row + end - 1, key, keys) == fewest;
                call.K = fewest;
                call.Prefetch = PrefetchRange.Nothing(call.B, fewest);
                call.A = room.Scores + (r * KeyBlock);
                call.C = isEven ? room.Output + ((row + r) * dims.Padded) + start : room.Tile;
                (call.CRow, call.Accumulate) = (isEven ? dims.Padded : width, isEven);
                if (fewest > 0) TTiles.Run<S, V>(vectors, call);
                else if (!isEven) new Span<float>(room.Tile, height * width).Clear();
                if (!isEven) AddLaterKeys(room, first + row, r, end, key, keys, call.B, start, width, row);
            }
        }
    }

    // Keys that only later rows of the tile see. Not 0 · value for the others: a value that is NaN must not leak to the past.
    private readonly void AddLaterKeys(
        in Room room, int firstRow, int r, int end, int key, int keys, float* values, int start, int width, int row)
    {
        int fewest = Visible(firstRow + r, key, keys);
        for (int later = r; later < end; later++)
        {
            float* sums = room.Tile + ((later - r) * width);
            int count = Visible(firstRow + later, key, keys);
            for (int j = fewest; j < count; j++) AddScaled(room.Scores[(later * KeyBlock) + j], values + (j * width), sums, width);
            AddScaled(1, sums, room.Output + ((row + later) * room.Dims.Padded) + start, width);
        }
    }

    // Scores become exponentials; what was summed before is brought to the new maximum.
    private static void Absorb(in Room room, int row, float* scores, int count)
    {
        if (count == 0) return;
        float before = room.Maxima[row], max = Math.Max(before, SoftmaxRow.Max<S, V>(scores, count));
        float shift = float.IsNegativeInfinity(max) ? 0 : max;       // −∞ − −∞ would spoil a row that finite scores may follow
        float factor = MathF.Exp(before - shift);
        room.Sums[row] = (room.Sums[row] * factor) + SoftmaxRow.Exp<S, V>(scores, scores, count, shift);
        room.Maxima[row] = max;
        if (factor != 1) SoftmaxRow.Scale<S, V>(room.Output + (row * room.Dims.Padded), room.Dims.Padded, factor);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddScaled(float factor, float* x, float* y, nint length)
    {
        V factors = S.Broadcast(factor);
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(y + i, S.MultiplyAdd(factors, S.Load(x + i), S.Load(y + i)));
        for (; i < length; i++) y[i] += factor * x[i];
    }

    private readonly void End(in Room room, int head, int first, int count)
    {
        for (int i = 0; i < count; i++)
        {
            (int query, int headOfRow) = (QueryAt(first + i), HeadAt(head, first + i));
            float* to = Call.OutputOf(headOfRow, query);
            if (Call.CountFor(query) == 0)
            {
                Mean(room, head, Call.HeadFactor(headOfRow), to);
                continue;
            }
            float* output = room.Output + (i * room.Dims.Padded);
            SoftmaxRow.Scale<S, V>(output, Call.HeadDim, Call.HeadFactor(headOfRow) / room.Sums[i]);
            new ReadOnlySpan<float>(output, Call.HeadDim).CopyTo(new Span<float>(to, Call.HeadDim));
        }
    }

    // A query that sees no key attends to all equally.
    private readonly void Mean(in Room room, int head, float factor, float* output)
    {
        new Span<float>(output, Call.HeadDim).Clear();
        float share = factor / Call.Keys;
        for (int key = 0; key < Call.Keys; key++)
        {
            Widening.Body<S, V, TFormat>(Call.ValueOf(head, key), 0, room.Gathered, Call.HeadDim);
            AddScaled(share, room.Gathered, output, Call.HeadDim);
        }
    }

    // A task's working memory, cut into its parts.
    private readonly ref struct Room
    {
        public readonly Panels Dims;
        public readonly float* Queries, Keys, Gathered, Values, Scores, Output, Maxima, Sums, Tile;

        public Room(int d)
        {
            Dims = new Panels(d, S.Width, TTiles.MaxVectors);
            int padded = Dims.Padded;
            float* at = Scratch.ForTask(((long)KeyBlock * (d + padded)) + ((long)MaxRows * (d + padded + 2)) + (Group * KeyBlock) + ((long)S.Width * d)
                + (Group * (long)padded));
            Keys = at;
            Values = Keys + (KeyBlock * d);
            Output = Values + (KeyBlock * padded);
            Scores = Output + (MaxRows * padded);
            Maxima = Scores + (Group * KeyBlock);
            Sums = Maxima + MaxRows;
            Queries = Sums + MaxRows;
            Gathered = Queries + (MaxRows * d);
            Tile = Gathered + (S.Width * d);
        }
    }
}

/// <summary>Values in one of the stored types, anywhere in memory (also unaligned); floats are such values too, and convert to it.</summary>
/// <remarks>A reference and a number of elements, not bytes: more floats than 2 GB hold are a legal span, their bytes are not.</remarks>
internal readonly unsafe ref struct StoredSpan
{
    private readonly ref readonly byte _start;

    /// <summary>A view of stored values, little-endian; nothing is copied.</summary>
    /// <exception cref="ArgumentException"><paramref name="data"/> is not a whole number of elements, or the type is unknown.</exception>
    public StoredSpan(ReadOnlySpan<byte> data, WeightType type)
    {
        int size = WeightMatrix.ElementSize(type);
        if (data.Length % size != 0)
            throw new ArgumentException($"data.Length is {data.Length}; elements of {type} have {size} bytes each.", nameof(data));
        _start = ref MemoryMarshal.GetReference(data);
        Length = data.Length / size;
        Type = type;
    }

    private StoredSpan(ReadOnlySpan<float> values)
    {
        _start = ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(values));
        Length = values.Length;
        Type = WeightType.F32;
    }

    /// <summary>Elements.</summary>
    public int Length { get; }

    /// <summary>How each is stored.</summary>
    public WeightType Type { get; }

    /// <summary>Element <paramref name="index"/> as a float; exact.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such element.</exception>
    public float this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Length);
            ref readonly byte element = ref Unsafe.Add(ref Unsafe.AsRef(in _start), (nint)index * WeightMatrix.ElementSize(Type));
            fixed (byte* stored = &element)
            {
                var one = new Element { Stored = stored };
                WeightFormats.VisitFloats(Type, ref one);
                return one.Value;
            }
        }
    }

    /// <summary>The floats themselves.</summary>
    public static implicit operator StoredSpan(ReadOnlySpan<float> values) => new(values);

    /// <summary>The floats themselves.</summary>
    public static implicit operator StoredSpan(Span<float> values) => new(values);

    /// <summary>The floats themselves.</summary>
    public static implicit operator StoredSpan(float[] values) => new(values);

    private struct Element : IFloatFormatVisitor
    {
        public byte* Stored;
        public float Value;

        public void Visit<TFormat>() where TFormat : struct, IWeightFormat => Value = TFormat.WidenOne(Stored, 0);
    }

    /// <summary>For <c>fixed</c>: the first element; null where there is none.</summary>
    public ref readonly byte GetPinnableReference() => ref Length == 0 ? ref Unsafe.NullRef<byte>() : ref _start;
}
