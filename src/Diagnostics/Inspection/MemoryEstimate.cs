namespace ManagedTransformers.Diagnostics;

/// <summary>What a model's weights take with the matrices of its linear layers in one format; embeddings, LayerNorms and biases stay as they are
/// stored.</summary>
/// <param name="Format">F32, F16, BF16, Int8 or Int4.</param>
/// <param name="Bytes">Of all weights together; in Int8 and Int4 what <see cref="LoadOptions.WeightFormat"/> makes of them. The head over the vocabulary and
/// matrices that cannot be quantized stay as they are stored there.</param>
public sealed record MemoryEstimate(string Format, long Bytes)
{
    private static readonly WeightType[] Formats = [WeightType.F32, WeightType.F16, WeightType.BF16, WeightType.Int8, WeightType.Int4];

    /// <summary>The same with <see cref="LoadOptions.QuantizeHead"/>; null where that changes nothing: there is no head over the vocabulary, it is the table of
    /// embeddings, or the format is not Int8 or Int4.</summary>
    public long? BytesWithHead { get; private init; }

    /// <summary>The estimates for all formats; of a quantized checkpoint for its own, in which alone it can be loaded.</summary>
    /// <param name="tensors">All tensors of the checkpoint.</param>
    /// <param name="linear">Which of them are matrices of linear layers; null where there is no model to ask.</param>
    internal static IReadOnlyList<MemoryEstimate> Of(IEnumerable<InspectedTensor> tensors, LinearMatrices? linear)
    {
        InspectedTensor[] parameters = [.. tensors.Where(tensor => tensor.IsParameter)];
        if (parameters.Select(tensor => tensor.BlockType).FirstOrDefault(type => type is not null) is WeightType blocks)
            return [new MemoryEstimate($"{blocks}", parameters.Sum(tensor => tensor.Bytes))];
        linear ??= LinearMatrices.Guess(parameters);
        return [.. Formats.Select(format => In(format, parameters, linear))];
    }

    private static MemoryEstimate In(WeightType format, InspectedTensor[] parameters, LinearMatrices linear)
    {
        if (!WeightMatrix.IsBlocked(format))
            return new MemoryEstimate($"{format}", BytesWith(linear.All, tensor => tensor.Elements * WeightMatrix.ElementSize(format)));
        long bytes = BytesWith(linear.Quantized, InBlocks), withHead = BytesWith(linear.QuantizedWithHead, InBlocks);
        return new MemoryEstimate($"{format}", bytes) { BytesWithHead = withHead == bytes ? null : withHead };

        long InBlocks(InspectedTensor matrix) => matrix.Shape[0] * WeightMatrix.BytesOfRow(format, (int)matrix.Shape[1]);
        long BytesWith(IReadOnlyCollection<string> matrices, Func<InspectedTensor, long> size) =>
            parameters.Sum(tensor => matrices.Contains(tensor.Name) ? size(tensor) : tensor.Bytes);
    }
}
