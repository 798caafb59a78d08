using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>
/// What does not fit while a model takes its weights: collected, so that all of it is told at once, and by its cause where one explains many.
/// </summary>
/// <param name="configName">What messages call the configuration.</param>
/// <param name="names">The checkpoint's names; null where weights are random.</param>
internal sealed class LoadProblems(string configName, TensorNames? names)
{
    private const int Most = 50;
    private const int Shown = 3;

    private readonly List<string> _others = [];
    private readonly List<(string Name, string Shape)> _missing = [];
    private bool _anyFound;

    /// <summary>Whether there is one.</summary>
    public bool Any => _others.Count + _missing.Count > 0;

    /// <summary>Says that a tensor is there, fitting or not.</summary>
    public void Found() => _anyFound = true;

    /// <summary>Says that a tensor is not there.</summary>
    /// <exception cref="CheckpointException">There are many problems already.</exception>
    public void Missing(string name, ReadOnlySpan<long> shape)
    {
        _missing.Add((name, TensorEntry.Describe(shape)));
        ThrowIfMany();
    }

    /// <summary>Another problem, in a sentence or two; told once.</summary>
    /// <exception cref="CheckpointException">There are many problems already.</exception>
    public void Add(string problem)
    {
        if (!_others.Contains(problem)) _others.Add(problem);
        ThrowIfMany();
    }

    /// <exception cref="CheckpointException">There is a problem.</exception>
    public void Throw(string architecture)
    {
        if (Any)
            throw new CheckpointException($"The checkpoint does not fit {architecture}", [.. DescribeMissing(), .. _others])
            {
                MissingTensors = [.. _missing.Select(tensor => tensor.Name)],
            };
    }

    // A configuration may ask for millions of layers.
    private void ThrowIfMany()
    {
        if (_others.Count + _missing.Count >= Most) Throw("the model");
    }

    private IEnumerable<string> DescribeMissing()
    {
        string[] all = [.. _missing.Select(tensor => tensor.Name)];
        string some = string.Join(", ", all.Take(Shown));
        if (all.Length > 1 && names?.PrefixOf(all) is string prefix)
        {
            return [$"{all.Length} tensors that {configName} needs are not there under their names ({some}, …), " +
                $"and all of them are with {prefix} before it: a larger model was saved. Save its {prefix.TrimEnd('.')} alone, or take the prefix off."];
        }
        if (all.Length > Shown && !_anyFound)
        {
            return [$"None of the tensors that {configName} needs is there ({some}, …); the checkpoint has {names?.Describe(Shown)}. " +
                "Do config.json and the weight file belong together?"];
        }
        return _missing.Select(tensor => $"{tensor.Name} is missing; {configName} needs it as {tensor.Shape}.");
    }
}

/// <summary>Whether a tensor can be what the model needs.</summary>
/// <param name="configName">What messages call the configuration.</param>
internal sealed class TensorFit(string configName)
{
    /// <summary>Why a weight cannot be what the model needs; null where it can.</summary>
    /// <param name="weight">The tensor.</param>
    /// <param name="shape">What is needed.</param>
    /// <param name="isLinear">Whether it is the matrix of a linear layer, which may be quantized.</param>
    /// <param name="transposed">Whether the shape is [in, out] (Conv1D); blocks are rows of the [out, in] matrix.</param>
    public string? Problem(Weight weight, long[] shape, bool isLinear, bool transposed = false)
    {
        string found = $"{weight.Name} in {weight.File}", needed = $"{configName} needs {TensorEntry.Describe(shape)}";
        if (weight.BlockType is WeightType blocks)
        {
            if (!isLinear)
                return $"{found} is quantized ({blocks}); {needed} of F32, F16, BF16 or F64: only the matrices of linear layers can be quantized. " +
                    "Quantize the original checkpoint again (mtx convert).";
            if (transposed)
                shape = [shape[1], shape[0]];
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
            return $"{found} is {weight.ShapeText}; {needed}.{LikelyCause(weight, shape, transposed)}";
        return IsFloat(weight) ? null : $"{found} has type {weight.Type}; F32, F16, BF16 or F64 is needed.";
    }

    public static bool IsFloat(Weight weight) => weight.Type is ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64;

    private static string LikelyCause(Weight weight, ReadOnlySpan<long> shape, bool transposed)
    {
        if (weight.Type == ElementType.U8 && shape.Length == 2)
            return " It is U8: if it was quantized, the metadata that said so is lost; quantize the original checkpoint again (mtx convert).";
        if (weight.Shape.Count == 2 && shape.Length == 2 && weight.Shape[0] == shape[1] && weight.Shape[1] == shape[0])
            return $" The matrix looks transposed: export {(transposed ? "Conv1D weights as [in, out]" : "Linear weights as [out, in]")}.";
        return weight.Shape.Count != shape.Length
            ? " The number of axes differs: is the file of another architecture?"
            : " Do config.json and the weight file belong together?";
    }
}
