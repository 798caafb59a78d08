using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// Gives a model that is being built its weights by Hugging Face name: from a checkpoint, or random where there is none. Collects
/// everything that does not fit, so that it is reported at once.
/// </summary>
public sealed class ModelWeights
{
    private const int MostProblems = 50;

    private readonly Checkpoint? _checkpoint;
    private readonly RandomInitializer? _random;
    private readonly LoadOptions _options;
    private readonly ModelFamily _family;
    private readonly string _configName;
    private readonly HashSet<string> _read = [];
    private readonly Dictionary<string, string> _twins = new(StringComparer.Ordinal);
    private readonly List<string> _problems = [];
    private readonly List<string> _missing = [];
    private readonly List<Weight> _weights = [];
    private readonly HashSet<string> _linear = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Weight> _quantized = new(StringComparer.Ordinal);
    private readonly bool _planOnly;

    private ModelWeights(Checkpoint? checkpoint, RandomInitializer? random, PretrainedConfig config, LoadOptions options, bool planOnly = false)
    {
        (_checkpoint, _random, _options, _planOnly) = (checkpoint, random, options, planOnly);
        _family = ModelFamilies.Of(config);
        _configName = $"config.json ({config.ModelType})";
    }

    /// <summary>The weights of a checkpoint; the options say how those of linear layers are held.</summary>
    internal static ModelWeights From(Checkpoint checkpoint, PretrainedConfig config, LoadOptions options) => new(checkpoint, random: null, config, options);

    /// <summary>Goes through a checkpoint as loading would, but makes no new weights: to learn what becomes of each. The model that is built of it cannot run.</summary>
    internal static ModelWeights Plan(Checkpoint checkpoint, PretrainedConfig config, LoadOptions options) => new(checkpoint, random: null, config, options, planOnly: true);

    /// <summary>Random weights, as transformers' _init_weights draws them.</summary>
    internal static ModelWeights Random(PretrainedConfig config, int seed, LoadOptions options) =>
        new(checkpoint: null, new RandomInitializer(config.InitializerRange, seed), config, options);

    /// <summary>All weights that were given out, under their canonical names.</summary>
    internal IReadOnlyList<Weight> Weights => _weights;

    /// <summary>The same as kernels read them: those that were quantized while loading in that form.</summary>
    internal IEnumerable<Weight> HeldWeights => _weights.Select(weight => _quantized.GetValueOrDefault(weight.Name, weight));

    /// <summary>Those of them that are matrices of linear layers, heads over the vocabulary too.</summary>
    internal IReadOnlyCollection<string> Linear => _linear;

    /// <summary>Those of them that were quantized while loading.</summary>
    internal IReadOnlyCollection<string> Quantized => _quantized.Keys;

    /// <summary>Tensors of the checkpoint that need not be read, because another that is read is the same (a tied decoder), each with that one.</summary>
    internal IReadOnlyDictionary<string, string> Twins => _twins;

    /// <summary>A [n, k] matrix in the type in which it is stored (F64 is rounded to F32).</summary>
    /// <param name="name">Canonical name, with the base model's prefix.</param>
    /// <param name="n">Rows: out_features, or rows of a table.</param>
    /// <param name="k">Columns: in_features, or the width of a row.</param>
    /// <param name="zeroRow">The row that random weights leave zero (padding_idx).</param>
    internal Matrix Matrix(string name, int n, int k, int? zeroRow = null) => Stored(Take(name, [n, k], () => _random!.Normal(name, n, k, zeroRow)), n, k);

    /// <summary>The [n, k] matrix of a linear layer: in the blocks in which it is stored, else in the format that the options ask for.</summary>
    /// <inheritdoc cref="Matrix"/>
    internal Matrix LinearMatrix(string name, int n, int k) => LinearMatrix(name, n, k, StoredBlocks.TypeOf(_options.WeightFormat));

