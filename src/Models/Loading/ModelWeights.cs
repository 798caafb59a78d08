using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>
/// Gives a model that is being built its weights by Hugging Face name: from a checkpoint, or random where there is none. Collects
/// everything that does not fit, so that it is reported at once.
/// </summary>
public sealed class ModelWeights
{
    private const int NamesInWarning = 10;

    private readonly Checkpoint? _checkpoint;
    private readonly RandomInitializer? _random;
    private readonly LoadOptions _options;
    private readonly ModelFamily _family;
    private readonly TensorNames? _names;
    private readonly TensorFit _fit;
    private readonly LoadProblems _problems;
    private readonly HashSet<string> _read = [];
    private readonly Dictionary<string, string> _twins = new(StringComparer.Ordinal);
    private readonly List<Weight> _weights = [];
    private readonly HashSet<string> _unknown = new(StringComparer.Ordinal);
    private readonly List<string> _warnings = [];
    private readonly HashSet<string> _linear = new(StringComparer.Ordinal);
    private readonly HashSet<string> _transposed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Weight> _quantized = new(StringComparer.Ordinal);
    private readonly bool _planOnly;

    private ModelWeights(Checkpoint? checkpoint, RandomInitializer? random, PretrainedConfig config, LoadOptions options, bool planOnly = false)
    {
        (_checkpoint, _random, _options, _planOnly) = (checkpoint, random, options, planOnly);
        _family = ModelFamilies.Of(config);
        string configName = $"config.json ({config.ModelType})";
        _names = checkpoint is null ? null : new TensorNames(checkpoint.Weights, _family);
        _fit = new TensorFit(configName);
        _problems = new LoadProblems(configName, _names);
    }

    /// <summary>The weights of a checkpoint; the options say how those of linear layers are held.</summary>
    internal static ModelWeights From(Checkpoint checkpoint, PretrainedConfig config, LoadOptions options) => new(checkpoint, random: null, config, options);

    /// <summary>
    /// Goes through a checkpoint as loading would, but makes no new weights: to learn what becomes of each. The model that is built of it cannot run.
    /// </summary>
    internal static ModelWeights Plan(Checkpoint checkpoint, PretrainedConfig config, LoadOptions options) =>
        new(checkpoint, random: null, config, options, planOnly: true);

    /// <summary>Names and shapes without numbers, as on PyTorch's meta device: for what needs the model's configuration and class. The model that is built of
    /// it cannot run.</summary>
    internal static ModelWeights Meta(PretrainedConfig config, LoadOptions options) => new(checkpoint: null, random: null, config, options, planOnly: true);

    /// <summary>Random weights, as transformers' _init_weights draws them.</summary>
    internal static ModelWeights Random(PretrainedConfig config, int seed, LoadOptions options) =>
        new(checkpoint: null, new RandomInitializer(config.InitializerRange, seed), config, options);

    /// <summary>All weights that were given out, under their canonical names.</summary>
    internal IReadOnlyList<Weight> Weights => _weights;

    /// <summary>The same as kernels read them: those that were quantized while loading in that form.</summary>
    internal IEnumerable<Weight> HeldWeights => _weights.Select(weight => _quantized.GetValueOrDefault(weight.Name, weight));

    /// <summary>Those of them that are matrices of linear layers, heads over the vocabulary too.</summary>
    internal IReadOnlyCollection<string> Linear => _linear;

    /// <summary>Those of them that the checkpoint has as [in, out] (Conv1D).</summary>
    internal IReadOnlySet<string> TransposedLinear => _transposed;

    /// <summary>Those of them that were quantized while loading.</summary>
    internal IReadOnlyCollection<string> Quantized => _quantized.Keys;

    /// <summary>The token table where a head that is tied to it is quantized, and held in addition to it; null: there is none.</summary>
    internal string? TiedHead { get; private set; }

    /// <summary>Tensors of the checkpoint that need not be read, because another that is read is the same (a tied decoder), each with that one.</summary>
    internal IReadOnlyDictionary<string, string> Twins => _twins;

    /// <summary>Tensors of the checkpoint that the model does not know, by their names there; known once <see cref="Finish"/> was called.</summary>
    internal IReadOnlySet<string> Unknown => _unknown;

