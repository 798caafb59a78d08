using System.Globalization;
using System.Text;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>What human output is made of. Text of the user is never read as markup.</summary>
internal static class Show
{
    // Spectre.Console's table of widths ends before it, and a cell with it would end the program.
    private const char NoCharacter = '\uFFFF';

    // A cell of half a million words takes Spectre.Console a minute: it breaks even what is too long for any line.
    private const int MostOfCell = 20_000;

    private const int BarWidth = 20;
    private static readonly Style HeaderStyle = new(Color.Grey);

    /// <summary>A table: framed on terminals, aligned columns elsewhere.</summary>
    public static Table Table(CliConsole console, params ReadOnlySpan<string> headers)
    {
        var table = new Table { Border = console.OutIsTerminal ? TableBorder.Rounded : TableBorder.None, BorderStyle = HeaderStyle };
        foreach (string header in headers)
        {
            // A header that begins with '>' names a column of numbers.
            bool numbers = header.StartsWith('>');
            var column = new TableColumn(new Text(numbers ? header[1..] : header, HeaderStyle)) { NoWrap = numbers };
            table.AddColumn(numbers ? column.RightAligned() : column);
        }
        return table;
    }

    /// <summary>A cell. Of a very long text it has the beginning; --json has all.</summary>
    public static Text Cell(string text, Color? colour = null) => new(Visible(Shortened(text)), colour is Color c ? new Style(c) : null);

    /// <summary>A cell with a number in the invariant culture.</summary>
    public static Text Number(IFormattable value, string format) => new(value.ToString(format, CultureInfo.InvariantCulture));

    /// <summary>A share of 1 as a bar, <c>███████▌</c>; nothing where output is redirected.</summary>
    public static Text Bar(CliConsole console, double share)
    {
        if (!console.OutIsTerminal)
            return Spectre.Console.Text.Empty;
        return new Text(BarText(share), new Style(Color.Green));
    }

    /// <summary>The same without a colour, blanks up to its full width.</summary>
    public static string BarText(double share)
    {
        int eighths = (int)Math.Round(Math.Clamp(double.IsNaN(share) ? 0 : share, 0, 1) * BarWidth * 8);
        string bar = new string('█', eighths / 8) + (eighths % 8 > 0 ? ((char)('█' + 8 - eighths % 8)).ToString() : "");
        return bar.PadRight(BarWidth);
    }

    /// <summary>Writes a table, without the blanks that aligned columns leave at the ends of redirected lines.</summary>
    public static void Write(CliConsole console, Table table)
    {
        if (console.OutIsTerminal)
        {
            console.Styled.Write(table);
            return;
        }
        using var plain = new StringWriter { NewLine = "\n" };
        new CliConsole(TextReader.Null, plain, TextWriter.Null).Styled.Write(table);
        foreach (string line in plain.ToString().TrimEnd().Split('\n'))
            console.Out.WriteLine(line.TrimEnd());
    }

    /// <summary>Control characters and line breaks as escapes, so that a text stays in its cell and a terminal obeys none of it.</summary>
    public static string Visible(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\u001F') && !text.AsSpan().ContainsAnyInRange('\u007F', '\u009F') && !text.Contains(NoCharacter))
            return text;
        var visible = new StringBuilder(text.Length + 8);
        foreach (char c in text)
        {
            _ = c switch
            {
                '\n' => visible.Append("\\n"),
                '\r' => visible.Append("\\r"),
                '\t' => visible.Append("\\t"),
                _ when char.IsControl(c) || c == NoCharacter => visible.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}"),
                _ => visible.Append(c),
            };
        }
        return visible.ToString();
    }

    /// <summary>A text between quotes, so that blanks at its ends are seen.</summary>
    public static Text Quoted(string text) => Cell($"\"{text}\"", Color.Aqua);

    /// <summary>A text as it is, lines and tabs included, but without what a terminal would obey.</summary>
    public static string Printable(string text) => string.Join('\n', text.Split('\n').Select(line => string.Join('\t', line.Split('\t').Select(Visible))));

    /// <summary>A text of any number of lines in grey, not wrapped as a cell is; plain where there are no colours.</summary>
    public static string Grey(CliConsole console, string text) =>
        console.Styled.Profile.Capabilities.ColorSystem == ColorSystem.NoColors ? text : $"\e[90m{text}\e[0m";

    /// <summary>A number of bytes as people read it: <c>14.7 MB</c>.</summary>
    public static string Bytes(long bytes) => Scaled(bytes, " B", " kB", " MB", " GB", " TB");

    /// <summary>A count as people read it: <c>7.4 M</c>.</summary>
    public static string Count(long count) => Scaled(count, "", " k", " M", " G", " T");

    private static string Shortened(string text)
    {
        if (text.Length <= MostOfCell)
            return text;
        int length = char.IsHighSurrogate(text[MostOfCell - 1]) ? MostOfCell - 1 : MostOfCell;
        return string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, length)}… ({text.Length} characters)");
    }

    private static string Scaled(double value, params ReadOnlySpan<string> units)
    {
        int unit = 0;
        while (value >= 1000 && unit < units.Length - 1)
            (value, unit) = (value / 1000, unit + 1);
        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + units[unit];
    }
}
