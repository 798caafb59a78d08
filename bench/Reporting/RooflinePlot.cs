using System.Globalization;
using System.Net;
using System.Numerics;
using System.Text;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>
/// The roofline as an SVG: speed over intensity, both logarithmic. The sloped roof is the read bandwidth, the flat ones are the
/// FMA peaks of the levels; a point is as good as it is close to the roof above it.
/// </summary>
/// <remarks>Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785.</remarks>
internal static class RooflinePlot
{
    private const double Width = 1000, Height = 600, Left = 70, Right = 270, Top = 40, Bottom = 60;

    // FLOP per byte of weights: from decoding in f16 (1) to a batch of a thousand tokens in f32 (500).
    private const double MinIntensity = 0.5, MaxIntensity = 2048;

    private static readonly string[] s_colors = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2"];

    /// <summary>Writes the plot of the results at one number of threads.</summary>
    public static void Write(string path, MachineLimits limits, int threads, IReadOnlyList<Measurement> results)
    {
        KernelLevel[] levels = [.. KernelDispatch.Supported.Where(level => level != KernelLevel.Reference)];
        double top = limits.Fma(levels[^1], threads) / 1e9 * 2;
        var axes = new Axes(MinGflops: limits.Read(threads) / 1e9 * MinIntensity / 4, MaxGflops: top);
        var svg = new StringBuilder();
        Append(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"12\">");
        Append(svg, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>");
        Append(svg, $"<text x=\"{Left}\" y=\"22\" font-size=\"14\">{Escape($"{MachineDescription.Text}; {threads} threads")}</text>");
        AppendGrid(svg, axes);
        // Vector<T> is as wide as the vectors of another level: one roof, not two on top of each other.
        KernelLevel portable = Vector<float>.Count switch { 4 => KernelLevel.Vector128, 8 => KernelLevel.Avx2, _ => KernelLevel.Avx512 };
        foreach (KernelLevel level in levels.Where(level => level != KernelLevel.Portable || !levels.Contains(portable)))
            AppendRoof(svg, axes, limits.Read(threads) / 1e9, limits.Fma(level, threads) / 1e9, $"{level}");
        // A work that was measured with several peers is one point.
        Measurement[] points = [.. results.Where(r => r.Threads == threads && r.Intensity > 0 && r.Gflops > 0).DistinctBy(r => (r.Work, r.Level))];
        foreach ((int i, Measurement point) in points.Index())
            AppendPoint(svg, axes, point, i);
        svg.Append("</svg>\n");
        File.WriteAllText(path, svg.ToString());
    }

    private static void AppendGrid(StringBuilder svg, Axes axes)
    {
        for (double intensity = MinIntensity; intensity <= MaxIntensity; intensity *= 4)
        {
            Append(svg, $"<line x1=\"{axes.X(intensity):F1}\" x2=\"{axes.X(intensity):F1}\" y1=\"{Top}\" y2=\"{Height - Bottom}\" stroke=\"#eee\"/>");
            Append(svg, $"<text x=\"{axes.X(intensity):F1}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{intensity}</text>");
        }
        for (double gflops = Math.Pow(10, Math.Ceiling(Math.Log10(axes.MinGflops))); gflops <= axes.MaxGflops; gflops *= 10)
        {
            Append(svg, $"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{axes.Y(gflops):F1}\" y2=\"{axes.Y(gflops):F1}\" stroke=\"#eee\"/>");
            Append(svg, $"<text x=\"{Left - 8}\" y=\"{axes.Y(gflops) + 4:F1}\" text-anchor=\"end\">{gflops}</text>");
        }
        Append(svg, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 18}\" text-anchor=\"middle\">FLOP per byte of weights</text>");
        Append(svg, $"<text x=\"18\" y=\"{Height / 2}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {Height / 2})\">GFLOP/s</text>");
    }

    private static void AppendRoof(StringBuilder svg, Axes axes, double read, double peak, string level)
    {
        double ridge = peak / read;
        (double left, double middle, double right, double start, double flat) =
            (axes.X(MinIntensity), axes.X(ridge), axes.X(MaxIntensity), axes.Y(read * MinIntensity), axes.Y(peak));
        Append(svg, $"<polyline fill=\"none\" stroke=\"#444\" points=\"{left:F1},{start:F1} {middle:F1},{flat:F1} {right:F1},{flat:F1}\"/>");
        Append(svg, $"<text x=\"{Width - Right - 4}\" y=\"{axes.Y(peak) - 5:F1}\" text-anchor=\"end\" fill=\"#444\">{level} {peak:F0}</text>");
    }

    private static void AppendPoint(StringBuilder svg, Axes axes, Measurement point, int number)
    {
        string color = s_colors[number % s_colors.Length];
        (double x, double y) = (axes.X(point.Intensity!.Value), axes.Y(point.Gflops!.Value));
        Append(svg, $"<circle cx=\"{x:F1}\" cy=\"{y:F1}\" r=\"4\" fill=\"{color}\"/>");
        Append(svg, $"<text x=\"{x + 6:F1}\" y=\"{y + 4:F1}\" font-size=\"10\" fill=\"{color}\">{number + 1}</text>");
        string entry = Escape($"{number + 1} {point.Work}: {point.ShareOfLimit:P0}");
        Append(svg, $"<text x=\"{Width - Right + 10}\" y=\"{Top + 10 + 15 * number}\" font-size=\"10\" fill=\"{color}\">{entry}</text>");
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static void Append(StringBuilder svg, FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

    private sealed record Axes(double MinGflops, double MaxGflops)
    {
        public double X(double intensity) => Left + (Width - Left - Right) * Math.Log(intensity / MinIntensity) / Math.Log(MaxIntensity / MinIntensity);

        public double Y(double gflops) =>
            Height - Bottom - (Height - Top - Bottom) * Math.Log(Math.Max(gflops, MinGflops) / MinGflops) / Math.Log(MaxGflops / MinGflops);
    }
}
