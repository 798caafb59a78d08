using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>The sizes that decide how much arithmetic a model needs.</summary>
internal sealed record ModelSize(string Checkpoint, string Name, int Layers, int Hidden, int Inner, int Vocabulary, int BytesPerWeight)
{
    public static ModelSize CodeBerta { get; } = new(CheckpointCache.CodeBerta, "CodeBERTa", 6, 768, 3072, 52_000, 4);

    public static ModelSize StarEncoder { get; } = new(CheckpointCache.StarEncoder, "StarEncoder", 12, 768, 3072, 49_156, 4);

    public static ModelSize CodeGen { get; } = new(CheckpointCache.CodeGen, "CodeGen-350M f16", 20, 1024, 4096, 51_200, 2);

    /// <summary>The pad token of the encoders.</summary>
    public int PadTokenId => this == StarEncoder ? 49_152 : 1;

    /// <summary>Bytes of a weight that is held so.</summary>
    public double Bytes(WeightFormat format) => format switch { WeightFormat.Int8 => 8.5 / 8, WeightFormat.Int4 => 4.5 / 8, _ => BytesPerWeight };

    /// <summary>What a work's name says about its weights.</summary>
    public static string Suffix(WeightFormat format) => format == WeightFormat.AsStored ? "" : $", {format} weights";

    /// <summary>Weights of the matrices in all layers: query, key, value, output; up, down.</summary>
    public double LayerWeights => Layers * (4.0 * Hidden * Hidden + 2.0 * Hidden * Inner);

    /// <summary>Weights of the vocabulary matrix.</summary>
    public double HeadWeights => (double)Vocabulary * Hidden;

    /// <summary>Multiply-adds count as two: the matrices for each token, and q · kᵀ and p · v for each pair of tokens that see each other.</summary>
    public double BodyFlops(double tokens, double pairs) => 2 * LayerWeights * tokens + 4.0 * Layers * Hidden * pairs;

    /// <summary>The head over some tokens; encoders transform the hidden state once more before.</summary>
    public double HeadFlops(double tokens, bool transform) => 2 * tokens * (HeadWeights + (transform ? (double)Hidden * Hidden : 0));
}
