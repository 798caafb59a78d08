using System.Text.RegularExpressions;

namespace ManagedTransformers.Diagnostics;

/// <summary>Activations in execution order, by their names alone: for files that do not say it.</summary>
internal static partial class ActivationOrder
{
    private const int Layers = 1, Unknown = 3;

    private static readonly string[] First = ["embeddings", "wte", "drop"];

    private static readonly string[] InLayer =
    [
        "ln_1", "attn.qkv_proj", "attention.self.query", "attention.self.key", "attention.self.value", "attn.query", "attn.key", "attn.value",
        "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.scores", "attention.probabilities", "attention.heads", "attention.head_outputs",
        "attention.out_lin", "attn.scores", "attn.probabilities", "attn.heads", "attn.head_outputs",
        "attention.self.scores", "attention.self.probabilities", "attention.self.heads",
        "attention.self", "attention.self.head_outputs", "attn.out_proj", "attn", "attention.output.dense", "attention.output", "attention",
        "mlp.fc_in", "mlp.act", "mlp.fc_out", "mlp", "intermediate.dense", "intermediate", "output.dense", "output",
        "sa_layer_norm", "ffn.lin1", "ffn.activation", "ffn.lin2", "ffn", "output_layer_norm", "",
    ];

    private static readonly string[] Last =
    [
        "ln_f", "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head", "cls.predictions.transform.dense", "cls.predictions.transform",
        "cls.predictions.decoder", "cls.predictions", "vocab_transform", "vocab_layer_norm", "vocab_projector", "pooler.dense", "pooler",
        "cls.seq_relationship", "pre_classifier", "classifier.dense", "classifier.out_proj", "classifier",
    ];

    /// <summary>The names as a model computes them; unknown ones come last, layer by layer.</summary>
    public static IEnumerable<string> Sort(IEnumerable<string> names) => names.OrderBy(Key).ThenBy(name => name, StringComparer.Ordinal);

    /// <summary>The layer that a name is of; null outside the layers.</summary>
    public static int? LayerOf(string name) => Layer().Match(name) is { Success: true } match ? Number(match.Groups["n"]) : null;

    private static (int Stage, int Layer, int Part) Key(string name)
    {
        if (Layer().Match(name) is { Success: true } match)
        {
            int part = Array.IndexOf(InLayer, match.Groups["part"].Value);
            return (Layers, Number(match.Groups["n"]), part < 0 ? InLayer.Length : part);
        }
        (int first, int last) = (Place(First, name), Place(Last, name));
        return first >= 0 ? (0, 0, first)
            : last >= 0 ? (2, 0, last)
            : (Unknown, Digits().Match(name) is { Success: true } digits ? Number(digits) : 0, 0);
    }

    private static int Number(Group digits) => int.Parse(digits.Value, CultureInfo.InvariantCulture);

    // The longest ending decides: classifier.dense is no pooler.dense, and lm_head.dense no dense.
    private static int Place(string[] endings, string name) =>
        Array.FindIndex(endings, ending => name == ending || name.EndsWith($".{ending}", StringComparison.Ordinal));

    [GeneratedRegex(@"(^|\.)(h|layer)\.(?<n>\d{1,6})(\.(?<part>.+))?$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Layer();

    [GeneratedRegex(@"(?<=\.)\d{1,6}(?=\.|$)", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Digits();
}
