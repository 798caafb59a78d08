namespace ManagedTransformers.Models;

/// <summary>What becomes of each tensor of a checkpoint: its name, its type, whether it is written at all.</summary>
internal sealed class ConversionPlan
{
    private readonly List<ConvertedTensor> _tensors = [];
    private readonly List<RenamedTensor> _renamed = [];
    private readonly List<DroppedTensor> _dropped = [];

    public ConversionPlan(Checkpoint checkpoint, ElementType? floatType)
    {
        foreach (Weight weight in checkpoint.Weights.Values)
        {
            if (KnownExtras.IsBuffer(weight))
            {
                _dropped.Add(new DroppedTensor(weight.Name, weight.Type, weight.Shape));
                continue;
            }

            // Where the new name is taken both are kept as they are: the model reads the new one.
            string name = LegacyNames.Modern(weight.Name);
            if (checkpoint.Weights.ContainsKey(name)) name = weight.Name;
            if (name != weight.Name) _renamed.Add(new RenamedTensor(weight.Name, name));
            _tensors.Add(new ConvertedTensor(weight, name, floatType));
        }

        ElementType[] floats = [.. _tensors.Select(tensor => tensor.Entry.Type).Where(ConvertedTensor.IsFloat).Distinct()];
        FloatType = floats.Length == 1 ? floats[0] : null;
    }

    /// <summary>What is written, in the order of the source.</summary>
    public IReadOnlyList<ConvertedTensor> Tensors => _tensors;

    public IReadOnlyList<RenamedTensor> Renamed => _renamed;

    public IReadOnlyList<DroppedTensor> Dropped => _dropped;

    /// <summary>The type of all floats that are written; null where there are several.</summary>
    public ElementType? FloatType { get; }

    public long Bytes => _tensors.Sum(tensor => tensor.Entry.ByteLength);
}