    /// <summary>The matrix of the head over the vocabulary, quantized only where the checkpoint has it so or the options say so.</summary>
    /// <inheritdoc cref="Matrix"/>
    internal Matrix HeadMatrix(string name, int n, int k) => LinearMatrix(name, n, k, _options.QuantizeHead ? StoredBlocks.TypeOf(_options.WeightFormat) : null);

    private Matrix LinearMatrix(string name, int n, int k, WeightType? asked)
    {
        Weight weight = Take(name, [n, k], () => _random!.Normal(name, n, k, zeroRow: null), isLinear: true);
        _linear.Add(weight.Name);
        if (weight.BlockType is WeightType stored)
        {
            RequireSame(stored, asked);
            return new Matrix(weight, stored, n, k);
        }
        return asked is WeightType type && k % StoredBlocks.PairColumns == 0 && weight.ByteLength > 0 ? Quantize(weight, type, n, k) : Stored(weight, n, k);
    }

    private Matrix Stored(Weight weight, int n, int k)
    {
        WeightType? type = weight.Type switch
        {
            ElementType.F32 => WeightType.F32,
            ElementType.F16 => WeightType.F16,
            ElementType.BF16 => WeightType.BF16,
            _ => null,
        };
        if (type is WeightType stored)
            return new Matrix(weight, stored, n, k);
        return new Matrix(_planOnly ? weight : ToF32(weight), WeightType.F32, n, k);
    }

