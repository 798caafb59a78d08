namespace ManagedTransformers.Diagnostics;

/// <summary>Which tensors of a checkpoint are the matrices of linear layers, whose format can be chosen: names in the checkpoint.</summary>
/// <param name="All">All of them, heads over the vocabulary too.</param>
/// <param name="Quantized">Those that become blocks of integers.</param>
/// <param name="QuantizedWithHead">Those that do with <see cref="LoadOptions.QuantizeHead"/>.</param>
internal sealed record LinearMatrices(IReadOnlyCollection<string> All, IReadOnlyCollection<string> Quantized, IReadOnlyCollection<string> QuantizedWithHead)
{
    /// <summary>What loading would do with a checkpoint that is not quantized yet: the answer of the code that does it.</summary>
    /// <exception cref="ConfigException">config.json does not say which class it is of.</exception>
    /// <exception cref="CheckpointException">The tensors are not those of the class.</exception>
    public static LinearMatrices Of(string directory, Checkpoint checkpoint)
    {
        // Int8 and Int4 are the same to it: both take whole pairs of blocks.
        ModelWeights plan = PretrainedModels.Plan(directory, checkpoint, new LoadOptions { WeightFormat = WeightFormat.Int8 });
        ModelWeights withHead = PretrainedModels.Plan(directory, checkpoint, new LoadOptions { WeightFormat = WeightFormat.Int8, QuantizeHead = true });
        return new LinearMatrices(plan.Linear, plan.Quantized, withHead.Quantized);
    }

    /// <summary>A guess where there is no model to ask: by shapes and names.</summary>
    public static LinearMatrices Guess(IEnumerable<InspectedTensor> tensors)
    {
        InspectedTensor[] all = [.. tensors.Where(tensor => tensor.Shape.Count == 2 && IsFloat(tensor.Type) && !IsEmbedding(tensor.Name))];
        InspectedTensor[] withHead = [.. all.Where(tensor =>
            tensor.Elements > 0 && tensor.Shape[1] is <= int.MaxValue and long columns && columns % StoredBlocks.PairColumns == 0)];
        return new LinearMatrices(Names(all), Names(withHead.Where(tensor => !IsHead(tensor.Name))), Names(withHead));
    }

    private static HashSet<string> Names(IEnumerable<InspectedTensor> tensors) => [.. tensors.Select(tensor => tensor.Name)];

    private static bool IsFloat(ElementType type) => type is ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64;

    private static bool IsEmbedding(string name) =>
        name.Contains("embeddings.", StringComparison.Ordinal)
        || name.EndsWith("wte.weight", StringComparison.Ordinal) || name.EndsWith("wpe.weight", StringComparison.Ordinal);

    private static bool IsHead(string name) =>
        name.EndsWith("lm_head.weight", StringComparison.Ordinal) || name.EndsWith(".decoder.weight", StringComparison.Ordinal);
}
