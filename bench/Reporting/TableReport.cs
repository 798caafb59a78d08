using Spectre.Console;

namespace ManagedTransformers.Bench;

/// <summary>Shows each result when it is there, and the whole table at the end; on standard error where standard output is JSON.</summary>
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

    /// <summary>All results.</summary>
    public void Finish(IReadOnlyList<Measurement> results)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach ((int i, string heading) in ResultRow.Headings.Index())
            table.AddColumn(new TableColumn(heading) { Alignment = i is 0 or 2 or 9 ? Justify.Left : Justify.Right });
        foreach (Measurement result in results)
            table.AddRow([.. ResultRow.Cells(result).Select(cell => new Text(cell))]);
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
