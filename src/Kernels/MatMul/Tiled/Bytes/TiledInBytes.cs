using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>Products of many rows of X with blocks of integers: X becomes bytes, and bytes are multiplied.</summary>
/// <remarks>docs/adr/0006 has why the bytes have seven bits.</remarks>
internal sealed unsafe class TiledInBytes<S, V, TTiles, TFormat> : TiledProducts
    where S : struct, IByteSimd<V>
    where TTiles : struct, IBlockTiles
    where TFormat : struct, IBlockFormat
{
    protected override long PackedLength(EqualBlocks blocks, int k) => PackedBytes.Length(blocks, k);

    protected override Panels Pack(float* x, int rows, int k, float* packed, int threads)
    {
        var layout = new Panels(rows, S.Width, IBlockTiles.MaxVectors);
        var pack = new PackBytesJob<S, V, TFormat> { X = x, M = rows, Packed = new PackedBytes(layout, k, packed) };
        WorkerPool.Shared.Run(pack.Tasks, threads, pack);
        return layout;
    }

    protected override void Multiply(float* packed, Panels layout, int row, int rows, ProductCall* calls, int count, float* next, int threads)
    {
        BlockGemmJob<S, V, TTiles, TFormat>* jobs = stackalloc BlockGemmJob<S, V, TTiles, TFormat>[count];
        for (int i = 0; i < count; i++)
        {
            jobs[i] = new BlockGemmJob<S, V, TTiles, TFormat>
            {
                X = new PackedBytes(layout, calls[i].K, packed),
                Row = row,
                M = rows,
                W = calls[i].W,
                Gate = calls[i].Gate,
                Output = calls[i].Output,
                Next = next == null ? default : new PackedBytes(layout, calls[i].Output.N, next),
            };
        }
        var group = new JobGroup<BlockGemmJob<S, V, TTiles, TFormat>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}

/// <summary>
/// Y = X · Wᵀ for many rows of X and a W of blocks of integers, in products of bytes: one range of rows of W per task, against all of
/// X. As in <see cref="GemmJob{S, V, TTiles, TFormat}"/> rows of W are the tile's rows and rows of X its vectors.
/// </summary>
/// <remarks>A row of Y has the same bits whatever other rows are computed with it.</remarks>
internal unsafe struct BlockGemmJob<S, V, TTiles, TFormat> : ICountedJob
    where S : struct, IByteSimd<V>
    where TTiles : struct, IBlockTiles
    where TFormat : struct, IBlockFormat
{
    /// <summary>Rows of W per task: their bytes and a panel of X fit L2 together. Whole blocks, so that a task fills blocks of the next X.</summary>
    public const int WeightRows = 2 * Blocks.Size;

    public PackedBytes X;
    public int Row, M;        // first row of this block of X in Y, and its rows
    public byte* W;           // as stored, [N, K]
    public byte* Gate;        // the same for the gate, or null; products go to Next then
    public Output Output;     // Y and the epilogue
    public PackedBytes Next;  // where the products go instead of Y, as the X of a product that follows; default: to Y. N must be whole tasks then.

    public readonly int Tasks => (Output.N + WeightRows - 1) / WeightRows;

    public readonly void Execute(int task)
    {
        const int MaxWidth = 2 * Packing.MaxWidth;
        nint blocks = X.K / Blocks.Size, byteRow = ByteRow(X.K);
        nint part = WeightRows * (MaxWidth + blocks + (byteRow / sizeof(float)));
        float* products = Scratch.ForTask(((Gate == null ? 1 : 2) * part) + (S.Width * S.Width)), gates = products + part;
        float* room = products + ((Gate == null ? 1 : 2) * part);
        BlockTileCall call = Call(products), gate = Call(gates);
        int column = task * WeightRows, columns = Math.Min(WeightRows, Output.N - column);
        for (int panel = 0; panel < X.Layout.Count; panel++)
        {
            int first = X.Layout.First(panel), rows = Math.Min(X.Layout.Width(panel), M - first);
            Multiply(W, call, column, columns, panel);
            if (Gate != null)
            {
                Multiply(Gate, gate, column, columns, panel);
                Output.FinishGated<S, V>(gates, products, MaxWidth, column, columns, X.Layout.Width(panel), products, MaxWidth);
                PassOn(products, MaxWidth, column, panel);
                continue;
            }
            if (Next.Integers == null) Output.StoreTransposed<S, V>(products, MaxWidth, column, columns, Row + first, rows, room);
            else
            {
                Output.Finish<S, V>(products, MaxWidth, column, WeightRows, X.Layout.Width(panel));
                PassOn(products, MaxWidth, column, panel);
            }
        }

        BlockTileCall Call(float* memory)
        {
            float* scales = memory + (WeightRows * MaxWidth);
            var call = new BlockTileCall { Blocks = (int)blocks, C = memory, CRow = MaxWidth, Scales = scales, ARow = byteRow };
            call.A = (byte*)(scales + (WeightRows * blocks));
            return call;
        }
    }

    // Products have columns of the next X as their rows, which is how its blocks are quantized.
    private readonly void PassOn(float* products, nint stride, int column, int panel)
    {
        int width = X.Layout.Width(panel);
        for (int block = 0; block < WeightRows; block += Blocks.Size)
        {
            for (int lane = 0; lane < width; lane += S.Width)
                Next.Quantize<S, V, TFormat>(products + (block * stride) + lane, stride, panel, lane, column + block);
        }
    }

    // A cache line longer, so that the rows of a tile do not all lie in the same set of the cache.
    private static nint ByteRow(int k) => k + 64;

    private readonly void Multiply(byte* matrix, BlockTileCall call, int column, int columns, int panel)
    {
        nint rowBytes = TFormat.RowBytes(X.K), first = X.Layout.First(panel);
        byte* w = matrix + (column * rowBytes);
        int vectors = X.Layout.Vectors(panel), tile = TTiles.Rows(vectors), steps = call.Blocks * BlockTileCall.StepsPerBlock;
        call.B = X.Integers + (first * X.K);
        call.XScales = X.Scales + (first * call.Blocks);
        call.XZeros = X.Zeros + (first * call.Blocks);
        new Span<float>(call.C, columns * (int)call.CRow).Clear();
        for (int r = 0; r < columns; r += tile)
        {
            if (panel == 0) Unpack(w + (r * rowBytes), Math.Min(tile, columns - r), call);
            call.Prefetch = panel == 0 ? new PrefetchRange(w + ((r + tile) * rowBytes), 1, 0, tile * rowBytes, steps)
                : NextPanel(panel, r / tile, (columns + tile - 1) / tile, steps);
            TTiles.Run<S, V, TFormat>(vectors, call);
            call.A += tile * call.ARow;
            call.Scales += tile * call.Blocks;
            call.C += tile * call.CRow;
        }
    }

    // The part of the next panel that one of this panel's tiles prefetches; after the last one the first follows, in the next task.
    private readonly PrefetchRange NextPanel(int panel, int tile, int tiles, int steps)
    {
        int next = (panel + 1) % X.Layout.Count;
        nint bytes = (nint)X.Layout.Width(next) * X.K / tiles;
        return new PrefetchRange((byte*)X.Integers + ((nint)X.Layout.First(next) * X.K) + (tile * bytes), 1, 0, bytes, steps);
    }

    // Rows beyond the last are whatever the memory held: their products are not stored, and no integer is a fault.
    private readonly void Unpack(byte* w, int rows, in BlockTileCall call)
    {
        Decoding<V> decoding = F16Format.Decoding<S, V>();
        for (nint r = 0; r < rows; r++, w += TFormat.RowBytes(X.K))
        {
            TFormat.ToBytes(w, X.K, call.A + (r * call.ARow));
            byte* stored = Blocks.ScalesOf<TFormat>(w, X.K);
            float* scales = call.Scales + (r * call.Blocks);
            if (call.Blocks < S.Width)
            {
                for (nint block = 0; block < call.Blocks; block++) scales[block] = F16Format.WidenOne(stored, block) * TFormat.ByteUnit;
                continue;
            }
            // The last vector ends with the row, and may begin in the one before.
            for (nint block = 0; block < call.Blocks; block += S.Width)
            {
                nint at = Math.Min(block, call.Blocks - S.Width);
                S.Store(scales + at, S.Multiply(F16Format.Widen<S, V>(stored, at, decoding), S.Broadcast((float)TFormat.ByteUnit)));
            }
        }
    }
}

/// <summary>
/// X for products with blocks of integers, as signed bytes with a scale per block of 32, packed into panels: four bytes of a row,
/// four of the next, as many rows as the panel has lanes; then the next four columns.
/// </summary>
internal unsafe struct PackedBytes
{
    /// <summary>Bytes of a row that a lane holds.</summary>
    public const int Group = 4;

    public Panels Layout;
    public int K;
    public sbyte* Integers;  // panel after panel, [K / 4, width, 4]
    public float* Scales;    // panel after panel, [K / 32, width]: floats whose last two bits are 0, so that their product with Blocks.Ones is exact

    /// <summary>
    /// Where a block's sum of products begins: integers that are the bits of <see cref="Blocks.Ones"/> and what W's zero has in the sum, [K / 32, width], panel
    /// after panel.
    /// </summary>
    public float* Zeros;

    /// <summary>Floats of memory for rows of X.</summary>
    public static long Length(EqualBlocks blocks, int k) => (long)Packing.Padded(blocks.Height, Packing.MaxWidth) * ((k / Group) + (2 * (k / Blocks.Size)));

    /// <summary>Places for rows of X in <paramref name="memory"/>.</summary>
    public PackedBytes(Panels layout, int k, float* memory)
    {
        (Layout, K) = (layout, k);
        Integers = (sbyte*)memory;
        Scales = memory + ((nint)layout.Padded * k / Group);
        Zeros = Scales + ((nint)layout.Padded * (k / Blocks.Size));
    }

    /// <summary>
    /// Quantizes a block of a vector of rows, which lies transposed: 32 vectors, a lane for each row. What is not finite, or beyond 10³³ (its scale times
    /// <see cref="Blocks.Ones"/> is not finite then), makes its row's scale NaN, and so that row of Y. The rows begin at lane of their panel, the block at
    /// column.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void Quantize<S, V, TFormat>(float* x, nint stride, int panel, int lane, int column)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
    {
        V largest = S.Broadcast(0f), total = largest;
        for (nint i = 0; i < Blocks.Size; i++) largest = S.Max(largest, S.And(S.Load(x + (i * stride)), S.BroadcastInt(int.MaxValue)));
        V most = S.Broadcast((float)TFormat.MostX), inverse = S.And(S.Divide(most, largest), S.Less(S.Broadcast(BlockInput.Least), largest));

        nint width = Layout.Width(panel), first = Layout.First(panel);
        float* integers = (float*)(Integers + (first * K)) + (column / Group * width) + lane;
        for (nint i = 0; i < Blocks.Size; i += Group, integers += width)
        {
            V a = S.Round(S.Multiply(S.Load(x + (i * stride)), inverse)), b = S.Round(S.Multiply(S.Load(x + ((i + 1) * stride)), inverse));
            V c = S.Round(S.Multiply(S.Load(x + ((i + 2) * stride)), inverse)), d = S.Round(S.Multiply(S.Load(x + ((i + 3) * stride)), inverse));
            total = S.Add(total, S.Add(S.Add(a, b), S.Add(c, d)));
            V ab = S.Or(Blocks.LastBits<S, V>(a, 0xFF), S.ShiftLeft(Blocks.LastBits<S, V>(b, 0xFF), 8)),
                cd = S.Or(Blocks.LastBits<S, V>(c, 0xFF), S.ShiftLeft(Blocks.LastBits<S, V>(d, 0xFF), 8));
            S.Store(integers, S.Or(ab, S.ShiftLeft(cd, 16)));
        }
        nint at = (first * (K / Blocks.Size)) + (column / Blocks.Size * width) + lane;
        V scale = S.And(S.MultiplyAdd(total, S.Broadcast(0f), S.Divide(largest, most)), S.BroadcastInt(~3));
        S.Store(Scales + at, S.MultiplyAdd(S.Multiply(scale, S.Broadcast(Blocks.Ones)), S.Broadcast(0f), scale));
        S.Store(Zeros + at, S.Add(S.Round(S.Multiply(total, S.Broadcast(-0.25f * TFormat.ByteZero))), S.Broadcast(Blocks.Ones)));
    }
}

/// <summary>Quantizes and packs X [m, k], one vector of rows per task; rows beyond m are 0.</summary>
internal unsafe struct PackBytesJob<S, V, TFormat> : IJob
    where S : struct, ISimd<V>
    where TFormat : struct, IBlockFormat
{
    public float* X;            // [M, Packed.K]
    public int M;
    public PackedBytes Packed;  // where X goes

    public readonly int Tasks => Packed.Layout.Padded / S.Width;

    public readonly void Execute(int task)
    {
        int k = Packed.K, first = task * S.Width, panel = Packed.Layout.Of(first), lane = first - Packed.Layout.First(panel);
        float* turned = Scratch.ForTask(Blocks.Size * S.Width);
        for (int at = 0; at < k; at += Blocks.Size)
        {
            Packing.Strip<S, V>(X + ((nint)first * k) + at, Math.Min(S.Width, M - first), k, Blocks.Size, turned, S.Width);
            Packed.Quantize<S, V, TFormat>(turned, S.Width, panel, lane, at);
        }
    }
}
