using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace ManagedTransformers.Cli;

/// <summary>Generated texts for people.</summary>
internal static class GenerateView
{
    /// <summary>Several texts, numbered, those of beams with their scores.</summary>
    public static void WriteTexts(CliConsole console, string shownPrompt, IReadOnlyList<WrittenText> texts)
    {
        for (int i = 0; i < texts.Count; i++)
        {
            string score = texts[i].Score is double value ? $", score {Rounded(value)}" : "";
            console.Out.WriteLine($"text {i + 1} of {texts.Count}{score}");
            var view = new StreamView(console);
            view.WriteGiven(shownPrompt);
            view.WriteNew(texts[i].GeneratedText);
            view.End();
            if (texts[i].LogProbabilities is { } tokens)
                WriteTokens(console, tokens);
        }
    }

    /// <summary>Each token with its log probability, and the likeliest tokens of its place.</summary>
    public static void WriteTokens(CliConsole console, ChosenToken[] tokens)
    {
        bool alternatives = tokens.Any(token => token.Alternatives.Length > 0);
        Table table = Show.Table(console, ["token", ">log p", .. alternatives ? ["likeliest"] : Array.Empty<string>()]);
        foreach (ChosenToken token in tokens)
        {
            List<IRenderable> cells = [Show.Quoted(token.TokenText), Show.Cell(Rounded(token.LogProbability))];
            if (alternatives)
                cells.Add(Show.Cell(string.Join(", ", token.Alternatives.Select(one => $"\"{one.TokenText}\" {Rounded(one.LogProbability)}"))));
            table.AddRow(cells);
        }
        Show.Write(console, table);
    }

    private static string Rounded(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
