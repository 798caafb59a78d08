namespace ManagedTransformers.Kernels;

/// <summary>Each type of weight and its format: the one table of them.</summary>
internal static class WeightFormats
{
    /// <summary>Calls a visitor with the format of a type.</summary>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    public static void Visit<TVisitor>(WeightType type, ref TVisitor visitor) where TVisitor : struct, IFormatVisitor
    {
        switch (type)
        {
            case WeightType.F32: visitor.VisitFloats<F32Format>(); break;
            case WeightType.F16: visitor.VisitFloats<F16Format>(); break;
            case WeightType.BF16: visitor.VisitFloats<BF16Format>(); break;
            case WeightType.Int8: visitor.VisitBlocks<Int8Format>(); break;
            case WeightType.Int4: visitor.VisitBlocks<Int4Format>(); break;
            default: throw Unknown(type);
        }
    }

    /// <summary>Calls a visitor with the format of a type that stores elements one by one.</summary>
    /// <exception cref="ArgumentException">The type is unknown, or stores blocks.</exception>
    public static void VisitFloats<TVisitor>(WeightType type, ref TVisitor visitor) where TVisitor : struct, IFloatFormatVisitor
    {
        var floats = new FloatsOnly<TVisitor> { Visitor = visitor, Type = type };
        Visit(type, ref floats);
        visitor = floats.Visitor;
    }

    /// <summary>Calls a visitor with the format of a type that stores blocks.</summary>
    /// <exception cref="ArgumentException">The type is unknown, or stores elements one by one.</exception>
    public static void VisitBlocks<TVisitor>(WeightType type, ref TVisitor visitor) where TVisitor : struct, IBlockFormatVisitor
    {
        var blocks = new BlocksOnly<TVisitor> { Visitor = visitor, Type = type };
        Visit(type, ref blocks);
        visitor = blocks.Visitor;
    }

    public static ArgumentException Unknown(WeightType type) =>
        new($"{type} is no weight type; known are {string.Join(", ", Enum.GetNames<WeightType>())}.", nameof(type));

    public static ArgumentException NoElements(WeightType type) =>
        WeightMatrix.IsBlocked(type) ? new($"{type} stores elements in blocks of {Blocks.Size}, not one by one.", nameof(type)) : Unknown(type);

    public static ArgumentException NoBlocks(WeightType type) =>
        new($"{type} stores elements one by one, not in blocks.", nameof(type));

    private struct FloatsOnly<TVisitor> : IFormatVisitor where TVisitor : struct, IFloatFormatVisitor
    {
        public TVisitor Visitor;
        public WeightType Type;

        public void VisitFloats<TFormat>() where TFormat : struct, IWeightFormat => Visitor.Visit<TFormat>();
        public readonly void VisitBlocks<TFormat>() where TFormat : struct, IBlockFormat => throw NoElements(Type);
    }

    private struct BlocksOnly<TVisitor> : IFormatVisitor where TVisitor : struct, IBlockFormatVisitor
    {
        public TVisitor Visitor;
        public WeightType Type;

        public readonly void VisitFloats<TFormat>() where TFormat : struct, IWeightFormat => throw NoBlocks(Type);
        public void VisitBlocks<TFormat>() where TFormat : struct, IBlockFormat => Visitor.Visit<TFormat>();
    }
}

/// <summary>What a kernel does with the format of a weight: <see cref="WeightFormats.Visit"/> calls one of the two.</summary>
internal interface IFormatVisitor
{
    /// <summary>Elements are stored one by one.</summary>
    void VisitFloats<TFormat>() where TFormat : struct, IWeightFormat;

    /// <summary>Elements are stored in blocks of integers.</summary>
    void VisitBlocks<TFormat>() where TFormat : struct, IBlockFormat;
}

/// <summary>The same of a kernel that takes only blocks.</summary>
internal interface IBlockFormatVisitor
{
    void Visit<TFormat>() where TFormat : struct, IBlockFormat;
}

/// <summary>The same of a kernel that takes no blocks.</summary>
internal interface IFloatFormatVisitor
{
    void Visit<TFormat>() where TFormat : struct, IWeightFormat;
}
