using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>A stored row to floats.</summary>
internal static unsafe class Widening
{
    /// <summary>A row of a type that stores elements one by one.</summary>
    public static void Run<S, V>(byte* row, WeightType type, float* y, nint length) where S : struct, ISimd<V>
    {
        var visitor = new Visitor<S, V> { Row = row, Y = y, Length = length };
        WeightFormats.VisitFloats(type, ref visitor);
    }

    /// <summary>Elements first … first + length − 1 of a stored row; prefetches what follows, as rows mostly do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V, TFormat>(byte* row, nint first, float* y, nint length)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> decoding = TFormat.Decoding<S, V>();
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width)
        {
            S.Prefetch(row + TFormat.RowBytes(first + i) + Tiling.PrefetchBytes);
            S.Store(y + i, TFormat.Widen<S, V>(row, first + i, decoding));
        }
        for (; i < length; i++) y[i] = TFormat.WidenOne(row, first + i);
    }

    private struct Visitor<S, V> : IFloatFormatVisitor where S : struct, ISimd<V>
    {
        public byte* Row;
        public float* Y;
        public nint Length;

        public readonly void Visit<TFormat>() where TFormat : struct, IWeightFormat => Body<S, V, TFormat>(Row, 0, Y, Length);
    }
}
