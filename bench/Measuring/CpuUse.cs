using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Bench;

/// <summary>How busy the machine was with other people's work between two moments; a noisy result should look like one.</summary>
internal sealed class CpuUse
{
    // USER_HZ of every Linux that .NET runs on.
    private const double TicksPerSecond = 100;

    private readonly Process? _peer;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly double? _busy;
    private readonly double _own;

    /// <summary>Starts to count; the time of a peer process is not other people's.</summary>
    public CpuUse(Process? peer)
    {
        _peer = peer;
        _busy = BusySeconds();
        _own = OwnSeconds();
    }

    /// <summary>The share of all cores that others used since the start, 0 … 1; null where there is no /proc/stat.</summary>
    public double? OthersShare()
    {
        double wall = Stopwatch.GetElapsedTime(_start).TotalSeconds * Environment.ProcessorCount;
        return BusySeconds() - _busy - (OwnSeconds() - _own) is double others && wall > 0 ? Math.Clamp(others / wall, 0, 1) : null;
    }

    private double OwnSeconds()
    {
        _peer?.Refresh();
        return Environment.CpuUsage.TotalTime.TotalSeconds + (_peer?.TotalProcessorTime.TotalSeconds ?? 0);
    }

    private static double? BusySeconds()
    {
        const string Path = "/proc/stat";
        if (!File.Exists(Path))
            return null;
        // cpu user nice system idle iowait irq softirq steal …; stolen time is what another machine took.
        string[] fields = File.ReadLines(Path).First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        double[] ticks = [.. fields.Skip(1).Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
        return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) / TicksPerSecond;
    }
}
