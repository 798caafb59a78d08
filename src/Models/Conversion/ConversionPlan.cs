using System.Text.RegularExpressions;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>What becomes of each tensor of a checkpoint: its name, its type, whether it is written at all.</summary>
internal sealed class ConversionPlan
{
    private readonly List<ConvertedTensor> _tensors = [];
    private readonly List<(string From, string To)> _renamed = [];
    private readonly List<DroppedTensor> _dropped = [];

    /// <exception cref="CheckpointException">It is quantized already, cannot be quantized, or has a type that cannot be converted.</exception>
    /// <exception cref="ConfigException">It is to be quantized, and config.json does not say which matrices those are.</exception>
    public ConversionPlan(string directory, Checkpoint checkpoint, ConversionOptions options)
    {
        RequirePlain(checkpoint, options);
        ModelWeights? model = ModelOf(directory, checkpoint, options);
        HashSet<string> quantized = [.. model?.Quantized ?? []];
        Blocks = quantized.Count > 0 ? StoredBlocks.TypeOf(options.WeightFormat) : null;
        Quantized = quantized.Count;
        Warnings = model?.Warnings ?? [];
        foreach (Weight weight in checkpoint.Weights.Values)
        {
            Weight? twin = TwinOf(weight, checkpoint, model);
            if (ModelFamilies.IsBuffer(weight) || twin is not null)
            {
                _dropped.Add(new DroppedTensor(weight.Name, weight.Type.SafetensorsName(), weight.Shape, twin?.Name));
                continue;
            }

            // Where the new name is taken both are kept as they are: the model reads the new one.
            string name = ModelFamilies.ModernName(model?.Unwrapped(weight) ?? weight.Name);
            if (checkpoint.Weights.ContainsKey(name)) name = weight.Name;
            if (name != weight.Name) _renamed.Add((weight.Name, name));
            bool blocks = quantized.Contains(weight.Name), transposed = blocks && model!.TransposedLinear.Contains(weight.Name);
            _tensors.Add(new ConvertedTensor(weight, name, options.Type, blocks ? Blocks : null, transposed));
        }
        ElementType[] floats = [.. _tensors.Select(tensor => tensor.Entry.Type).Where(ConvertedTensor.IsFloat).Distinct()];
        FloatType = floats.Length == 1 && (Blocks is null || options.Type is not null) ? floats[0] : null;
    }

    /// <summary>What is written, in the order of the source.</summary>
    public IReadOnlyList<ConvertedTensor> Tensors => _tensors;

    public IReadOnlyList<(string From, string To)> Renamed => _renamed;
    public IReadOnlyList<DroppedTensor> Dropped => _dropped;

    /// <summary>The blocks that linear layers are quantized to; null where none is.</summary>
    public WeightType? Blocks { get; }

    public IReadOnlyList<string> Warnings { get; }
    public int Quantized { get; }

    /// <summary>The type of all floats that are written; null where there are several, or matrices are quantized and nothing else is converted.</summary>
    public ElementType? FloatType { get; }

    public long Bytes => _tensors.Sum(tensor => tensor.Entry.ByteLength);

    private static void RequirePlain(Checkpoint checkpoint, ConversionOptions options)
    {
        if (options is { Type: null, WeightFormat: WeightFormat.AsStored }) return;
        if (checkpoint.Weights.Values.FirstOrDefault(weight => weight.BlockType is not null) is not Weight quantized) return;
        throw new CheckpointException(
            $"{quantized.Name} in {quantized.File} is quantized already ({quantized.BlockType}). What was rounded away is gone: " +
                "convert the original checkpoint. As it is it can be written again, in other shards.")
        {
            FileName = quantized.File,
            TensorName = quantized.Name,
        };
    }

    /// <summary>How the checkpoint's model reads it. To convert alone it need not be one of a model that this runtime has.</summary>
    private static ModelWeights? ModelOf(string directory, Checkpoint checkpoint, ConversionOptions options)
    {
        var load = new LoadOptions { WeightFormat = options.WeightFormat, QuantizeHead = options.QuantizeHead };
        if (options.WeightFormat != WeightFormat.AsStored) return PretrainedModels.Plan(directory, checkpoint, load);
        try
        {
            return PretrainedModels.Plan(directory, checkpoint, load);
        }
        catch (Exception e) when (e is ConfigException or CheckpointException)
        {
            return null;
        }
    }

    /// <summary>The weight that the model reads in place of this one, if it is really the same.</summary>
    private static Weight? TwinOf(Weight weight, Checkpoint checkpoint, ModelWeights? model) =>
        model is not null && model.Twins.TryGetValue(weight.Name, out string? name) && checkpoint.Weights.TryGetValue(name, out Weight? original)
        && weight.HasBytesOf(original) ? original : null;
}

/// <summary>The directory that a conversion writes to: what is there already, and what of it must go.</summary>
internal sealed partial class ConversionTarget(string source, string directory, Checkpoint checkpoint, bool overwrite)
{
    /// <summary>Whether it is the directory that is converted.</summary>
    public bool IsSource { get; } = Path.TrimEndingDirectorySeparator(RealPath.Of(source)) == Path.TrimEndingDirectorySeparator(RealPath.Of(directory));

    /// <summary>Makes sure that nothing is replaced that should not be.</summary>
    /// <exception cref="IOException">A checkpoint is there, or the weights would replace themselves.</exception>
    public void RequireFree()
    {
        if (IsSource && checkpoint.FileNames.Any(IsWeightFile))
            throw new IOException($"{directory} holds the safetensors that are to be converted; they cannot replace themselves while they are read. " +
                "Write to another directory.");
        if (File.Exists(directory)) throw new IOException($"{directory} is a file; the name of a directory is needed.");
        if (overwrite || !Directory.Exists(directory)) return;
        string? there = Directory.EnumerateFiles(directory).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)
            .FirstOrDefault(name => IsWeightFile(name) || (!IsSource && name is ConfigJson.FileName or Checkpoint.TorchFileName));
        if (there is not null)
            throw new IOException($"{directory} holds a checkpoint already ({there}). " +
                "Write to another directory, or set Overwrite (mtx convert --force) to replace it.");
    }

    /// <summary>Whether a file holds weights as this converter names them, or says which files do.</summary>
    public static bool IsWeightFile(string name) => name is Checkpoint.SingleFileName or Checkpoint.IndexFileName || Shard().IsMatch(name);

    [GeneratedRegex(@"^model-\d{5}-of-\d{5}\.safetensors\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Shard();
}