    /// <summary>What is odd about the checkpoint and harms nothing, in sentences for people; known once <see cref="Finish"/> was called.</summary>
    internal IReadOnlyList<string> Warnings => _warnings;

    /// <summary>A tensor's name in the file without what training put around the model.</summary>
    internal string Unwrapped(Weight weight) => _names?.Unwrapped(weight) ?? weight.Name;

    /// <summary>
    /// A [n, k] matrix, under its canonical name, in the type in which it is stored (F64 is rounded to F32). Random weights leave the zero row zero
    /// (padding_idx).
    /// </summary>
    internal Matrix Matrix(string name, int n, int k, int? zeroRow = null) => Stored(Take(name, [n, k], () => _random!.Normal(name, n, k, zeroRow)), n, k);

    /// <summary>The [n, k] matrix of a linear layer: in the blocks in which it is stored, else in the format that the options ask for.</summary>
    /// <param name="name">Canonical name.</param>
    /// <param name="n">Rows.</param>
    /// <param name="k">Columns.</param>
    /// <param name="transposed">Whether files have it as [k, n]: it is copied to memory as [n, k], once. Blocks are always [n, k].</param>
    internal Matrix LinearMatrix(string name, int n, int k, bool transposed = false) =>
        LinearMatrix(name, n, k, StoredBlocks.TypeOf(_options.WeightFormat), transposed);

    /// <summary>The matrix of the head over the vocabulary, quantized only where the checkpoint has it so or the options say so.</summary>
    internal Matrix HeadMatrix(string name, int n, int k) =>
        LinearMatrix(name, n, k, _options.QuantizeHead ? StoredBlocks.TypeOf(_options.WeightFormat) : null);

    /// <summary>The matrix of a head that is tied to the token table: the table itself, or quantized from it where the options say so. Rows are looked up in
    /// the table as it is stored.</summary>
    internal Matrix TiedHeadMatrix(Matrix table)
    {
        if (!_options.QuantizeHead || StoredBlocks.TypeOf(_options.WeightFormat) is not WeightType type || !IsQuantizable(table.Weight, table.K)) return table;
        TiedHead = table.Weight.Name;
        return _planOnly ? table : Blocked(table, type);
    }

    private Matrix LinearMatrix(string name, int n, int k, WeightType? asked, bool transposed = false)
    {
        (int rows, int columns) = transposed ? (k, n) : (n, k);
        Weight weight = Take(name, [rows, columns], () => _random!.Normal(name, rows, columns, zeroRow: null), isLinear: true, transposed);
        _linear.Add(weight.Name);
        if (weight.BlockType is WeightType stored)
        {
            RequireSame(stored, asked);
            return new Matrix(weight, stored, n, k);
        }
        if (transposed && weight.ByteLength > 0)
        {
            _transposed.Add(weight.Name);
            if (!_planOnly)
                weight = Transposed.Of(weight, _options.Kernels);
        }
        return asked is WeightType type && IsQuantizable(weight, k)
            ? Quantize(weight, type, n, k)
            : Stored(weight, n, k, _options.WidenWeights);
    }

    private Matrix Stored(Weight weight, int n, int k, bool widen = false)
    {
        if (weight.Type.ToWeightType() is WeightType stored && (stored == WeightType.F32 || !widen)) return new Matrix(weight, stored, n, k);
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
        Matrix quantized = Blocked(stored, type);
        if (quantized != stored)
            _quantized[weight.Name] = quantized.Weight;
        return quantized;
    }

    private static bool IsQuantizable(Weight weight, int k) => k % StoredBlocks.PairColumns == 0 && weight.ByteLength > 0;

