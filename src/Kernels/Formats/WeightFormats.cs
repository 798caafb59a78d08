namespace ManagedTransformers.Kernels;

/// <summary>Each type of weight and its format: the one table of them.</summary>
internal static class WeightFormats
{
    /// <summary>Calls a visitor with the format of a type.</summary>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    public static void Visit<TVisitor>(WeightType type, TVisitor visitor)
        where TVisitor : struct, IFormatVisitor, allows ref struct
    {
        switch (type)
        {
            case WeightType.F32:  visitor.VisitFloats<F32Format>(); break;
            case WeightType.F16:  visitor.VisitFloats<F16Format>(); break;
            case WeightType.BF16: visitor.VisitFloats<BF16Format>(); break;
            case WeightType.Int8: visitor.VisitBlocks<Int8Format>(); break;
            case WeightType.Int4: visitor.VisitBlocks<Int4Format>(); break;
            default:              throw Unknown(type);
        }
    }

    /// <summary>Calls a visitor with the format of a type that stores elements one by one.</summary>
    /// <exception cref="ArgumentException">The type is unknown, or stores blocks.</exception>
    public static void VisitFloats<TVisitor>(WeightType type, TVisitor visitor)
        where TVisitor : struct, IFloatFormatVisitor, allows ref struct => Visit(type, new FloatsOnly<TVisitor>(visitor, type));

    public static ArgumentException Unknown(WeightType type) =>
        new($"{type} is no weight type; known are {string.Join(", ", Enum.GetNames<WeightType>())}.", nameof(type));

    private readonly ref struct FloatsOnly<TVisitor>(TVisitor visitor, WeightType type) : IFormatVisitor
        where TVisitor : struct, IFloatFormatVisitor, allows ref struct
    {
        private readonly TVisitor _visitor = visitor;

        public void VisitFloats<TFormat>()
            where TFormat : struct, IWeightFormat => _visitor.Visit<TFormat>();

        public void VisitBlocks<TFormat>()
            where TFormat : struct, IBlockFormat => throw WeightMatrix.NoElements(type);
    }
}
