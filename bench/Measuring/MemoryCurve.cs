using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Bench;

/// <summary>Memory and open files of a process over a run, as Linux tells them.</summary>
internal sealed class MemoryCurve(int process)
{
    private readonly List<double> _all = [];
    private readonly int _files = ProcessState.Of(process).Files;
    private readonly Lock _gate = new();
    private long _last;

    /// <summary>Measures, at most once a second.</summary>
    public void Sample()
    {
        lock (_gate)
        {
            if (_last != 0 && Stopwatch.GetElapsedTime(_last) < TimeSpan.FromSeconds(1))
                return;
            _last = Stopwatch.GetTimestamp();
            _all.Add(Megabytes());
        }
    }

    /// <summary>Writes what was after a tenth of the run, and how it went on.</summary>
    public void Write()
    {
        foreach (double share in new[] { 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1 })
            Console.WriteLine(Text($"  {share,5:P0}: {Around(share):F1} MB"));
        double[] rest = [.. _all.Skip(_all.Count / 10)];
        (double mean, double slope) = Samples.Line(rest);
        double first = Around(0.1);
        Console.WriteLine(Text($"VmRSS after a tenth {first:F1} MB, mean {mean:F1}, max {rest.Max():F1}, at the end {Megabytes():F1}"));
        Console.WriteLine(Text($"slope from there on: {slope * rest.Length:F1} MB, {slope * rest.Length / first:P1}"));
        Console.WriteLine($"open files: {_files} at the start, {ProcessState.Of(process).Files} at the end");
    }

    // The median of a 25th of the run.
    private double Around(double share)
    {
        int at = (int)(share * (_all.Count - 1)), half = _all.Count / 50;
        double[] near = [.. _all.Skip(at - half).Take((2 * half) + 1).Order()];
        return near[near.Length / 2];
    }

    private double Megabytes() => ProcessState.Of(process).Resident / (double)(1 << 20);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
