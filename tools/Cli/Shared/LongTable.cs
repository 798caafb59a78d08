using Spectre.Console.Rendering;

namespace ManagedTransformers.Cli;

/// <summary>
/// A table of any number of rows, as <see cref="Show.Table"/> has it where output is redirected, without holding them: every row is made twice, once for the
/// columns' widths and once to be written.
/// </summary>
internal static class LongTable
{
    /// <summary>Writes it.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="headers">The columns; one that begins with '>' has numbers.</param>
    /// <param name="count">How many rows there are.</param>
    /// <param name="row">The cells of a row.</param>
    public static void Write(CliConsole console, string[] headers, int count, Func<int, string[]> row)
    {
        string[] names = [.. headers.Select(header => header.TrimStart('>'))];
        int[] widths = [.. names.Select(WidthOf)];
        for (int i = 0; i < count; i++)
        {
            foreach ((int column, string cell) in row(i).Index())
                widths[column] = Math.Max(widths[column], WidthOf(Show.Visible(cell)));
        }
        WriteRow(names);
        for (int i = 0; i < count; i++)
            WriteRow([.. row(i).Select(Show.Visible)]);

        void WriteRow(string[] cells)
        {
            for (int column = 0; column < cells.Length; column++)
            {
                string blanks = new(' ', widths[column] - WidthOf(cells[column]));
                cells[column] = headers[column].StartsWith('>') ? blanks + cells[column] : cells[column] + blanks;
            }
            console.Out.WriteLine(string.Join(' ', cells).TrimEnd());
        }
    }

    /// <summary>How many columns of a terminal a text takes; letters of East Asia take two, marks none.</summary>
    private static int WidthOf(string text)
    {
        foreach (char c in text)
        {
            // Up to the marks each character takes one; bytes as GPT-2's alphabet shows them are among them.
            if (c is < ' ' or > '\u02FF' or (> '~' and <= '\u00A0') or '\u00AD')
                return new Segment(text).CellCount();
        }
        return text.Length;
    }
}