    /// <summary>A matrix in blocks; the matrix itself, and a problem, where it has numbers that blocks cannot have.</summary>
    private Matrix Blocked(Matrix stored, WeightType type)
    {
        (Weight weight, int n, int k) = (stored.Weight, stored.N, stored.K);
        long[] shape = StoredBlocks.ShapeOf(type, n, k);
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)(shape[0] * shape[1])));
        try
        {
            Quantization.Quantize(stored.View, type, bytes, _options.Kernels);
            weight.GiveBack();
        }
        catch (ArgumentException e)
        {
            _problems.Add($"{weight.Name} in {weight.File} cannot be quantized: {e.Message}");
            return stored;
        }
        return new Matrix(new Weight(weight.Name, ElementType.U8, shape, bytes, weight.File) { BlockType = type }, type, n, k);
    }

    /// <summary>Blocks of another format would have to be made of these, and not of the weights that these were made of.</summary>
    private void RequireSame(WeightType stored, WeightType? asked)
    {
        if (asked is null || asked == stored) return;
        _problems.Add($"Its linear layers are stored as {stored}, and LoadOptions.WeightFormat (--weights) asks for {asked}. " +
            "Load them as they are stored, or load the checkpoint that they were made of.");
    }

    /// <summary>A vector of n float32 numbers: a bias, or the parameters of a LayerNorm.</summary>
    /// <param name="name">Canonical name, with the base model's prefix.</param>
    /// <param name="n">Its length.</param>
    /// <param name="initial">What random weights fill it with.</param>
    public float[] Vector(string name, int n, float initial = 0)
    {
        Weight weight = Take(name, [n], () => RandomInitializer.Constant(name, n, initial));
        return TensorFit.IsFloat(weight) && !weight.IsMeta ? weight.ToSingle() : new float[n];
    }

    /// <summary>Whether the checkpoint has a tensor of this name. Random weights have all.</summary>
    public bool Has(string name) => _names is null || _names.Find(name) is not null;

    /// <summary>Says that a tensor, where present, is another's twin (a tied decoder) and need not be read.</summary>
    /// <param name="name">Its canonical name.</param>
    /// <param name="original">The name of the one that is read.</param>
    public void Ignore(string name, string original)
    {
        if (_names?.Find(name) is not Weight weight) return;
        _read.Add(weight.Name);
        _twins[weight.Name] = _names.Find(original)?.Name ?? original;
    }

    /// <summary>Reports everything that did not fit; strict makes errors of warnings: tensors that nobody read, names of a wrapped model.</summary>
    /// <param name="architecture">The class that took the weights.</param>
    /// <param name="strict">Whether warnings are errors.</param>
    /// <param name="warning">Another warning, of the caller's; null: none.</param>
    /// <exception cref="CheckpointException">A tensor is missing, misshapen, of another type, or unknown.</exception>
    internal void Finish(string architecture, bool strict, string? warning = null)
    {
        Weight[] unknown = [.. _checkpoint?.Weights.Values.Where(weight => !_read.Contains(weight.Name) && !IsKnown(Unwrapped(weight))) ?? []];
        _unknown.UnionWith(unknown.Select(weight => weight.Name));
        _warnings.AddRange(new[] { warning, _names?.Warning(), DescribeUnknown(unknown, architecture), DescribeUnquantized(architecture) }.OfType<string>());
        if (FurtherLayers(unknown) is string contradiction) _problems.Add(contradiction);
        // They help to find what is missing, too.
        if (strict || _problems.Any) _warnings.ForEach(_problems.Add);
        _problems.Throw(architecture);
        if (!_planOnly && _options.OnWarning is Action<string> warn) _warnings.ForEach(warn);
    }

    /// <summary>Whether a tensor that nobody read is a buffer, or belongs to another class's head.</summary>
    private bool IsKnown(string name) => _family.IsBuffer(name) || _family.IsOtherHead(name);

    /// <summary>Tensors that differ from ones that were read in a number alone: the file has more layers than config.json, and without
    /// them outputs are wrong.</summary>
    private string? FurtherLayers(Weight[] unknown)
    {
        HashSet<string> known = [.. _read.Select(WithoutNumbers)];
        Weight[] further = [.. unknown.Where(weight => WithoutNumbers(weight.Name) is string name && name != weight.Name && known.Contains(name))];
        return further.Length == 0 ? null : $"{further[0].Name} in {further[0].File} and {further.Length - 1} more belong to further layers than " +
            $"config.json ({_family.ModelType}) has. " +
            "Set its number of layers to the file's, or use the weights that were saved with it.";

        static string WithoutNumbers(string name) => string.Join('.', name.Split('.').Select(part => part.All(char.IsAsciiDigit) ? "*" : part));
    }

    /// <summary>A format that was asked for and that no matrix can have.</summary>
    private string? DescribeUnquantized(string architecture)
    {
        if (_options.WeightFormat == WeightFormat.AsStored || _quantized.Count > 0) return null;
        Weight[] matrices = [.. _weights.Where(weight => _linear.Contains(weight.Name))];
        return matrices.Length == 0 || matrices.Any(weight => weight.BlockType is not null) ? null
            : $"No matrix of {architecture} could be quantized: {_options.WeightFormat} (LoadOptions.WeightFormat, --weights) needs a multiple of " +
                $"{StoredBlocks.PairColumns} columns, and {matrices[0].Name} is {matrices[0].ShapeText}. All {matrices.Length} linear layers are held as " +
                "they are stored.";
    }

    private static string? DescribeUnknown(Weight[] unknown, string architecture)
    {
        const string Advice = "Is architectures in config.json right? LoadOptions.Strict (--strict) refuses such checkpoints.";
        string names = string.Join(", ", unknown.Take(NamesInWarning).Select(weight => weight.Name));
        return unknown.Length switch
        {
            0 => null,
            1 => $"{names} in {unknown[0].File} is {unknown[0].ShapeText}; {architecture} has no such tensor and does not use it. {Advice}",
            <= NamesInWarning => $"{architecture} has no such tensors as {names} and does not use them. {Advice}",
            _ => $"{architecture} has no such tensors as {names} and {unknown.Length - NamesInWarning} more, and does not use these {unknown.Length}. {Advice}",
        };
    }

    private Weight Take(string name, long[] shape, Func<Weight> random, bool isLinear = false, bool transposed = false)
    {
        Weight? weight = _checkpoint is not null ? _names!.Find(name) : _random is not null ? random() : Weight.Meta(name, shape);
        if (weight is null)
        {
            _problems.Missing(name, shape);
        }
        else
        {
            _read.Add(weight.Name);
            _problems.Found();
            if (_fit.Problem(weight, shape, isLinear, transposed) is not string problem)
            {
                _weights.Add(weight);
                return weight;
            }
            _problems.Add(problem);
        }
        // What replaces a bad weight is never used: Finish throws.
        return new Weight(name, ElementType.F32, [0, 0], ReadOnlyMemory<byte>.Empty);
    }

    private static Weight ToF32(Weight weight)
    {
        if (weight.ByteLength == 0) return weight;
        float[] values = weight.ToSingle();
        var bytes = new byte[values.Length * sizeof(float)];
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(bytes);
        return new Weight(weight.Name, ElementType.F32, weight.Shape, bytes, weight.File);
    }
}

