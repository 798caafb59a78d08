using Spectre.Console;

namespace ManagedTransformers.Bench;

/// <summary>Shows each result when it is there, and the whole table and the summary at the end; on standard error where standard output is JSON.</summary>
internal sealed class TableReport(bool toStandardError)
{
    // Wide enough for all columns where the output is no terminal.
    private const int FileWidth = 260;

    private readonly IAnsiConsole _console = Create(toStandardError);

    /// <summary>A line about what is going on.</summary>
    public void Say(string line) => _console.Profile.Out.Writer.WriteLine(line);

    /// <summary>One result, at once: a full run takes minutes.</summary>
    public void Show(Measurement result)
    {
        IEnumerable<string> named = ResultRow.Headings.Zip(ResultRow.Cells(result), (heading, cell) => cell.Length > 0 ? $"{heading} {cell}" : "");
        Say(string.Join("  ", named.Skip(1).Where(text => text.Length > 0).Prepend(result.Work)));
    }

    /// <summary>All results, and the summary.</summary>
    public void Finish(IReadOnlyList<Measurement> results)
    {
        Write(ResultRow.Headings, [0, 2, 9], results.Select(ResultRow.Cells));
        Write(AreaSummary.Headings, [0, 2, 4], AreaSummary.Of(results).Select(area => area.Cells()));
    }

    private void Write(IReadOnlyList<string> headings, int[] left, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach ((int i, string heading) in headings.Index())
            table.AddColumn(new TableColumn(heading) { Alignment = left.Contains(i) ? Justify.Left : Justify.Right });
        foreach (IReadOnlyList<string> cells in rows)
            table.AddRow([.. cells.Select(cell => new Text(cell))]);
        _console.Write(table);
    }

    private static IAnsiConsole Create(bool toStandardError)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(toStandardError ? Console.Error : Console.Out) });
        if (!console.Profile.Out.IsTerminal)
            console.Profile.Width = FileWidth;
        return console;
    }
}
