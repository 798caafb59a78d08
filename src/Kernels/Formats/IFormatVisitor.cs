namespace ManagedTransformers.Kernels;

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
