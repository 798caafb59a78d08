using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace ManagedTransformers.Cli;

/// <summary>What people see of mtx score.</summary>
internal static class ScoreView
{
    public static void Write(CliConsole console, ScoreResult result)
    {
        if (result.Scores is not [ScoredText alone])
        {
            WriteRanking(console, result.Scores);
            return;
        }
        if (alone.TokenScores is ScoredToken[] tokens)
        {
            WriteTokens(console, tokens);
            console.Out.WriteLine();
        }
        WriteWhole(console, alone);
    }

    private static void WriteWhole(CliConsole console, ScoredText score)
    {
        Table table = Show.Table(console, "log probability", $">{Rounded(score.LogProbability)}");
        table.AddRow(Show.Cell("tokens"), Show.Number(score.Tokens, "0"));
        table.AddRow(Show.Cell("perplexity"), Show.Cell(Rounded(score.Perplexity)));
        table.AddRow(Show.Cell("bits per byte"), Show.Cell(Rounded(score.BitsPerByte)));
        table.AddRow(Show.Cell("bits per character"), Show.Cell(Rounded(score.BitsPerCharacter)));
        Show.Write(console, table);
    }

    private static void WriteTokens(CliConsole console, ScoredToken[] tokens)
    {
        bool alternatives = tokens.Any(token => token.Alternatives.Length > 0);
        Table table = Show.Table(console, [">from", ">to", "token", ">log p", ">rank", .. alternatives ? ["likeliest"] : Array.Empty<string>()]);
        foreach (ScoredToken token in tokens)
        {
            List<IRenderable> cells = [Show.Number(token.Start, "0"), Show.Number(token.End, "0"),
                Show.Cell($"\"{token.TokenText}\"", ColourOf(token.LogProbability)),
                Show.Cell(Rounded(token.LogProbability)), Show.Number(token.Rank, "0")];
            if (alternatives)
                cells.Add(Show.Cell(string.Join(", ", token.Alternatives.Select(one => $"\"{one.TokenText}\" {Rounded(one.LogProbability)}"))));
            table.AddRow(cells);
        }
        Show.Write(console, table);
    }

    private static void WriteRanking(CliConsole console, ScoredText[] scores)
    {
        Table table = Show.Table(console, ">log probability", ">tokens", ">per token", "continuation");
        foreach (ScoredText score in scores)
            table.AddRow(Show.Cell(Rounded(score.LogProbability)), Show.Number(score.Tokens, "0"), Show.Cell(Rounded(score.LogProbability / score.Tokens)),
                Show.Quoted(score.Text!));
        Show.Write(console, table);
    }

    /// <summary>Green from one half on, yellow from one in twenty on, red below.</summary>
    private static Color ColourOf(double logProbability) => Math.Exp(logProbability) switch
    {
        >= 0.5 => Color.Green,
        >= 0.05 => Color.Yellow,
        _ => Color.Red,
    };

    private static string Rounded(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
