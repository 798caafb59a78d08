namespace ManagedTransformers;

/// <summary>The weights of a module, in its folder.</summary>
internal sealed class ModuleTensors : IDisposable
{
    private readonly string _path;
    private readonly Checkpoint _checkpoint;
    private readonly List<string> _warnings;
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    public ModuleTensors(ModelFiles files, string path, List<string> warnings)
    {
        (_path, _warnings) = (path, warnings);
        _checkpoint = (path.Length == 0 ? files : files.Folder(path)).OpenCheckpoint();
    }

    /// <summary>A tensor as float32.</summary>
    /// <exception cref="CheckpointException">It is missing, or of another type or shape.</exception>
    public float[] Take(string name, params long[] shape)
    {
        string needed = $"{_path}/{ConfigJson.FileName} needs it as {TensorEntry.Describe(shape)}";
        if (!_checkpoint.Weights.TryGetValue(name, out Weight? weight))
            throw new CheckpointException($"{name} is missing in {_path}; {needed}.") { TensorName = name };
        if (!weight.Shape.SequenceEqual(shape) || weight.Type is not (ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64))
        {
            throw new CheckpointException($"{name} in {_path}/{weight.File} is {weight.Type} {weight.ShapeText}; {needed} of F32, F16, BF16 or F64.")
            {
                TensorName = name,
                FileName = weight.File,
            };
        }
        _taken.Add(name);
        return weight.ToSingle();
    }

    public void Dispose()
    {
        string[] left = [.. _checkpoint.Weights.Keys.Where(name => !_taken.Contains(name))];
        if (left.Length > 0)
            _warnings.Add($"{_path} has tensors that the module does not know and does not use: {string.Join(", ", left)}.");
        _checkpoint.Dispose();
    }
}
