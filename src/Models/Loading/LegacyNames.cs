namespace ManagedTransformers.Models;

/// <summary>Names that files of TensorFlow's time give LayerNorm's parameters: gamma for weight, beta for bias.</summary>
/// <remarks>transformers reads them so in every module, RoBERTa's lm_head.layer_norm too (modeling_utils.py, _fix_state_dict_key_on_load).</remarks>
internal static class LegacyNames
{
    /// <summary>The old name of a parameter; the name itself where it never had another.</summary>
    public static string Of(string name) => Replace(Replace(name, ".weight", ".gamma"), ".bias", ".beta");

    /// <summary>Today's name of a parameter.</summary>
    public static string Modern(string name) => Replace(Replace(name, ".gamma", ".weight"), ".beta", ".bias");

    private static string Replace(string name, string end, string other) => name.EndsWith(end, StringComparison.Ordinal) ? name[..^end.Length] + other : name;
}
