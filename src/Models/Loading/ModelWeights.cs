using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// Gives a model that is being built its weights by Hugging Face name: from a checkpoint, or random where there is none. Collects
/// everything that does not fit, so that it is reported at once.
/// </summary>
internal sealed class ModelWeights
{
    private const int MostProblems = 50;

    private readonly Checkpoint? _checkpoint;
    private readonly RandomInitializer? _random;
    private readonly LoadOptions _options;
    private readonly string _basePrefix;
    private readonly string _configName;
    private readonly HashSet<string> _read = [];
    private readonly HashSet<string> _twins = [];
    private readonly List<string> _problems = [];
    private readonly List<string> _missing = [];
    private readonly List<Weight> _weights = [];

    private ModelWeights(Checkpoint? checkpoint, RandomInitializer? random, PretrainedConfig config, LoadOptions options)
    {
        (_checkpoint, _random, _options) = (checkpoint, random, options);
        _basePrefix = config.ModelType == "codegen" ? "transformer." : config.ModelType + ".";
        _configName = $"config.json ({config.ModelType})";
    }

    /// <summary>The weights of a checkpoint; the options say how those of linear layers are held.</summary>
    public static ModelWeights From(Checkpoint checkpoint, PretrainedConfig config, LoadOptions options) => new(checkpoint, random: null, config, options);

    /// <summary>Random weights, as transformers' _init_weights draws them.</summary>
    public static ModelWeights Random(PretrainedConfig config, int seed, LoadOptions options) =>
        new(checkpoint: null, new RandomInitializer(config.InitializerRange, seed), config, options);

    /// <summary>All weights that were given out, under their canonical names.</summary>
    public IReadOnlyList<Weight> Weights => _weights;

    /// <summary>Tensors of the checkpoint that need not be read, because another that is read is the same (a tied decoder).</summary>
    public IReadOnlySet<string> Twins => _twins;

    /// <summary>A [n, k] matrix in the type in which it is stored (F64 is rounded to F32).</summary>
    /// <param name="name">Canonical name, with the base model's prefix.</param>
    /// <param name="n">Rows: out_features, or rows of a table.</param>
    /// <param name="k">Columns: in_features, or the width of a row.</param>
    /// <param name="zeroRow">The row that random weights leave zero (padding_idx).</param>
    public Matrix Matrix(string name, int n, int k, int? zeroRow = null)
    {
        Weight weight = Take(name, [n, k], () => _random!.Normal(name, n, k, zeroRow));
        WeightType? type = weight.Type switch
        {
            ElementType.F32 => WeightType.F32,
            ElementType.F16 => WeightType.F16,
            ElementType.BF16 => WeightType.BF16,
            _ => null,
        };
        if (type is WeightType stored)
            return new Matrix(weight, stored, n, k);
        return new Matrix(ToF32(weight), WeightType.F32, n, k);
    }

    /// <summary>The [n, k] matrix of a linear layer, in the format that the options ask for.</summary>
    /// <inheritdoc cref="Matrix"/>
    public Matrix LinearMatrix(string name, int n, int k)
    {
        Matrix stored = Matrix(name, n, k);
        WeightType? type = _options.WeightFormat switch
        {
            WeightFormat.Int8 => WeightType.Int8,
            WeightFormat.Int4 => WeightType.Int4,
            _ => null,
        };
        const int PairOfBlocks = 64;
        if (type is not WeightType blocked || k % PairOfBlocks != 0 || stored.Weight.ByteLength == 0)
            return stored;
        long rowBytes = WeightMatrix.BytesOfRow(blocked, k);
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)(n * rowBytes)));
        try
        {
            Quantization.Quantize(stored.View, blocked, bytes, _options.Kernels);
        }
        catch (ArgumentException e)
        {
            _problems.Add($"{stored.Weight.Name} in {stored.Weight.File} cannot be quantized: {e.Message}");
            return stored;
        }
        return new Matrix(new Weight(stored.Weight.Name, ElementType.U8, [n, rowBytes], bytes, stored.Weight.File), blocked, n, k);
    }

    /// <summary>The matrix of the head over the vocabulary, quantized only where the options say so.</summary>
    /// <inheritdoc cref="Matrix"/>
    public Matrix HeadMatrix(string name, int n, int k) => _options.QuantizeHead ? LinearMatrix(name, n, k) : Matrix(name, n, k);

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
    public void Ignore(string name)
    {
        if (_checkpoint is null || Find(name) is not Weight weight)
            return;
        _read.Add(weight.Name);
        _twins.Add(weight.Name);
    }

    /// <summary>Reports everything that did not fit.</summary>
    /// <param name="architecture">The class that was built, for messages.</param>
    /// <param name="strict">Whether tensors that nobody read are an error.</param>
    /// <exception cref="CheckpointException">A tensor is missing, misshapen, of another type, or unknown.</exception>
    public void Finish(string architecture, bool strict)
    {
        if (_checkpoint is not null && strict)
        {
            foreach (Weight weight in _checkpoint.Weights.Values)
            {
                if (!_read.Contains(weight.Name) && !KnownExtras.Contains(weight.Name))
                    _problems.Add($"{weight.Name} in {weight.File} is {weight.ShapeText}; {architecture} has no such tensor. Is architectures in config.json right? (LoadOptions.Strict = false ignores it.)");
            }
        }
        ThrowProblems(architecture);
    }

    private Weight Take(string name, ReadOnlySpan<long> shape, Func<Weight> random)
    {
        Weight? weight = _checkpoint is null ? random() : Find(name);
        string expected = $"[{string.Join(", ", shape.ToArray())}]";
        if (weight is null)
        {
            _missing.Add(name);
            _problems.Add($"{name} is missing; {_configName} needs it as {expected}.");
        }
        else
        {
            _read.Add(weight.Name);
            if (!weight.Shape.SequenceEqual(shape.ToArray()))
                _problems.Add($"{weight.Name} in {weight.File} is {weight.ShapeText}; {_configName} needs {expected}.{LikelyCause(weight, shape)}");
            else if (!IsFloat(weight))
                _problems.Add($"{weight.Name} in {weight.File} has type {weight.Type}; F32, F16, BF16 or F64 is needed.");
            else
                _weights.Add(weight);
        }
        if (_problems.Count >= MostProblems)
            ThrowProblems("the model");
        // What replaces a bad weight is never used: Finish throws.
        return weight is not null && weight.Shape.SequenceEqual(shape.ToArray()) && IsFloat(weight) ? weight : new Weight(name, ElementType.F32, [0, 0], ReadOnlyMemory<byte>.Empty);
    }

    /// <summary>Looks a tensor up under the names that files give it: with or without the base model's prefix, and with gamma and beta.</summary>
    private Weight? Find(string name)
    {
        IReadOnlyDictionary<string, Weight> weights = _checkpoint!.Weights;
        string bare = name.StartsWith(_basePrefix, StringComparison.Ordinal) ? name[_basePrefix.Length..] : name;
        foreach (string candidate in (ReadOnlySpan<string>)[name, bare])
        {
            if (weights.TryGetValue(candidate, out Weight? weight) || weights.TryGetValue(LegacyNames.Of(candidate), out weight))
                return weight;
        }
        return null;
    }

    private static string LikelyCause(Weight weight, ReadOnlySpan<long> shape)
    {
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
