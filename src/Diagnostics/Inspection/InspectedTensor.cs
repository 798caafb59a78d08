namespace ManagedTransformers.Diagnostics;

/// <summary>What the model of a checkpoint does with one of its tensors.</summary>
public enum TensorUse
{
    /// <summary>It is not known: there is no model to ask.</summary>
    NotKnown,

    /// <summary>It is a weight.</summary>
    Read,

    /// <summary>It is a weight, under the name that old files give it: gamma for weight, beta for bias.</summary>
    ReadByOldName,

    /// <summary>It is left, because another tensor that is read is the same: a tied decoder.</summary>
    Tied,

    /// <summary>It is left, because the model computes it: masks, position numbers, rotary tables.</summary>
    Buffer,

    /// <summary>It is left: the head of another class of the family, in a checkpoint that is opened without it.</summary>
    OtherHead,

    /// <summary>The architecture has no such tensor. Loading warns of it, and refuses it where LoadOptions.Strict is true.</summary>
    NotOfArchitecture,
}

/// <summary>A tensor of a checkpoint, and what becomes of it.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">How its elements are stored; U8 where they are quantized.</param>
/// <param name="Shape">The dimensions, slowest first; those of the matrix where it is quantized.</param>
/// <param name="Elements">Their product.</param>
/// <param name="Bytes">What it takes in the file.</param>
/// <param name="File">The file that holds it.</param>
/// <param name="Use">What the model does with it.</param>
public sealed record InspectedTensor(string Name, ElementType Type, IReadOnlyList<long> Shape, long Elements, long Bytes, string File, TensorUse Use)
{
    /// <summary>The blocks of integers that a quantized matrix is stored in; null where elements are stored one by one.</summary>
    public WeightType? BlockType { get; init; }

    /// <summary>How its elements are stored, in a word: F16, I64, Int8 …</summary>
    public string Format => BlockType?.ToString() ?? Type.SafetensorsName();

    /// <summary>Whether it counts as a parameter; where there is no model to ask, every tensor does but buffers.</summary>
    public bool IsParameter => Use is TensorUse.NotKnown or TensorUse.Read or TensorUse.ReadByOldName;
}
