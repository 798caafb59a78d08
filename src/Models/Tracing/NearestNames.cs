namespace ManagedTransformers.Models;

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
