namespace ManagedTransformers.Models;

/// <summary>A name in which <c>*</c> stands for any characters but a dot and <c>**</c> for any.</summary>
internal static class ActivationPattern
{
    /// <summary>Activations of this ending take a matrix product per head, and are meant only where the pattern says so.</summary>
    private const string OnlyByName = "head_outputs";

    public static bool Matches(string pattern, string name)
    {
        if (name.EndsWith(OnlyByName, StringComparison.Ordinal) && !pattern.EndsWith(OnlyByName, StringComparison.Ordinal))
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
