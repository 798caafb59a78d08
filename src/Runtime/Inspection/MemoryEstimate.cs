using ManagedTransformers.Kernels;

namespace ManagedTransformers;

/// <summary>What a model's weights take with the matrices of its Linear layers in one format; embeddings, LayerNorms and biases stay as they are stored.</summary>
/// <param name="Format">F32, F16, BF16, Int8 or Int4.</param>
/// <param name="Bytes">Of all weights together.</param>
public sealed record MemoryEstimate(string Format, long Bytes)
{
    private const int BlockWeights = 32;

    /// <summary>Bytes of a block of 32 weights: 32 numbers, or in the integer formats 32 integers of 8 or 4 bits and a scale of 16 bits.</summary>
    private static readonly (string Format, int BlockBytes, bool WholeBlocks)[] Formats =
    [
        ("F32", 4 * BlockWeights, false), ("F16", 2 * BlockWeights, false), ("BF16", 2 * BlockWeights, false), ("Int8", BlockWeights + 2, true), ("Int4", (BlockWeights / 2) + 2, true),
    ];

    /// <summary>The estimates for all formats; of a quantized checkpoint for its own, in which alone it can be loaded.</summary>
    internal static IReadOnlyList<MemoryEstimate> Of(IEnumerable<InspectedTensor> tensors)
    {
        InspectedTensor[] parameters = [.. tensors.Where(tensor => tensor.IsParameter)];
        if (parameters.Select(tensor => tensor.BlockType).FirstOrDefault(type => type is not null) is WeightType blocks)
            return [new MemoryEstimate($"{blocks}", parameters.Sum(tensor => tensor.Bytes))];
        return [.. Formats.Select(format => new MemoryEstimate(format.Format, parameters.Sum(tensor => tensor.IsMatrix ? BytesOf(tensor, format.BlockBytes, format.WholeBlocks) : tensor.Bytes)))];
    }

    /// <summary>A row is a whole number of blocks; the last one of a row may be part padding.</summary>
    private static long BytesOf(InspectedTensor matrix, int blockBytes, bool wholeBlocks) => wholeBlocks
        ? matrix.Shape[0] * ((matrix.Shape[1] + BlockWeights - 1) / BlockWeights) * blockBytes
        : matrix.Elements * blockBytes / BlockWeights;
}
