using System.Globalization;

namespace ManagedTransformers.Bench;

/// <summary>A result as the cells of a table, the same on the screen and in Markdown.</summary>
internal static class ResultRow
{
    public static IReadOnlyList<string> Headings { get; } =
    [
        "work", "threads", "level", "median ms", "best ms", "tokens/s", "GFLOP/s", "GB/s", "share of limit",
        "peer", "peer ms", "times as fast", "outputs differ by", "resident MB", "others' CPU",
    ];

    public static IReadOnlyList<string> Cells(Measurement m) =>
    [
        m.Work,
        $"{m.Threads}",
        m.Level ?? "",
        Number(m.MedianMs),
        Number(m.BestMs),
        Number(m.TokensPerS),
        m.Note is null ? Number(m.Gflops) : $"{Number(m.Gflops)} {m.Note}",
        Number(m.ReadGbPerS),
        m.ShareOfLimit is double share ? $"{share:P0} {m.Limit}" : "",
        m.Peer ?? "",
        Number(m.PeerMedianMs),
        m.Ratio is double ratio ? $"{ratio:F2}x" : "",
        m.OutputDifference is double difference ? difference.ToString("0E+0", CultureInfo.InvariantCulture) : "",
        Number(m.LargestResidentMb),
        m.OtherCpu is double others ? $"{others:P0}" : "",
    ];

    /// <summary>Three digits or more.</summary>
    private static string Number(double? value) => value switch
    {
        null => "",
        >= 100 => $"{value:F0}",
        >= 10 => $"{value:F1}",
        _ => $"{value:F2}",
    };
}
