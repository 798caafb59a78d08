namespace ManagedTransformers.Kernels;


/// <summary>Products of few rows with a W of floats or fp16, each with an X of its own or that of the one before.</summary>
internal sealed unsafe class Streamed<S, V, TFormat> : ProductKernel
    where S : struct, ISimd<V>
    where TFormat : struct, IWeightFormat
{
    public override void Run(ProductCall* calls, int count, int m, int threads)
    {
        GemvJob<S, V, TFormat>* jobs = stackalloc GemvJob<S, V, TFormat>[count];
        int widest = GemvJob<S, V, TFormat>.Decodes(m) || S.Registers < GemvTile.ManyRegisters ? GemvTile.DecodedColumns : GemvGroups.MaxWidth;
        var groups = new GemvGroups(m, widest);
        bool lay = m > 1 || TFormat.InputScale != 1;
        long length = 0;
        for (int i = 0; i < count; i++) length += (long)groups.Padded * calls[i].K;
        float* memory = lay ? Scratch.ForCall(length) : null;
        for (int i = 0, same; i < count; i += same)
        {
            float* x = calls[i].X, grouped = x;
            int k = calls[i].K;
            if (lay)
            {
                grouped = memory;
                groups.Lay<S, V>(x, k, TFormat.InputScale, grouped);
                memory += (nint)groups.Padded * k;
            }
            same = ProductCall.WithSameX(calls + i, count - i);
            for (int j = i; j < i + same; j++)
                jobs[j] = new GemvJob<S, V, TFormat> { X = x, Grouped = grouped, Groups = groups, K = k, W = calls[j].W, Output = calls[j].Output };
        }
        var group = new JobGroup<GemvJob<S, V, TFormat>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}

/// <summary>Y = X · Wᵀ for few rows of X: dot products straight from the stored rows of W, each read from memory once, one range of them per task.</summary>
/// <remarks>A row of Y has the same bits whatever other rows are computed with it: what decodes alone, in a batch or as a draft gives the same text.</remarks>
internal unsafe struct GemvJob<S, V, TFormat> : ICountedJob
    where S : struct, ISimd<V>
    where TFormat : struct, IWeightFormat
{
    public float* X;           // [M, K]
    public float* Grouped;     // the whole vectors of X as GemvGroups lays them out, times the format's IWeightFormat.InputScale
    public GemvGroups Groups;  // the rows of X in groups
    public int K;
    public byte* W;            // as stored, [N, K]
    public Output Output;      // Y and the epilogue

    // Whole tiles, an odd number of them: streams that lie whole pages apart reach the ends of pages together, where the CPU's prefetching begins anew.
    private readonly int RowsPerTask
    {
        get
        {
            int tile = TileRows(Groups.Width(0));
            return tile * ((int)Math.Clamp(Tiling.GemvTaskBytes / Math.Max(1, tile * TFormat.RowBytes(K)), 1, int.MaxValue / (2 * tile)) | 1);
        }
    }

    public readonly int Tasks => (Output.N + RowsPerTask - 1) / RowsPerTask;

    /// <summary>Whether this many rows of X are enough to have rows of W decoded first, once for all groups.</summary>
    public static bool Decodes(int rows) => rows > MatMul.StreamedRows;

    public readonly void Execute(int task)
    {
        int perTask = RowsPerTask, start = task * perTask, count = Math.Min(perTask, Output.N - start);
        int room = Decodes(Groups.Rows) ? GemvTile.DecodedRows * Tiling.DecodedRow(K) : 0;
        float* decoded = Scratch.ForTask(room + ((long)Groups.Rows * perTask)), products = decoded + room;
        if (Decodes(Groups.Rows)) MultiplyDecoded(start, count, products, perTask, decoded);
        else MultiplyStored(start, count, products, perTask);
        Output.Store<S, V>(products, perTask, 0, Groups.Rows, start, count);
    }

    private readonly void MultiplyDecoded(int start, int count, float* products, int stride, float* decoded)
    {
        int rows = TileRows(GemvTile.DecodedColumns);
        nint rowBytes = TFormat.RowBytes(K), whole = K - (K % S.Width), apart = Tiling.DecodedRow((int)whole);
        float* sums = stackalloc float[GemvTile.DecodedRows * GemvTile.DecodedColumns];
        for (int j = 0; j < count; j += rows)
        {
            int present = Math.Min(rows, count - j);
            byte* w = W + ((start + j) * rowBytes);
            for (int r = 0; r < present; r++) GemvTile.Decode<S, V, TFormat>(whole, w + (r * rowBytes), decoded + (r * apart));
            for (int group = 0; group < Groups.Count; group++)
            {
                int row = Groups.First(group), width = Groups.Width(group);
                float* x = Grouped + (row * whole);
                byte* next = w + (rows * rowBytes) + (group * (whole / S.Width) * Tiling.CacheLine);
                if (rows == GemvTile.DecodedRows) GemvTile.Dot6x4<S, V>(whole, decoded, apart, x, sums, next);
                else GemvTile.Dot2x4<S, V, F32Format>(whole, (byte*)decoded, F32Format.RowBytes(apart), x, sums);
                for (int r = 0; r < present; r++)
                    Put(sums + (r * width), Math.Min(width, Groups.Rows - row), row, w + (r * rowBytes), whole, products + j + r, stride);
            }
        }
    }

    private readonly void MultiplyStored(int start, int count, float* products, int stride)
    {
        nint rowBytes = TFormat.RowBytes(K), whole = K - (K % S.Width);
        float* sums = stackalloc float[2 * GemvGroups.MaxWidth];
        for (int group = 0; group < Groups.Count; group++)
        {
            int row = Groups.First(group), width = Groups.Width(group), tile = TileRows(width), apart = count / tile, rest = count - (apart * tile);
            float* x = Grouped + (row * whole);
            for (int j = 0; j < apart + rest; j++)
            {
                // Rows that lie apart, as many as fill tiles; then what remains one by one, several times the same.
                (int first, int step, int filled) = j < apart ? (j, apart, tile) : (j + (apart * (tile - 1)), 0, 1);
                byte* w = W + ((start + first) * rowBytes);
                switch (width)
                {
                    case 8: GemvTile.Dot2x8<S, V, TFormat>(whole, w, step * rowBytes, x, sums); break;
                    case 4: GemvTile.Dot2x4<S, V, TFormat>(whole, w, step * rowBytes, x, sums); break;
                    case 1 when step > 0: GemvTile.Dot4x1<S, V, TFormat>(whole, w, step * rowBytes, x, sums); break;
                    default: sums[0] = GemvTile.Dot1<S, V, TFormat>(whole, w, x); break;
                }
                for (int r = 0; r < filled; r++)
                    Put(sums + (r * width), Math.Min(width, Groups.Rows - row), row, w + (r * step * rowBytes), whole, products + first + (r * step), stride);
            }
        }
    }

    // One row of X takes four rows of W: a single sum would wait for the one before it at every step.
    private readonly int TileRows(int width) => width == 1 ? 4 : Decodes(Groups.Rows) && S.Registers >= GemvTile.ManyRegisters ? GemvTile.DecodedRows : 2;

    // Products of a row of W with the rows of a group.
    private readonly void Put(float* sums, int rows, int row, byte* w, nint whole, float* products, int stride)
    {
        float* to = products + ((nint)row * stride);
        for (int i = 0; i < rows; i++, to += stride) *to = TFormat.SumScale * sums[i];
        if (whole == K) return;
        for (int i = rows - 1; i >= 0; i--)
        {
            to -= stride;
            *to += Rest(w, X + ((row + i) * (nint)K), whole);
        }
    }

    // The last, partial vector of a dot product.
    private readonly float Rest(byte* w, float* x, nint p)
    {
        float sum = 0;
        for (; p < K; p++) sum += TFormat.WidenOne(w, p) * x[p];
        return sum;
    }
}

/// <summary>
/// How the few rows of X of a GEMV are cut into groups, as many rows as a tile takes at once: groups of 8 where there are registers for them, of 4, or one row.
/// </summary>
internal readonly unsafe struct GemvGroups
{
    public const int MaxWidth = 8;

    private const int SmallWidth = 4;

    private readonly int _eights;

    /// <param name="rows">Rows of X.</param>
    /// <param name="widest">Rows of the widest group that there is a tile for: 8 or 4.</param>
    public GemvGroups(int rows, int widest)
    {
        Rows = rows;
        _eights = widest < MaxWidth ? 0 : (rows + MaxWidth - SmallWidth - 1) / MaxWidth;
        int rest = Math.Max(0, rows - (_eights * MaxWidth));
        Count = _eights + ((rest + SmallWidth - 1) / SmallWidth);
    }

    public int Rows { get; }
    public int Count { get; }

    /// <summary>Rows of all groups, those included that are not there.</summary>
    public int Padded => Count == 0 ? 0 : First(Count - 1) + Width(Count - 1);

    /// <summary>Rows of a group; the last one's may be more than there are.</summary>
    public int Width(int group) => group < _eights ? MaxWidth : Rows == 1 ? 1 : SmallWidth;

    public int First(int group) => group <= _eights ? group * MaxWidth : (_eights * MaxWidth) + ((group - _eights) * SmallWidth);

    /// <summary>Lays out the whole vectors of X [Rows, k] group after group: of each group [vector of k, row, lane], rows beyond the last 0.</summary>
    public void Lay<S, V>(float* x, int k, float scale, float* grouped) where S : struct, ISimd<V>
    {
        nint whole = k - (k % S.Width);
        V factor = S.Broadcast(scale);
        for (int group = 0; group < Count; group++)
        {
            int first = First(group), width = Width(group);
            for (int i = 0; i < width; i++)
            {
                float* from = x + ((first + i) * (nint)k), to = grouped + (first * whole) + (i * S.Width);
                bool present = first + i < Rows;
                for (nint p = 0; p < whole; p += S.Width) S.Store(to + (p * width), present ? S.Multiply(S.Load(from + p), factor) : S.Broadcast(0f));
            }
        }
    }
}
