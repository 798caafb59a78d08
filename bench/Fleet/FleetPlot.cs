using System.Globalization;
using System.Net;
using System.Text;

namespace ManagedTransformers.Bench;

/// <summary>Three charts over the number of silos as an SVG, with a line for each placement: prefix hits and time to the first token at a low rate of
/// requests, tokens of each silo at a high one.</summary>
internal static class FleetPlot
{
    private const double Width = 1080, Height = 380, Left = 56, Top = 56, ChartWidth = 270, ChartHeight = 230, Gap = 80;

    private static readonly string[] s_colors = ["#d62728", "#8c564b", "#1f77b4", "#17becf", "#2ca02c", "#bcbd22", "#9467bd", "#7f7f7f", "#ff7f0e", "#e377c2"];

    /// <param name="title">The line above.</param>
    /// <param name="light">At the lowest rate, of at least one number of silos.</param>
    /// <param name="heavy">At the highest.</param>
    public static string Draw(string title, IReadOnlyList<FleetResult> light, IReadOnlyList<FleetResult> heavy)
    {
        var svg = new StringBuilder();
        Append(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"12\">");
        Append(svg, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>");
        Append(svg, $"<text x=\"{Left}\" y=\"22\" font-size=\"14\">{WebUtility.HtmlEncode(title)}</text>");
        string[] placements = [.. light.Concat(heavy).Select(one => one.Placement).Distinct()];
        AppendChart(svg, 0, $"Prompt tokens from the cache, %; {Rate(light)}", light, placements, one => 100 * one.Hits);
        AppendChart(svg, 1, $"First token, 95th percentile, s; {Rate(light)}", light, placements, one => one.FirstToken95);
        AppendChart(svg, 2, $"Tokens/s of a silo; {Rate(heavy)}", heavy, placements, one => one.TokensPerSecond / one.Silos);
        foreach ((int i, string placement) in placements.Index())
        {
            (double x, double y) = (Left + (130 * (i % 8)), Height - 24 + (16 * (i / 8)));
            Append(svg, $"<line x1=\"{x}\" x2=\"{x + 24}\" y1=\"{y - 4}\" y2=\"{y - 4}\" stroke=\"{Color(i)}\" stroke-width=\"2\"/>");
            Append(svg, $"<text x=\"{x + 30}\" y=\"{y}\">{WebUtility.HtmlEncode(placement)}</text>");
        }
        return svg.Append("</svg>\n").ToString();
    }

    private static void AppendChart(
        StringBuilder svg, int place, string title, IReadOnlyList<FleetResult> results, string[] placements, Func<FleetResult, double> value)
    {
        double left = Left + (place * (ChartWidth + Gap)), bottom = Top + ChartHeight;
        int[] silos = [.. results.Select(one => one.Silos).Distinct().Order()];
        double top = Ceiling(results.Max(one => double.IsFinite(value(one)) ? value(one) : 0));
        double octaves = Math.Log2((double)silos[^1] / silos[0]);
        double X(int count) => left + (octaves == 0 ? ChartWidth / 2 : ChartWidth * Math.Log2((double)count / silos[0]) / octaves);
        double Y(double y) => bottom - (ChartHeight * Math.Min(y, top) / top);
        Append(svg, $"<text x=\"{left}\" y=\"{Top - 12}\">{WebUtility.HtmlEncode(title)}</text>");
        for (int tick = 0; tick <= 4; tick++)
        {
            Append(svg, $"<line x1=\"{left}\" x2=\"{left + ChartWidth}\" y1=\"{Y(top * tick / 4):F1}\" y2=\"{Y(top * tick / 4):F1}\" stroke=\"#eee\"/>");
            Append(svg, $"<text x=\"{left - 6}\" y=\"{Y(top * tick / 4) + 4:F1}\" text-anchor=\"end\">{top * tick / 4:0.##}</text>");
        }
        foreach (int count in silos)
            Append(svg, $"<text x=\"{X(count):F1}\" y=\"{bottom + 16}\" text-anchor=\"middle\">{count}</text>");
        Append(svg, $"<text x=\"{left + (ChartWidth / 2)}\" y=\"{bottom + 34}\" text-anchor=\"middle\">silos</text>");
        foreach ((int i, string placement) in placements.Index())
        {
            FleetResult[] own = [.. results.Where(one => one.Placement == placement && double.IsFinite(value(one))).OrderBy(one => one.Silos)];
            string points = string.Join(' ', own.Select(one => string.Create(CultureInfo.InvariantCulture, $"{X(one.Silos):F1},{Y(value(one)):F1}")));
            Append(svg, $"<polyline fill=\"none\" stroke=\"{Color(i)}\" stroke-width=\"2\" points=\"{points}\"/>");
            foreach (FleetResult one in own)
                Append(svg, $"<circle cx=\"{X(one.Silos):F1}\" cy=\"{Y(value(one)):F1}\" r=\"3\" fill=\"{Color(i)}\"/>");
        }
    }

    private static string Rate(IReadOnlyList<FleetResult> results) =>
        string.Create(CultureInfo.InvariantCulture, $"{results.Average(one => one.Rate):F1} requests/s each");

    private static string Color(int i) => s_colors[i % s_colors.Length];

    // The next of 1, 2, 4, 6, 8 times a power of ten.
    private static double Ceiling(double value)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(value, 1e-9))));
        double[] steps = [1, 2, 4, 6, 8, 10];
        return steps.First(step => step * power >= value * 0.9999) * power;
    }

    private static void Append(StringBuilder svg, FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
