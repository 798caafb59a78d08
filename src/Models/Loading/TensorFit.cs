using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>Whether a tensor can be what the model needs.</summary>
/// <param name="configName">What messages call the configuration.</param>
internal sealed class TensorFit(string configName)
{
    /// <summary>Why a weight cannot be what the model needs; null where it can.</summary>
    public string? Problem(Weight weight, long[] shape, bool isLinear)
    {
        string found = $"{weight.Name} in {weight.File}", needed = $"{configName} needs {TensorEntry.Describe(shape)}";
        if (weight.BlockType is WeightType blocks)
        {
            if (!isLinear)
                return $"{found} is quantized ({blocks}); {needed} of F32, F16, BF16 or F64: only the matrices of linear layers can be quantized. " +
                    "Quantize the original checkpoint again (mtx convert).";
            if (shape[1] % StoredBlocks.PairColumns != 0)
                return $"{found} is quantized ({blocks}); {needed}, and rows of {shape[1]} weights are no whole pairs of blocks " +
                    $"({StoredBlocks.PairColumns}). Do config.json and the weight file belong together?";
            long[] stored = StoredBlocks.ShapeOf(blocks, shape[0], (int)shape[1]);
            return weight.Shape.SequenceEqual(stored)
                ? null
                : $"{found} is {weight.ShapeText} bytes of {blocks}; {needed}, which are {TensorEntry.Describe(stored)} bytes. " +
                    "Do config.json and the weight file belong together?";
        }
        if (!weight.Shape.SequenceEqual(shape))
            return $"{found} is {weight.ShapeText}; {needed}.{LikelyCause(weight, shape)}";
        return IsFloat(weight) ? null : $"{found} has type {weight.Type}; F32, F16, BF16 or F64 is needed.";
    }

    public static bool IsFloat(Weight weight) => weight.Type is ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64;

    private static string LikelyCause(Weight weight, ReadOnlySpan<long> shape)
    {
        if (weight.Type == ElementType.U8 && shape.Length == 2)
            return " It is U8: if it was quantized, the metadata that said so is lost; quantize the original checkpoint again (mtx convert).";
        if (weight.Shape.Count == 2 && shape.Length == 2 && weight.Shape[0] == shape[1] && weight.Shape[1] == shape[0])
            return " The matrix looks transposed: export Linear weights as [out, in].";
        return weight.Shape.Count != shape.Length
            ? " The number of axes differs: is the file of another architecture?"
            : " Do config.json and the weight file belong together?";
    }
}
