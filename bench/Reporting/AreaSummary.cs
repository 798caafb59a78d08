namespace ManagedTransformers.Bench;

/// <summary>The end of a run in a line per area: where we are slowest beside a peer, and farthest from what the machine can do.</summary>
/// <param name="Area">The part of the library.</param>
/// <param name="WorstRatio">The least of "times as fast" beside another program; where no line has one, beside ours in another form. Null: neither was
/// measured.</param>
/// <param name="WorstRatioLine">The line, and whom it was timed with.</param>
/// <param name="LowestShare">The least share of the limit; null where no line has a limit.</param>
/// <param name="LowestShareLine">The line.</param>
internal sealed record AreaSummary(string Area, double? WorstRatio, string? WorstRatioLine, double? LowestShare, string? LowestShareLine)
{
    public static IReadOnlyList<string> Headings { get; } = ["area", "worst ratio to a peer", "of", "lowest share of the limit", "of"];

    /// <summary>The areas in the order in which they were measured.</summary>
    public static IReadOnlyList<AreaSummary> Of(IReadOnlyList<Measurement> results) =>
        [.. results.Where(line => line.Area is not null).GroupBy(line => line.Area!).Select(area => Of(area.Key, [.. area]))];

    public IReadOnlyList<string> Cells() =>
        [Area, WorstRatio is double ratio ? $"{ratio:F2}x" : "", WorstRatioLine ?? "", LowestShare is double share ? $"{share:P0}" : "", LowestShareLine ?? ""];

    private static AreaSummary Of(string area, Measurement[] lines)
    {
        Measurement? ratio = Worst(PeerKind.Other) ?? Worst(PeerKind.Ours);
        Measurement? share = lines.Where(line => line.ShareOfLimit is not null).MinBy(line => line.ShareOfLimit);
        return new AreaSummary(area, ratio?.Ratio, ratio is null ? null : $"{Name(ratio)}; {ratio.Peer}", share?.ShareOfLimit,
            share is null ? null : $"{Name(share)}; {share.Limit}");

        Measurement? Worst(PeerKind kind) => lines.Where(line => line.PeerKind == kind && line.Ratio is not null).MinBy(line => line.Ratio);
    }

    private static string Name(Measurement line) => $"{line.Work} ({line.Level}, {line.Threads} {(line.Threads == 1 ? "thread" : "threads")})";
}
