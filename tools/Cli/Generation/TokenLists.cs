using System.Globalization;

namespace ManagedTransformers.Cli;

/// <summary>Reads ids as the command line has them.</summary>
internal static class TokenLists
{
    /// <summary>One or more ids: <c>12,7</c>.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static int[] Ids(string text)
    {
        string[] parts = text.Split(',');
        int[] ids = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out ids[i]))
                throw new FormatException("token ids with commas between them are needed, such as 12,7.");
        }
        return ids;
    }

    /// <summary>The same, or <c>none</c> for no id at all.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static int[] IdsOrNone(string text) => text == "none" ? [] : Ids(text);

    /// <summary>A sequence and its bias: <c>12,7=-2.5</c>.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static SequenceBias IdsWithBias(string text)
    {
        (string ids, float bias) = Biased(text);
        return new SequenceBias(Ids(ids), bias);
    }

    /// <summary>What stands before the last equals sign, and the number after it.</summary>
    /// <exception cref="FormatException">There is none.</exception>
    public static (string Sequence, float Bias) Biased(string text)
    {
        int equals = text.LastIndexOf('=');
        return equals > 0 && float.TryParse(text.AsSpan(equals + 1), CultureInfo.InvariantCulture, out float bias) && !float.IsNaN(bias)
            ? (text[..equals], bias)
            : throw new FormatException("a sequence, an equals sign and a number are needed, such as 12,7=-2.5 (-Infinity forbids it).");
    }
}
