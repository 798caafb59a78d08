using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// A name that TransformerLens gives an activation, in the shape that it has there: heads come after tokens, [batch, pos, head, d_head], where a name ends
/// in <c>hook_q</c>, <c>hook_k</c>, <c>hook_v</c>, <c>hook_rot_q</c>, <c>hook_rot_k</c>, <c>hook_z</c> or <c>hook_result</c>; others are shaped as they are.
/// </summary>
/// <param name="Name">TransformerLens's name, such as <c>blocks.*.hook_mlp_out</c>; <c>*</c> stands for the layer.</param>
/// <param name="Activation">The activation's own name, such as <c>transformer.h.*.mlp</c>.</param>
/// <remarks>Nanda &amp; Bloom 2022, TransformerLens. docs/tracing.md lists the names.</remarks>
internal sealed record TransformerLensName(string Name, string Activation)
{
    private static readonly string[] PerHead = ["hook_q", "hook_k", "hook_v", "hook_rot_q", "hook_rot_k", "hook_z", "hook_result"];

    /// <summary>Where the heads are in a row of a fused projection; null: one after the other.</summary>
    public HeadLayout? Packed { get; init; }

    private bool HasHeads => Array.Exists(PerHead, end => Name.EndsWith($".{end}", StringComparison.Ordinal));

    /// <summary>The names that the paths of a model's parts give every family.</summary>
    public static IEnumerable<TransformerLensName> Of(ModulePaths paths, int layers) =>
        paths.TransformerLens.SelectMany(name => OfFamily(name.Key, name.Value, paths).InLayers(layers))
            .Concat(Enumerable.Range(0, layers).SelectMany(layer => new[]
            {
                new TransformerLensName($"blocks.{layer}.hook_resid_pre", layer == 0 ? paths.Embeddings : paths.Layer(layer - 1)),
                new TransformerLensName($"blocks.{layer}.attn.hook_attn_scores", $"{paths.Attention(layer)}.scores"),
                new TransformerLensName($"blocks.{layer}.attn.hook_pattern", $"{paths.Attention(layer)}.probabilities"),
                new TransformerLensName($"blocks.{layer}.attn.hook_z", $"{paths.Attention(layer)}.heads"),
                new TransformerLensName($"blocks.{layer}.attn.hook_result", $"{paths.Attention(layer)}.head_outputs"),
                new TransformerLensName($"blocks.{layer}.hook_mlp_out", paths.Mlp(layer)),
            }));

    private static TransformerLensName OfFamily(string name, string activation, ModulePaths paths) =>
        new(name, activation) { Packed = paths.FusedHeads.TryGetValue(name, out HeadLayout layout) ? layout : null };

    /// <summary>The activation in TransformerLens's shape, a copy of its own.</summary>
    public FloatTensor Read(FloatTensor activation, int headDim)
    {
        if (!HasHeads)
            return activation.Copy(Name);
        Heads heads = HeadsOf(activation, headDim);
        var read = new FloatTensor(Name, heads.Batch, heads.Tokens, heads.Count, heads.Width);
        for (int i = 0; i < heads.Rows; i++)
            heads.Of(activation, i).CopyTo(read.Row(i));
        return read;
    }

    /// <summary>Puts what was read, and perhaps changed, back into the activation.</summary>
    public void Write(FloatTensor read, FloatTensor activation, int headDim)
    {
        if (!HasHeads)
        {
            read.Span.CopyTo(activation.Span);
            return;
        }
        Heads heads = HeadsOf(activation, headDim);
        for (int i = 0; i < heads.Rows; i++)
            read.Row(i).CopyTo(heads.Of(activation, i));
    }

    private IEnumerable<TransformerLensName> InLayers(int layers) => Name.Contains('*', StringComparison.Ordinal)
        ? Enumerable.Range(0, layers).Select(layer => this with { Name = ModulePaths.At(Name, layer), Activation = ModulePaths.At(Activation, layer) })
        : [this];

    private Heads HeadsOf(FloatTensor activation, int headDim)
    {
        ReadOnlySpan<int> shape = activation.Shape;
        return shape.Length == 4
            ? new Heads(shape[0], shape[2], shape[1], shape[3], Layout: null)
            : Split(shape[0], shape[1], Packed ?? new HeadLayout(shape[^1] / headDim, headDim));

        static Heads Split(int batch, int tokens, HeadLayout layout) => new(batch, tokens, layout.Heads, layout.HeadDim, layout);
    }

    /// <summary>Where each head of each token is: in [batch, heads, tokens, width], or in the rows of [batch, tokens, n].</summary>
    private readonly record struct Heads(int Batch, int Tokens, int Count, int Width, HeadLayout? Layout)
    {
        public int Rows => Batch * Tokens * Count;

        /// <summary>Row i of [batch, tokens, heads].</summary>
        public Span<float> Of(FloatTensor activation, int i)
        {
            (int place, int head) = (i / Count, i % Count);
            return Layout is HeadLayout layout
                ? layout.Of(activation.Row(place), head)
                : activation.Row((place / Tokens * Count + head) * Tokens + place % Tokens);
        }
    }
}
