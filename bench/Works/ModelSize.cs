using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>The sizes of a model: what its checkpoint is written from, and what decides how much arithmetic it needs. A new shape is a line here.</summary>
/// <param name="ModelType">Its family; <see cref="ShapeSpecification"/> knows those whose checkpoints tests/data/reference/fullsize does not specify.</param>
/// <param name="Checkpoint">The folder of its checkpoint.</param>
/// <param name="Name">What it is called in the results.</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="Hidden">Width of a hidden state.</param>
/// <param name="Heads">Heads of queries.</param>
/// <param name="Inner">Width inside the feed-forward block.</param>
/// <param name="Vocabulary">Tokens.</param>
/// <param name="BytesPerWeight">4: stored in F32; 2: in F16.</param>
internal sealed record ModelSize(
    string ModelType, string Checkpoint, string Name, int Layers, int Hidden, int Heads, int Inner, int Vocabulary, int BytesPerWeight)
{
    public static ModelSize CodeBerta { get; } = new("roberta", "codeberta-small-shape", "CodeBERTa", 6, 768, 12, 3072, 52_000, 4);
    public static ModelSize StarEncoder { get; } = new("bert", "starencoder-shape", "StarEncoder", 12, 768, 12, 3072, 49_156, 4);
    public static ModelSize MiniLM { get; } = new("bert", "minilm-l6-shape", "MiniLM-L6", 6, 384, 12, 1536, 30_522, 4);
    public static ModelSize E5Small { get; } = new("bert", "multilingual-e5-small-shape", "multilingual-E5-small", 12, 384, 12, 1536, 250_037, 4);

    public static ModelSize CodeGen { get; } = new("codegen", "codegen-350M-shape", "CodeGen-350M f16", 20, 1024, 16, 4096, 51_200, 2);
    public static ModelSize CodeGen6B { get; } = new("codegen", "codegen-6B-shape", "CodeGen-6B f16", 33, 4096, 16, 16_384, 51_200, 2);
    public static ModelSize CodeGen2 { get; } = new("codegen", "codegen2-1B-shape", "CodeGen2-1B f16", 16, 2048, 16, 8192, 51_200, 2) { QkvBlocks = 8 };
    public static ModelSize QwenHalf { get; } =
        new("qwen2", "qwen2.5-coder-0.5b-shape", "Qwen2.5-Coder-0.5B f16", 24, 896, 14, 4864, 151_936, 2) { KeyHeads = 2 };
    public static ModelSize QwenOneAndAHalf { get; } =
        new("qwen2", "qwen2.5-coder-1.5b-shape", "Qwen2.5-Coder-1.5B f16", 28, 1536, 12, 8960, 151_936, 2) { KeyHeads = 2 };
    public static ModelSize StarCoder { get; } = new("gpt_bigcode", "starcoder-1b-shape", "StarCoder-1B f16", 24, 2048, 16, 8192, 49_152, 2) { KeyHeads = 1 };

    public static IReadOnlyList<ModelSize> All { get; } =
        [CodeBerta, StarEncoder, MiniLM, E5Small, CodeGen, CodeGen6B, CodeGen2, QwenHalf, QwenOneAndAHalf, StarCoder];

    /// <summary>Heads of keys and values; as many as <see cref="Heads"/> where nothing else is said.</summary>
    public int KeyHeads { get; init; } = Heads;

    /// <summary>Blocks of [query | value | key] in which CodeGen's qkv_proj lies (mp_num).</summary>
    public int QkvBlocks { get; private init; } = 4;

    /// <summary>The pad token of the encoders.</summary>
    public int PadTokenId => this == StarEncoder ? 49_152 : 1;

    /// <summary>Bytes of a weight that is held so.</summary>
    public double Bytes(WeightFormat format) => format switch { WeightFormat.Int8 => 8.5 / 8, WeightFormat.Int4 => 4.5 / 8, _ => BytesPerWeight };

    /// <summary>What a work's name says about its weights.</summary>
    public static string Suffix(WeightFormat format) => format == WeightFormat.AsStored ? "" : $", {format} weights";

    /// <summary>Width of all keys of a token, and of all values.</summary>
    public int KeyWidth => Hidden / Heads * KeyHeads;

    /// <summary>Weights of the matrices in all layers: query, key, value, output; up, down and, where it is gated, gate.</summary>
    public double LayerWeights => Layers * (2.0 * Hidden * (Hidden + KeyWidth) + (ModelType == "qwen2" ? 3.0 : 2.0) * Hidden * Inner);

    /// <summary>Weights of the vocabulary matrix.</summary>
    public double HeadWeights => (double)Vocabulary * Hidden;

    /// <summary>Multiply-adds count as two: the matrices for each token, and q · kᵀ and p · v for each pair of tokens that see each other.</summary>
    public double BodyFlops(double tokens, double pairs) => 2 * LayerWeights * tokens + 4.0 * Layers * Hidden * pairs;

    /// <summary>The head over some tokens; encoders transform the hidden state once more before.</summary>
    public double HeadFlops(double tokens, bool transform) => 2 * tokens * (HeadWeights + (transform ? (double)Hidden * Hidden : 0));
}
