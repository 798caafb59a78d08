using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace ManagedTransformers.Bench;

/// <summary>A column with work per time: GFLOP/s or GB/s.</summary>
/// <param name="name">The heading.</param>
/// <param name="amount">FLOP or bytes of one call.</param>
public sealed class RateColumn(string name, Func<BenchmarkCase, double> amount) : IColumn
{
    public string Id => $"{nameof(RateColumn)}.{name}";

    public string ColumnName => name;

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string Legend => $"{name} from the mean time of one call";

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
        // FLOP per nanosecond are GFLOP/s.
        summary[benchmarkCase]?.ResultStatistics is { } statistics ? $"{amount(benchmarkCase) / statistics.Mean:F1}" : "";

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public bool IsAvailable(Summary summary) => true;
}
