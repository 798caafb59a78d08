namespace ManagedTransformers.Kernels;

/// <summary>Products of many rows with W as floats, decoded where it is stored otherwise.</summary>
internal sealed unsafe class TiledInFloats<S, V, TTiles, TFormat> : TiledProducts
    where S : struct, ISimd<V>
    where TTiles : struct, ITiles
    where TFormat : struct, IRowFormat
{
    protected override long PackedLength(EqualBlocks blocks, int k) => (long)Packing.Padded(blocks.Height, Packing.MaxWidth) * k;

    protected override Panels Pack(float* x, int rows, int k, float* packed, int threads)
    {
        var layout = new Panels(rows, S.Width, TTiles.MaxVectors);
        var pack = new PackRowsJob<S, V> { X = x, M = rows, K = k, Layout = layout, Packed = packed };
        WorkerPool.Shared.Run(pack.Tasks, threads, pack);
        return layout;
    }

    protected override void Multiply(float* packed, Panels layout, int row, int rows, ProductCall* calls, int count, float* next, int threads)
    {
        GemmJob<S, V, TTiles, TFormat>* jobs = stackalloc GemmJob<S, V, TTiles, TFormat>[count];
        int n = 0;
        for (int i = 0; i < count; i++) n += calls[i].Output.N;
        for (int i = 0; i < count; i++)
        {
            jobs[i] = new GemmJob<S, V, TTiles, TFormat>
            {
                PackedX = packed,
                Layout = layout,
                Row = row,
                M = rows,
                K = calls[i].K,
                W = calls[i].W,
                Gate = calls[i].Gate,
                LargeTasks = calls[i].Gate != null ? 0 : Tiling.LargeTasks(calls[i].Output.N, n, isLast: i == count - 1, threads),
                Threads = threads,
                Output = calls[i].Output,
                PackedY = next,
            };
        }
        var group = new JobGroup<GemmJob<S, V, TTiles, TFormat>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}

/// <summary>
/// Y = X · Wᵀ for many rows of X: one range of rows of W per task, against all of X. Rows of W are the tile's rows and are read as they are stored (or
/// decoded into a buffer, where they are not float32); rows of X are its vectors. So the large operand is never transposed, and the small one once.
/// </summary>
/// <remarks>Goto &amp; van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication"; the macro-/microkernel split is BLIS's.</remarks>
internal unsafe struct GemmJob<S, V, TTiles, TFormat> : ICountedJob
    where S : struct, ISimd<V>
    where TTiles : struct, ITiles
    where TFormat : struct, IRowFormat
{
    public float* PackedX;  // X as PackRowsJob leaves it
    public Panels Layout;   // where its rows lie
    public int Row, M;      // first row of this block in Y, and its rows
    public int K;           // columns of X and W
    public byte* W;         // as stored, [N, K]
    public byte* Gate;      // the same for the gate, or null; a task then has rows of both, and products go to PackedY
    public int LargeTasks;  // tasks of Tiling.ManyRows rows of W; those that follow have Tiling.FewRows
    public int Threads;     // that take tasks one after another
    public Output Output;   // Y and the epilogue

    /// <summary>
    /// Where the products go instead of Y, as the packed X of a product that follows; null: to Y. A task without a gate writes whole tiles, so N must be whole
    /// tiles too.
    /// </summary>
    public float* PackedY;

    public readonly int Tasks => LargeTasks + ((Math.Max(0, Output.N - (LargeTasks * Tiling.ManyRows)) + Tiling.FewRows - 1) / Tiling.FewRows);

    public readonly void Execute(int task)
    {
        int maxDepth = Tiling.Depth(K, TTiles.MaxDepth);        // whatever the panels' width: a row has the same bits among any others
        bool whole = maxDepth >= K;                                          // products are finished panel by panel
        int stride = whole ? TTiles.MaxVectors * S.Width : Layout.Padded;
        int large = Math.Min(task, LargeTasks), first = (large * Tiling.ManyRows) + ((task - large) * Tiling.FewRows);
        int most = task < LargeTasks || Gate != null ? Tiling.ManyRows : Tiling.FewRows;
        float* decoded = Scratch.ForTask(((long)most * Tiling.DecodedRow(maxDepth)) + ((long)most * stride) + (S.Width * S.Width));
        var block = new Block
        {
            W = W,
            First = first,
            Rows = Math.Min(Gate == null ? most : Tiling.FewRows, Output.N - first),
            Decoded = decoded,
            Stride = stride,
        };
        float* products = decoded + (most * Tiling.DecodedRow(maxDepth)), room = products + (most * stride);

        for (int k0 = 0; k0 < K; k0 += maxDepth)
        {
            (block.K0, block.Depth) = (k0, Math.Min(maxDepth, K - k0));
            bool last = k0 + block.Depth == K;
            for (int panel = 0; panel < Layout.Count; panel++)
            {
                int row = Layout.First(panel), width = Layout.Width(panel), rows = Math.Min(width, M - row);
                if (Gate != null)
                {
                    block.Products = products + (whole ? 0 : row);
                    MultiplyGated(block, panel, last, Tiling.FewRows * Tiling.DecodedRow(maxDepth));
                    continue;
                }
                if (PackedY != null)
                {
                    block.Products = PackedY + ((nint)row * Output.N) + (block.First * (nint)width);
                    block.Stride = width;
                    Multiply(block, panel);
                    if (last) Output.Finish<S, V>(block.Products, width, block.First, block.Rows, width);
                    continue;
                }
                block.Products = products + (whole ? 0 : row);
                Multiply(block, panel);
                if (last) Output.StoreTransposed<S, V>(block.Products, stride, block.First, block.Rows, Row + row, rows, room);
            }
        }
    }

    /// <summary>One panel of X with the same rows of gate and W, which have a half each of the task's memory.</summary>
    private readonly void MultiplyGated(Block block, int panel, bool last, nint half)
    {
        Block gate = block;
        gate.W = Gate;
        gate.Next = W;
        block.Next = Gate;
        block.Decoded += half;
        block.Products += Tiling.FewRows * block.Stride;
        Multiply(gate, panel);
        Multiply(block, panel);
        if (!last) return;
        int width = Layout.Width(panel);
        float* to = PackedY + ((nint)Layout.First(panel) * Output.N) + (block.First * (nint)width);
        Output.FinishGated<S, V>(gate.Products, block.Products, block.Stride, block.First, block.Rows, width, to, width);
    }

    /// <summary>One panel of X with all rows of W of the task.</summary>
    private readonly void Multiply(in Block block, int panel)
    {
        int vectors = Layout.Vectors(panel), rows = TTiles.Rows(vectors);
        nint rowBytes = TFormat.RowBytes(K);
        byte* w = block.W + (block.First * rowBytes);
        var call = new TileCall { K = block.Depth, B = PanelAt(panel, block.K0), CRow = block.Stride, Accumulate = block.K0 > 0 };
        for (int r = 0; r < block.Rows; r += rows)
        {
            call.A = Rows(block, w, r, rows, decode: panel == 0 || typeof(TFormat) == typeof(F32Format), out call.ARow);
            call.C = block.Products + (r * block.Stride);
            // The first panel meets rows of W that nobody has read; the others, rows that it has brought near.
            call.Prefetch = panel == 0 ? NextRows(w, r + rows, rows, block) : NextPanel(panel, block, r / rows, (block.Rows + rows - 1) / rows);
            TTiles.Run<S, V>(vectors, call);
        }
    }

    private readonly float* PanelAt(int panel, int k0) => PackedX + ((nint)Layout.First(panel) * K) + ((nint)k0 * Layout.Width(panel));

    // The rows of W that the next tile takes, as stored. Where they are read whole they are contiguous. After the last tile these are the first
    // rows again, in the next block of k, or those of the task that this thread will most likely take next, Threads tasks later.
    private readonly PrefetchRange NextRows(byte* w, int row, int rows, in Block block)
    {
        nint rowBytes = TFormat.RowBytes(K);
        int k0 = block.K0;
        if (row >= block.Rows)
        {
            if (block.Next != null) w = block.Next + (block.First * rowBytes);
            if (Gate != null && block.W == Gate) row = 0;                             // W follows, in the same block of k
            else (row, k0) = k0 + block.Depth < K ? (0, k0 + block.Depth) : (Threads * block.Rows, 0);
        }
        w += row * rowBytes;
        if (block.Depth == K) return new PrefetchRange(w, 1, 0, rows * rowBytes, K);
        nint start = TFormat.RowBytes(k0);
        return new PrefetchRange(w + start, rows, rowBytes, TFormat.RowBytes(k0 + block.Depth) - start, block.Depth);
    }

    // The part of the next panel that one of this panel's tiles prefetches. After the last panel the first one follows: with the next block of k or, in the
    // next task, the first.
    private readonly PrefetchRange NextPanel(int panel, in Block block, int tile, int tiles)
    {
        (int next, int k0) = panel + 1 < Layout.Count ? (panel + 1, block.K0) : (0, (block.K0 + block.Depth) % K);
        nint bytes = (nint)block.Depth * Layout.Width(next) * sizeof(float) / tiles;
        return new PrefetchRange((byte*)PanelAt(next, k0) + (tile * bytes), 1, 0, bytes, block.Depth);
    }

    /// <summary>A tile's rows of W as floats: in place where they are that already and the tile does not reach beyond them, else decoded.</summary>
    private readonly float* Rows(in Block block, byte* w, int row, int rows, bool decode, out nint aRow)
    {
        nint rowBytes = TFormat.RowBytes(K);
        w += row * rowBytes;
        if (typeof(TFormat) == typeof(F32Format) && row + rows <= block.Rows)
        {
            aRow = K;
            return (float*)w + block.K0;
        }
        aRow = Tiling.DecodedRow(block.Depth);
        float* decoded = block.Decoded + (row * aRow);
        if (decode)
        {
            for (int r = 0; r < Math.Min(rows, block.Rows - row); r++) TFormat.Decode<S, V>(w + (r * rowBytes), K, block.K0, decoded + (r * aRow), block.Depth);
        }
        return decoded;
    }

    /// <summary>What a task works on: some rows of W and a stretch of k.</summary>
    private struct Block
    {
        public byte* W, Next;             // the matrix, and the one whose rows come after these, where that is another
        public int First, Rows, K0, Depth;
        public float* Decoded, Products;
        public nint Stride;
    }
}
