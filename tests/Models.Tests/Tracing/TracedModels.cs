using ManagedTransformers.Kernels;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

/// <summary>Small models with random weights whose feed-forward width is such that untraced passes take the fused path, and all their names.</summary>
internal static class TracedModels
{
    /// <summary>Everything, also what only patterns of that ending mean.</summary>
    public static TraceOptions Everything { get; } = new() { Names = ["**", "**head_outputs"] };

    public static DecoderForCausalLM Decoder(KernelLevel? level = null, WeightFormat format = WeightFormat.AsStored, string family = "codegen") =>
        Decoder(Options(level) with { WeightFormat = format }, family);

    public static DecoderForCausalLM Decoder(LoadOptions options, string family = "codegen") =>
        DecoderFamilies.Model(family, width: 64, inner: 192, positions: 300, range: 0.2, options: options);

    public static T Encoder<T>(KernelLevel? level = null)
        where T : PretrainedModel
    {
        bool roberta = typeof(T).Name.StartsWith("Roberta", StringComparison.Ordinal);
        BertConfig config = roberta ? new RobertaConfig() : new BertConfig();
        config = config with
        {
            VocabSize = 40,
            HiddenSize = 48,
            NumHiddenLayers = 2,
            NumAttentionHeads = 4,
            IntermediateSize = 96,
            MaxPositionEmbeddings = 300,
            InitializerRange = 0.2,
        };
        return PretrainedModels.FromConfig<T>(config, seed: 5, Options(level));
    }

    /// <summary>Rows of these lengths with ids that mean no padding to any model.</summary>
    public static ModelInputs Inputs(params int[] lengths) =>
        ModelInputs.OfBatch([.. lengths.Select((length, row) => Enumerable.Range(0, length).Select(i => 5 + ((7 * i) + (11 * row)) % 30).ToArray())],
            padTokenId: 1);

    private static LoadOptions Options(KernelLevel? level) =>
        level is KernelLevel one ? new LoadOptions { Kernels = new KernelOptions { Level = one } } : new LoadOptions();
}
