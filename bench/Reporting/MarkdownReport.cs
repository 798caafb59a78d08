using System.Globalization;
using System.Text;

namespace ManagedTransformers.Bench;

/// <summary>The table of all measurements and the summary, for bench/results.</summary>
internal static class MarkdownReport
{
    private const string Begin = "<!-- bench -->";
    private const string End = "<!-- /bench -->";

    /// <summary>Writes both to a file; where the file has the two marks, only what stands between them is replaced.</summary>
    public static void Write(string path, IReadOnlyList<Measurement> results)
    {
        string table = Table(results);
        string old = File.Exists(path) ? File.ReadAllText(path) : "";
        (int begin, int end) = (old.IndexOf(Begin, StringComparison.Ordinal), old.IndexOf(End, StringComparison.Ordinal));
        File.WriteAllText(path, begin >= 0 && end > begin ? $"{old[..(begin + Begin.Length)]}\n{table}{old[end..]}" : table);
    }

    private static string Table(IReadOnlyList<Measurement> results)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{MachineDescription.Text}; {DateTime.UtcNow:yyyy-MM-dd}.\n\n");
        Append(text, ResultRow.Headings, results.Select(ResultRow.Cells));
        text.Append('\n');
        Append(text, AreaSummary.Headings, AreaSummary.Of(results).Select(area => area.Cells()));
        return text.ToString();
    }

    private static void Append(StringBuilder text, IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", headings)} |\n");
        text.Append(CultureInfo.InvariantCulture, $"|{string.Concat(Enumerable.Repeat("---|", headings.Count))}\n");
        foreach (IReadOnlyList<string> cells in rows)
            text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", cells)} |\n");
    }
}
