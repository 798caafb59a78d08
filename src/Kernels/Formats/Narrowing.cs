using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Floats to a stored row.</summary>
internal static unsafe class Narrowing
{
    /// <summary>To a type that stores elements one by one.</summary>
    public static void Run<S, V>(float* x, WeightType type, byte* row, nint length) where S : struct, ISimd<V>
    {
        var visitor = new Visitor<S, V> { X = x, Row = row, Length = length };
        WeightFormats.VisitFloats(type, ref visitor);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V, TFormat>(float* x, byte* row, nint length)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) TFormat.Narrow<S, V>(S.Load(x + i), row, i);
        for (; i < length; i++) TFormat.NarrowOne(x[i], row, i);
    }

    private struct Visitor<S, V> : IFloatFormatVisitor where S : struct, ISimd<V>
    {
        public float* X;
        public byte* Row;
        public nint Length;

        public readonly void Visit<TFormat>() where TFormat : struct, IWeightFormat => Body<S, V, TFormat>(X, Row, Length);
    }
}
