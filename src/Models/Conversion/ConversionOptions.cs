namespace ManagedTransformers.Models;

/// <summary>How a checkpoint is converted.</summary>
public sealed record ConversionOptions
{
    /// <summary>The type in which floats are stored: F32, F16 or BF16; as they are when null. Integers, booleans and what is quantized keep theirs.</summary>
    public ElementType? Type { get; init; }

    /// <summary>
    /// Whether the matrices of linear layers are stored quantized: those that <see cref="LoadOptions.WeightFormat"/> would quantize, with the same result.
    /// Needs config.json, which names the class whose layers they are. A checkpoint that is quantized already can only be written as it is.
    /// </summary>
    public WeightFormat WeightFormat { get; init; }

    /// <summary>
    /// Whether <see cref="WeightFormat"/> holds for the head over the vocabulary (lm_head, a masked-LM decoder) as well. One that is tied to the embeddings
    /// stays as they are.
    /// </summary>
    public bool QuantizeHead { get; init; }

    /// <summary>Most tensor bytes in a file; 5 GB as in transformers. A single larger tensor gets a file of its own.</summary>
    public long MaxShardSize { get; init; } = 5_000_000_000;

    /// <summary>Whether a checkpoint that is in the destination is replaced.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>A tensor that was left out, because the model computes it, or because another is the same.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Dtype">How it was stored, as safetensors names it: F32, BOOL …</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="TiedTo">The tensor of the source that the model reads in its place, with the same bytes (a tied decoder); null where it computes it.</param>
public sealed record DroppedTensor(string Name, string Dtype, IReadOnlyList<long> Shape, string? TiedTo = null);

/// <summary>What a conversion did.</summary>
/// <param name="Directory">Where it wrote.</param>
/// <param name="Files">The files with tensors.</param>
/// <param name="CopiedFiles">Configuration and tokenizer files that came along.</param>
/// <param name="Tensors">Tensors that were written.</param>
/// <param name="Bytes">Bytes of those.</param>
/// <param name="Renamed">Those with another name: that in the source, and that in what was written.</param>
/// <param name="Dropped">Those that were left out.</param>
/// <param name="Quantized">How many were quantized.</param>
public sealed record ConversionResult(
    string Directory, IReadOnlyList<string> Files, IReadOnlyList<string> CopiedFiles, int Tensors, long Bytes,
    IReadOnlyList<(string From, string To)> Renamed, IReadOnlyList<DroppedTensor> Dropped, int Quantized = 0)
{
    /// <summary>What is odd about the source and harms nothing, in sentences for people: those of <see cref="PretrainedModel.Warnings"/>.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