/// <summary>What a model is built from: weights by name, and how they are held.</summary>
public sealed class ModelSource
{
    internal ModelSource(ModelWeights weights, LoadOptions options, Checkpoint? checkpoint) => (Weights, Options, Checkpoint) = (weights, options, checkpoint);

    /// <summary>The weights; layers take theirs in their constructors.</summary>
    public ModelWeights Weights { get; }

    /// <summary>How the model is loaded.</summary>
    public LoadOptions Options { get; }

    internal Checkpoint? Checkpoint { get; }
}

/// <summary>Matrices that files have as [in, out], as kernels read them.</summary>
internal static class Transposed
{
    /// <summary>A copy of a matrix in memory, its axes exchanged.</summary>
    public static Weight Of(Weight weight, KernelOptions options)
    {
        (int rows, int columns) = ((int)weight.Shape[0], (int)weight.Shape[1]);
        byte[] bytes = GC.AllocateUninitializedArray<byte>(checked((int)weight.ByteLength));
        Transposition.Run(weight.Bytes, rows, columns, weight.Type.Size(), bytes, options);
        weight.GiveBack();
        return new Weight(weight.Name, weight.Type, [columns, rows], bytes, weight.File);
    }
}

/// <summary>A weight of a model as kernels read it: [n, k], rows contiguous, in its stored type.</summary>
[DebuggerDisplay("{Weight.Name,nq} {Type} [{N}, {K}]")]
internal sealed class Matrix(Weight weight, WeightType type, int n, int k)
{
    public Weight Weight { get; } = weight;
    public WeightType Type { get; } = type;
    public int N { get; } = n;
    public int K { get; } = k;

    /// <summary>The stored bytes; in a mapped file, no copy.</summary>
    public WeightMatrix View => new(Weight.Bytes, Type, N, K);
}
