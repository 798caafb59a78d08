using System.Globalization;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>The comparison of activations for people.</summary>
internal static class DiffView
{
    private const int Named = 4;

    public static void Write(CliConsole console, DiffResult result)
    {
        Table table = Show.Table(console, "activation", "shape", ">largest absolute error", ">relative", "");
        foreach (VerifyTensor tensor in result.Tensors)
        {
            string verdict = tensor.Passed ? "ok" : double.IsNaN(tensor.MaxAbsolute) && tensor.Note is string note ? $"DIFFERS: {note}" : "DIFFERS";
            table.AddRow(Show.Cell(tensor.Name), Show.Cell(tensor.Shape), Show.Number(tensor.MaxAbsolute, "0.00E+00"),
                Show.Number(tensor.MaxRelative, "0.00E+00"),
                Show.Cell(verdict, tensor.Passed ? Color.Green : Color.Red));
        }
        Show.Write(console, table);
        WriteFirst(console, result.First);
        int differing = result.Tensors.Count(tensor => !tensor.Passed);
        console.Out.WriteLine();
        WriteOnly(console, "OURS", result.OnlyInOurs);
        WriteOnly(console, "THEIRS", result.OnlyInTheirs);
        console.Out.WriteLine($"{result.Tensors.Length - differing} of {result.Tensors.Length} activations are the same "
            + $"(tolerance {result.Tolerance.ToString("G3", CultureInfo.InvariantCulture)})");
    }

    private static void WriteFirst(CliConsole console, DiffFirst? first)
    {
        if (first is null)
            return;
        console.Out.WriteLine();
        console.Out.WriteLine($"first difference: {Show.Visible(first.Name)}{(first.Layer is int layer ? $", layer {layer}" : "")}");
        if (first is not { Largest: DiffPlace largest, FirstBeyond: DiffPlace begin })
            return;
        console.Out.WriteLine($"  {first.Beyond} of {first.Elements} elements are beyond the tolerance");
        console.Out.WriteLine($"  first    {Describe(begin)}");
        console.Out.WriteLine($"  largest  {Describe(largest)}");
    }

    /// <summary><c>row 0, head 2, token 5 " add", element 17: ours 0, theirs 0.25</c>.</summary>
    private static string Describe(DiffPlace place)
    {
        var parts = new List<string>();
        void Add(string name, int? number, string? text = null)
        {
            if (number is int n)
                parts.Add($"{name} {n}{(text is null ? "" : $" \"{Show.Visible(text)}\"")}");
        }
        Add("row", place.Row);
        Add("head", place.Head);
        Add("token", place.Token, place.TokenText);
        Add("attending to token", place.Key, place.KeyText);
        Add("element", place.Element);
        return string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", parts)}: ours {place.Ours:G6}, theirs {place.Theirs:G6}");
    }

    private static void WriteOnly(CliConsole console, string where, string[] names)
    {
        if (names.Length > 0)
            console.Out.WriteLine(
                $"only in {where}: {Show.Visible(string.Join(", ", names.Take(Named)))}{(names.Length > Named ? $" and {names.Length - Named} more" : "")}");
    }
}