    private Matrix Quantize(Weight weight, WeightType type, int n, int k)
    {
        Matrix stored = Stored(weight, n, k);
        if (_planOnly)
        {
            _quantized[weight.Name] = weight;
            return stored;
        }
        long[] shape = StoredBlocks.ShapeOf(type, n, k);
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)(shape[0] * shape[1])));
        try
        {
            Quantization.Quantize(stored.View, type, bytes, _options.Kernels);
        }
        catch (ArgumentException e)
        {
            _problems.Add($"{weight.Name} in {weight.File} cannot be quantized: {e.Message}");
            return stored;
        }
        var quantized = new Weight(weight.Name, ElementType.U8, shape, bytes, weight.File) { BlockType = type };
        _quantized[weight.Name] = quantized;
        return new Matrix(quantized, type, n, k);
    }

    /// <summary>Blocks of another format would have to be made of these, and not of the weights that these were made of.</summary>
    private void RequireSame(WeightType stored, WeightType? asked)
    {
        if (asked is null || asked == stored)
            return;
        string problem = $"Its linear layers are stored as {stored}, and LoadOptions.WeightFormat (--weights) asks for {asked}. Load them as they are stored, or load the checkpoint that they were made of.";
        if (!_problems.Contains(problem))
            _problems.Add(problem);
    }

    /// <summary>A vector of n float32 numbers: a bias, or the parameters of a LayerNorm.</summary>
    /// <param name="name">Canonical name, with the base model's prefix.</param>
    /// <param name="n">Its length.</param>
    /// <param name="initial">What random weights fill it with.</param>
    public float[] Vector(string name, int n, float initial = 0)
    {
        Weight weight = Take(name, [n], () => RandomInitializer.Constant(name, n, initial));
        return IsFloat(weight) ? weight.ToSingle() : new float[n];
    }

    /// <summary>Whether the checkpoint has a tensor of this name. Random weights have all.</summary>
    public bool Has(string name) => _checkpoint is null || Find(name) is not null;

    /// <summary>Says that a tensor, where present, is another's twin (a tied decoder) and need not be read.</summary>
    /// <param name="name">Its canonical name.</param>
    /// <param name="original">The name of the one that is read.</param>
    public void Ignore(string name, string original)
    {
        if (_checkpoint is null || Find(name) is not Weight weight)
            return;
        _read.Add(weight.Name);
        _twins[weight.Name] = Find(original)?.Name ?? original;
    }

    /// <summary>Reports everything that did not fit.</summary>
    /// <param name="architecture">The class that was built, for messages.</param>
    /// <param name="strict">Whether tensors that nobody read are an error.</param>
    /// <exception cref="CheckpointException">A tensor is missing, misshapen, of another type, or unknown.</exception>
    internal void Finish(string architecture, bool strict)
    {
        if (_checkpoint is not null && strict)
        {
            foreach (Weight weight in _checkpoint.Weights.Values)
            {
                if (!_read.Contains(weight.Name) && !_family.IsBuffer(weight.Name) && !_family.IsOtherHead(weight.Name))
                    _problems.Add($"{weight.Name} in {weight.File} is {weight.ShapeText}; {architecture} has no such tensor. Is architectures in config.json right? (LoadOptions.Strict = false ignores it.)");
            }
        }
        ThrowProblems(architecture);
    }

    private Weight Take(string name, long[] shape, Func<Weight> random, bool isLinear = false)
    {
        Weight? weight = _checkpoint is null ? random() : Find(name);
        string? problem = weight is null ? $"{name} is missing; {_configName} needs it as {TensorEntry.Describe(shape)}." : Misfit(weight, shape, isLinear);
        if (weight is null)
            _missing.Add(name);
        else
            _read.Add(weight.Name);
        if (problem is null)
        {
            _weights.Add(weight!);
            return weight!;
        }
        _problems.Add(problem);
        if (_problems.Count >= MostProblems)
            ThrowProblems("the model");
        // What replaces a bad weight is never used: Finish throws.
        return new Weight(name, ElementType.F32, [0, 0], ReadOnlyMemory<byte>.Empty);
    }

    /// <summary>Why a weight cannot be what the model needs; null where it can.</summary>
    private string? Misfit(Weight weight, long[] shape, bool isLinear)
    {
        string found = $"{weight.Name} in {weight.File}", needed = $"{_configName} needs {TensorEntry.Describe(shape)}";
        if (weight.BlockType is WeightType blocks)
        {
            if (!isLinear)
                return $"{found} is quantized ({blocks}); {needed} of F32, F16, BF16 or F64: only the matrices of linear layers can be quantized. Quantize the original checkpoint again (mtx convert).";
            if (shape[1] % StoredBlocks.PairColumns != 0)
                return $"{found} is quantized ({blocks}); {needed}, and rows of {shape[1]} weights are no whole pairs of blocks ({StoredBlocks.PairColumns}). Do config.json and the weight file belong together?";
            long[] stored = StoredBlocks.ShapeOf(blocks, shape[0], (int)shape[1]);
            return weight.Shape.SequenceEqual(stored)
                ? null
                : $"{found} is {weight.ShapeText} bytes of {blocks}; {needed}, which are {TensorEntry.Describe(stored)} bytes. Do config.json and the weight file belong together?";
        }
        if (!weight.Shape.SequenceEqual(shape))
            return $"{found} is {weight.ShapeText}; {needed}.{LikelyCause(weight, shape)}";
        return IsFloat(weight) ? null : $"{found} has type {weight.Type}; F32, F16, BF16 or F64 is needed.";
    }

    /// <summary>Looks a tensor up under the names that files give it: with or without the base model's prefix, and with gamma and beta.</summary>
    private Weight? Find(string name)
    {
        IReadOnlyDictionary<string, Weight> weights = _checkpoint!.Weights;
        string prefix = _family.BaseModelPrefix + ".", bare = name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
        foreach (string candidate in _family.NamesOf(name).Concat(_family.NamesOf(bare)))
        {
            if (weights.TryGetValue(candidate, out Weight? weight))
                return weight;
        }
        return null;
    }

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

    private static Weight ToF32(Weight weight)
    {
        if (weight.ByteLength == 0)
            return weight;
        float[] values = weight.ToSingle();
        var bytes = new byte[values.Length * sizeof(float)];
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(bytes);
        return new Weight(weight.Name, ElementType.F32, weight.Shape, bytes, weight.File);
    }

    private static bool IsFloat(Weight weight) => weight.Type is ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64;

    private void ThrowProblems(string architecture)
    {
        if (_problems.Count > 0)
            throw new CheckpointException($"The checkpoint does not fit {architecture}", _problems) { MissingTensors = [.. _missing] };
    }
}
