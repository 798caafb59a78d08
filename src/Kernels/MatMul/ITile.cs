namespace ManagedTransformers.Kernels;

/// <summary>
/// A microkernel: c[r, j] (+)= Σ a[r, p] · b[p, j] for Rows × (Vectors · Width) values that stay in registers, named one by one
/// (arrays would live in memory).
/// </summary>
internal unsafe interface ITile
{
    /// <summary>Rows of the tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Vectors per row of the tile.</summary>
    static abstract int Vectors { get; }

    /// <summary>Runs the tile.</summary>
    /// <param name="k">Steps.</param>
    /// <param name="a">a[r, p] is at r · aRow + p · aStep; Rows rows are read.</param>
    /// <param name="aRow">Floats from a row of a to the next.</param>
    /// <param name="aStep">Floats from a step of a to the next.</param>
    /// <param name="b">b[p, …] is Vectors · Width contiguous floats at p · bStep.</param>
    /// <param name="bStep">Floats from a step of b to the next.</param>
    /// <param name="c">c[r, …] is Vectors · Width contiguous floats at r · cRow.</param>
    /// <param name="cRow">Floats from a row of c to the next.</param>
    /// <param name="accumulate">Adds to c; otherwise overwrites it.</param>
    static abstract void Run<S, V>(int k, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate)
        where S : struct, ISimd<V>
        where V : struct;
}
