using System.Globalization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>A name in which <c>*</c> stands for any characters but a dot and <c>**</c> for any.</summary>
internal static class ActivationPattern
{
    /// <summary>Activations of these endings take a matrix product per head, and are meant only where the pattern says so.</summary>
    private static readonly string[] s_onlyByName = ["head_outputs", "hook_result"];

    public static bool Matches(string pattern, string name)
    {
        if (Array.Exists(s_onlyByName, end => name.EndsWith(end, StringComparison.Ordinal) && !pattern.EndsWith(end, StringComparison.Ordinal)))
            return false;

        // reached[i]: the characters so far match the first i tokens of the pattern.
        List<string> tokens = Tokens(pattern);
        bool[] reached = new bool[tokens.Count + 1];
        reached[0] = true;
        SkipStars(tokens, reached);
        foreach (char c in name)
        {
            for (int i = tokens.Count; i > 0; i--)
                reached[i] = tokens[i - 1] switch
                {
                    "**" => reached[i],
                    "*" => reached[i] && c != '.',
                    string one => reached[i - 1] && one[0] == c,
                };
            reached[0] = false;
            SkipStars(tokens, reached);
        }
        return reached[^1];
    }

    private static List<string> Tokens(string pattern)
    {
        var tokens = new List<string>();
        for (int i = 0; i < pattern.Length; i++)
        {
            bool any = pattern[i] == '*' && i + 1 < pattern.Length && pattern[i + 1] == '*';
            tokens.Add(any ? "**" : pattern[i].ToString());
            i += any ? 1 : 0;
        }
        return tokens;
    }

    // A star matches nothing, too.
    private static void SkipStars(List<string> tokens, bool[] reached)
    {
        for (int i = 1; i < reached.Length; i++) reached[i] |= reached[i - 1] && tokens[i - 1][0] == '*';
    }
}

/// <summary>The names that somebody may have meant.</summary>
internal static class NearestNames
{
    private const int Shown = 3;

    /// <summary>The nearest of <paramref name="names"/>, as part of a message; empty where there are none.</summary>
    public static string Of(string wanted, IEnumerable<string> names)
    {
        string[] nearest = [.. names.OrderBy(name => Distance(wanted, name)).ThenBy(name => name.Length).Take(Shown)];
        return string.Join(", ", nearest);
    }

    /// <summary>Characters to insert, delete or replace.</summary>
    /// <remarks>Levenshtein 1966, by Wagner &amp; Fischer's table, a row at a time.</remarks>
    public static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 0; i < a.Length; i++)
        {
            (int diagonal, row[0]) = (row[0], i + 1);
            for (int j = 0; j < b.Length; j++)
            {
                int replaced = diagonal + (a[i] == b[j] ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(replaced, 1 + Math.Min(row[j], row[j + 1]));
            }
        }
        return row[^1];
    }
}

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
    /// <summary>TransformerLens's names of what these paths do not say: the family's own activations, by name; in both <c>*</c> stands for the
    /// layer.</summary>
    public IReadOnlyDictionary<string, string> TransformerLens { get; init; } = new Dictionary<string, string>();

    /// <summary>Where the heads of such a name are in a row of a fused projection.</summary>
    internal IReadOnlyDictionary<string, HeadLayout> FusedHeads { get; init; } = new Dictionary<string, HeadLayout>();

    /// <summary>The path of one layer.</summary>
    public string Layer(int layer) => At(Layers, layer);

    /// <summary>The path of a layer's attention.</summary>
    public string Attention(int layer) => At(Attentions, layer);

    /// <summary>The path of a layer's feed-forward block.</summary>
    public string Mlp(int layer) => At(Mlps, layer);

    internal static string At(string pattern, int layer) => pattern.Replace("*", layer.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
