using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>
/// Attention of a block of queries of one head per task: blocks of keys pass by, each as two small matrix products on the
/// matmul's tile, and a running maximum and sum per query (online softmax) make the matrix of scores unnecessary.
/// </summary>
/// <remarks>Milakov &amp; Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.</remarks>
internal unsafe struct AttentionBlockJob<S, V, TTile> : IJob
    where S : struct, ISimd<V>
    where V : struct
    where TTile : struct, ITile
{
    /// <summary>Queries per task; whole tiles of 4 and of 6 rows.</summary>
    public const int QueryBlock = 96;

    /// <summary>Keys per step; a multiple of every tile's columns.</summary>
    public const int KeyBlock = 128;

    /// <summary>The arguments.</summary>
    public AttentionCall Call;

    /// <summary>Blocks of queries per head.</summary>
    public static int Blocks(int queries) => (queries + QueryBlock - 1) / QueryBlock;

    /// <summary>Query block task % Blocks of head task / Blocks.</summary>
    public readonly void Execute(int task)
    {
        int head = Math.DivRem(task, Blocks(Call.Queries), out int block);
        int first = block * QueryBlock, count = Math.Min(QueryBlock, Call.Queries - first);
        var room = new Room(Call.HeadDim);
        Begin(room, head, first, count);

        int keys = Call.CountFor(first + count - 1);                 // the last query sees the most
        for (int key = 0; key < keys; key += KeyBlock)
        {
            int step = Math.Min(KeyBlock, keys - key);
            float* values = Pack(room, head, key, step, out nint valueStride);
            for (int row = 0; row < count; row += TTile.Rows)
                Step(room, first, row, Math.Min(TTile.Rows, count - row), key, step, values, valueStride);
        }
        End(room, head, first, count);
    }

    // The queries times scale, in whole tiles; nothing summed yet.
    private readonly void Begin(in Room room, int head, int first, int count)
    {
        int d = Call.HeadDim;
        for (int i = 0; i < count; i++)
        {
            float* q = Call.QueryOf(head, first + i), to = room.Queries + ((nint)i * d);
            for (int j = 0; j < d; j++) to[j] = q[j] * Call.Scale;
        }
        new Span<float>(room.Queries + (count * d), (QueryBlock - count) * d).Clear();
        new Span<float>(room.Sums, QueryBlock).Clear();
        new Span<float>(room.Maxima, QueryBlock).Fill(float.NegativeInfinity);
        new Span<float>(room.Output, QueryBlock * room.Padded).Clear();
    }

    // Keys to panels; values as they are where the tile can read them there, else copied to rows of whole tiles.
    private readonly float* Pack(in Room room, int head, int key, int count, out nint valueStride)
    {
        int d = Call.HeadDim;
        float* keys = Call.KeyOf(head, key);
        nint keyStride = Call.KTokenStride;
        if (Call.Visible != null)
        {
            for (int j = 0; j < count; j++) Copy(Call.KeyOf(head, Call.KeyAt(key + j)), room.Gathered + (j * d), d, d);
            keys = room.Gathered;
            keyStride = d;
        }
        for (int j = 0; j < count; j += Room.Columns)
            Packing.Panel<S, V>(keys + (j * keyStride), count - j, keyStride, d, TTile.Vectors, room.Keys + (j * room.PanelDepth), room.Block);

        valueStride = Call.VTokenStride;
        if (Call.Visible == null && room.Padded == d) return Call.ValueOf(head, key);
        for (int j = 0; j < count; j++) Copy(Call.ValueOf(head, Call.KeyAt(key + j)), room.Values + (j * room.Padded), d, room.Padded);
        valueStride = room.Padded;
        return room.Values;
    }

    private static void Copy(float* from, float* to, int length, int padded)
    {
        new ReadOnlySpan<float>(from, length).CopyTo(new Span<float>(to, length));
        new Span<float>(to + length, padded - length).Clear();
    }

    // One tile of queries against one block of keys.
    private readonly void Step(in Room room, int first, int row, int rows, int key, int keys, float* values, nint valueStride)
    {
        int d = Call.HeadDim;
        int longest = Math.Clamp(Call.CountFor(first + row + rows - 1) - key, 0, keys);
        int common = Math.Clamp(Call.CountFor(first + row) - key, 0, keys);
        for (int j = 0; j < longest; j += Room.Columns)
            TTile.Run<S, V>(d, room.Queries + (row * d), d, 1, room.Keys + (j * room.PanelDepth), Room.Columns, room.Scores + j, KeyBlock, accumulate: false);

        for (int r = 0; r < rows; r++)
            Absorb(room, row + r, room.Scores + (r * KeyBlock), Math.Clamp(Call.CountFor(first + row + r) - key, 0, keys));

        float* output = room.Output + (row * room.Padded);
        for (int j = 0; j < room.Padded && common > 0; j += Room.Columns)
            TTile.Run<S, V>(common, room.Scores, KeyBlock, 1, values + j, valueStride, output + j, room.Padded, accumulate: true);

        // Keys that only the later rows of the tile see. Not 0 · value for the others: a value that is NaN must not leak to the past.
        for (int r = 0; r < rows; r++)
        {
            int count = Math.Clamp(Call.CountFor(first + row + r) - key, 0, keys);
            for (int j = common; j < count; j++)
                AddScaled(room.Scores[(r * KeyBlock) + j], values + (j * valueStride), output + (r * room.Padded), d);
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
        if (factor != 1) SoftmaxRow.Scale<S, V>(room.Output + (row * room.Padded), room.Padded, factor);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
            if (Call.CountFor(first + i) == 0)
            {
                Mean(head, Call.OutputOf(head, first + i));
                continue;
            }
            float* output = room.Output + (i * room.Padded);
            SoftmaxRow.Scale<S, V>(output, Call.HeadDim, Call.HeadFactor(head) / room.Sums[i]);
            Copy(output, Call.OutputOf(head, first + i), Call.HeadDim, Call.HeadDim);
        }
    }

    // A query that sees no key attends to all equally.
    private readonly void Mean(int head, float* output)
    {
        new Span<float>(output, Call.HeadDim).Clear();
        float share = Call.HeadFactor(head) / Call.Keys;
        for (int key = 0; key < Call.Keys; key++) AddScaled(share, Call.ValueOf(head, key), output, Call.HeadDim);
    }

    // A task's working memory, cut into its parts.
    private readonly ref struct Room
    {
        public readonly int Padded, PanelDepth;
        public readonly float* Queries, Keys, Gathered, Values, Scores, Output, Maxima, Sums, Block;

        public Room(int d)
        {
            Padded = Packing.Padded(d, Columns);
            PanelDepth = Packing.Padded(d, S.Width);
            int columns = Padded + PanelDepth + d;
            float* at = Scratch.ForTask(((long)KeyBlock * columns) + ((long)QueryBlock * (d + Padded + 2)) + (TTile.Rows * KeyBlock) + (S.Width * S.Width));
            Keys = at;
            Values = Keys + (KeyBlock * PanelDepth);
            Output = Values + (KeyBlock * Padded);
            Scores = Output + (QueryBlock * Padded);
            Block = Scores + (TTile.Rows * KeyBlock);
            Maxima = Block + (S.Width * S.Width);
            Sums = Maxima + QueryBlock;
            Queries = Sums + QueryBlock;
            Gathered = Queries + (QueryBlock * d);
        }

        public static int Columns => TTile.Vectors * S.Width;
    }
}
