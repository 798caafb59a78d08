using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>Copies of rows in the order in which a tile reads them.</summary>
internal static unsafe class Packing
{
    /// <summary>Lanes of the widest vector that there is.</summary>
    public const int MaxWidth = 16;

    /// <summary><paramref name="rows"/> rounded up to whole tiles.</summary>
    public static int Padded(int rows, int tile) => (rows + tile - 1) / tile * tile;

    /// <summary>panel[p, j] = x[j, p] for a vector of rows j and depth columns p; a vector is written every width floats. Rows beyond the last are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Strip<S, V>(float* x, int rows, nint stride, int depth, float* panel, nint width) where S : struct, ISimd<V>
    {
        int p = 0;
        if (rows == S.Width)
        {
            for (; p <= depth - S.Width; p += S.Width) S.Transpose(x + p, stride, panel + (p * width), width);
        }
        for (; p < depth; p++)
        {
            for (int r = 0; r < S.Width; r++) panel[(p * width) + r] = r < rows ? x[(r * stride) + p] : 0;
        }
    }
}

/// <summary>Packs X [m, k] into panels [k, width], one vector of rows per task; rows beyond m are 0.</summary>
internal unsafe struct PackRowsJob<S, V> : IJob where S : struct, ISimd<V>
{
    public float* X;       // [M, K]
    public int M, K;
    public Panels Layout;
    public float* Packed;  // Layout.Padded · K floats: panel after panel

    public readonly int Tasks => Layout.Padded / S.Width;

    public readonly void Execute(int task)
    {
        int first = task * S.Width, panel = Layout.Of(first), start = Layout.First(panel);
        float* destination = Packed + ((nint)start * K) + (first - start);
        Packing.Strip<S, V>(X + ((nint)first * K), Math.Min(S.Width, M - first), K, K, destination, Layout.Width(panel));
    }
}

/// <summary>How a number of rows is cut into panels of whole vectors: as few as the widest tile allows, of widths as equal as can be.</summary>
internal readonly struct Panels
{
    private readonly int _width, _vectors, _wider;

    /// <param name="rows">Rows of X, which are a panel's columns.</param>
    /// <param name="width">Lanes of a vector.</param>
    /// <param name="maxVectors">Vectors of the widest tile.</param>
    public Panels(int rows, int width, int maxVectors)
    {
        _width = width;
        int vectors = Packing.Padded(rows, width) / width;
        Padded = vectors * width;
        Count = (vectors + maxVectors - 1) / maxVectors;
        _vectors = Count == 0 ? 0 : vectors / Count;
        _wider = vectors - (Count * _vectors);
    }

    /// <summary>Rows of all panels: the number given, rounded up to whole vectors.</summary>
    public int Padded { get; }

    public int Count { get; }

    /// <summary>Vectors of a panel; the first ones may be wider by one.</summary>
    public int Vectors(int panel) => panel < _wider ? _vectors + 1 : _vectors;

    public int Width(int panel) => Vectors(panel) * _width;
    public int First(int panel) => ((panel * _vectors) + Math.Min(panel, _wider)) * _width;

    /// <summary>The panel that a row lies in.</summary>
    public int Of(int row)
    {
        int vector = row / _width, wide = _wider * (_vectors + 1);
        return vector < wide ? vector / (_vectors + 1) : _wider + ((vector - wide) / _vectors);
    }
}

/// <summary>A number of rows in as few blocks as a largest height allows, of heights as equal as can be; none is empty.</summary>
/// <param name="rows">All rows.</param>
/// <param name="most">The most rows of a block.</param>
internal readonly struct EqualBlocks(int rows, int most)
{
    /// <summary>Rows of every block but the last, which may have fewer.</summary>
    public int Height { get; } = rows == 0 ? 0 : (int)(((long)rows + Fewest(rows, most) - 1) / Fewest(rows, most));

    public int Count => rows == 0 ? 0 : (int)(((long)rows + Height - 1) / Height);

    /// <summary>First row and number of rows of a block.</summary>
    public (int First, int Rows) this[int block] => (block * Height, Math.Min(Height, rows - (block * Height)));

    private static long Fewest(int rows, int most) => ((long)rows + most - 1) / most;
}

/// <summary>Products of many rows of X: X is packed block of rows by block, and W multiplied with each.</summary>
internal abstract unsafe class TiledProducts : ProductKernel
{
    /// <summary>Floats that any of these blocks of rows takes when it is packed.</summary>
    protected abstract long PackedLength(EqualBlocks blocks, int k);

    /// <summary>Packs X [rows, k]. Returns where its rows lie.</summary>
    protected abstract Panels Pack(float* x, int rows, int k, float* packed, int threads);

    /// <summary>Multiplies a packed X, whose first row is row of Y. The products go to Y, or to next as the packed X of a product that follows.</summary>
    protected abstract void Multiply(float* packed, Panels layout, int row, int rows, ProductCall* calls, int count, float* next, int threads);

    public sealed override void Run(ProductCall* calls, int count, int m, int threads)
    {
        int k = calls->K;
        var blocks = new EqualBlocks(m, Tiling.RowBlock);
        float* packed = Scratch.ForCall(PackedLength(blocks, k));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            Panels layout = Pack(calls->X + ((nint)row * k), rows, k, packed, threads);
            Multiply(packed, layout, row, rows, calls, count, next: null, threads);
        }
    }

    /// <summary>
    /// Two products in a row, the first without a Y and the second without an X: what lies between them is packed as it is computed. second is of the same path
    /// and level.
    /// </summary>
    public void RunBoth(ProductCall* calls, TiledProducts second, int m, int threads)
    {
        int k = calls->K;
        var blocks = new EqualBlocks(m, Tiling.RowBlock);
        long length = PackedLength(blocks, k);
        float* packed = Scratch.ForCall(length + second.PackedLength(blocks, calls->Output.N)), between = packed + length;
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            Panels layout = Pack(calls->X + ((nint)row * k), rows, k, packed, threads);
            Multiply(packed, layout, row, rows, calls, 1, between, threads);
            second.Multiply(between, layout, row, rows, calls + 1, 1, next: null, threads);
        }
    }
}
