using System.Globalization;

namespace ManagedTransformers.Models;

/// <summary>
/// Where the parts of a model's layers are, so that one tool traces and changes models of every family. In each path <c>*</c> stands for the layer.
/// </summary>
/// <param name="Embeddings">The stream before the first layer.</param>
/// <param name="Layers">The stream after a layer, such as <c>transformer.h.*</c>.</param>
/// <param name="Attentions">
/// The attention of a layer; its heads are traced as <c>scores</c>, <c>probabilities</c>, <c>heads</c> and <c>head_outputs</c> below it.
/// </param>
/// <param name="Mlps">What the feed-forward block adds to the stream, before any LayerNorm after it.</param>
public sealed record ModulePaths(string Embeddings, string Layers, string Attentions, string Mlps)
{
    /// <summary>The path of one layer.</summary>
    public string Layer(int layer) => At(Layers, layer);

    /// <summary>The path of a layer's attention.</summary>
    public string Attention(int layer) => At(Attentions, layer);

    /// <summary>The path of a layer's feed-forward block.</summary>
    public string Mlp(int layer) => At(Mlps, layer);

    private static string At(string pattern, int layer) => pattern.Replace("*", layer.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
