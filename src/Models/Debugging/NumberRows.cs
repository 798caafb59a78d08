using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Models;


/// <summary>
/// The rows of an array of any rank as a debugger lists them: each under its index, many of them in ranges that are read when they are opened.
/// </summary>
/// <param name="shape">The sizes of the axes.</param>
/// <param name="read">Copies numbers of the flattened array, given the first one's index and how many; none where they cannot be read.</param>
internal sealed class NumberRows(long[] shape, Func<long, int, float[]> read)
{
    private const int Listed = 100;              // rows, or ranges of rows, under one node
    private const int MostValues = 1 << 20;      // of a row that is opened

    /// <summary>Numbers per row: the last axis.</summary>
    public long Width { get; } = shape.Length == 0 ? 1 : shape[^1];

    /// <summary>All rows, or ranges of them.</summary>
    public object[] Items()
    {
        long count = 1;
        foreach (long size in shape.AsSpan(0, Math.Max(0, shape.Length - 1))) count *= size;
        return Width == 0 ? [] : Items(0, count);
    }

    /// <summary>Some of the rows, or ranges of them.</summary>
    public object[] Items(long first, long count)
    {
        if (count <= Listed) return [.. Enumerable.Range(0, (int)count).Select(i => new NumberRow(this, first + i))];
        long range = Listed;
        while (range * Listed < count) range *= Listed;
        return [.. Enumerable.Range(0, (int)((count + range - 1) / range))
            .Select(i => new NumberRowRange(this, first + i * range, Math.Min(range, count - i * range)))];
    }

    /// <summary>The first numbers of a row.</summary>
    public float[] Values(long row, int most = MostValues) => read(row * Width, (int)Math.Min(Width, most));

    /// <summary>What a row is called: <c>row 3</c> of a matrix, <c>[0, 2, 3]</c> where there are more axes.</summary>
    public string Label(long row)
    {
        if (shape.Length <= 2) return shape.Length == 2 ? $"row {row}" : "values";
        long[] index = new long[shape.Length - 1];
        for (int axis = index.Length - 1; axis >= 0; axis--)
            (row, index[axis]) = Math.DivRem(row, Math.Max(1, shape[axis]));
        return $"[{string.Join(", ", index)}]";
    }
}

/// <summary>A row: its first numbers at a glance, all of them when it is opened.</summary>
[DebuggerDisplay("{Text,nq}")]
internal sealed class NumberRow(NumberRows rows, long number)
{
    private const int AtAGlance = 8;

    /// <summary>The numbers (of a very long row the first million).</summary>
    public float[] Values => rows.Values(number);

    /// <summary>If the row is scores of a vocabulary: the likeliest tokens. Null for rows that are too short for that.</summary>
    public LikelyIndex[]? TopIfLogits => rows.Width > LikelyIndex.ShortestRow ? LikelyIndex.Of(Values) : null;

    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    private string Text
    {
        get
        {
            IEnumerable<string> first = rows.Values(number, AtAGlance).Select(x => x.ToString("G4", CultureInfo.InvariantCulture));
            return $"{rows.Label(number)}: {string.Join(" ", first)}{(rows.Width > AtAGlance ? " …" : "")}";
        }
    }
}

/// <summary>Neighbouring rows, under one node until it is opened.</summary>
[DebuggerDisplay("{Text,nq}")]
internal sealed class NumberRowRange(NumberRows rows, long first, long count)
{
    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public object[] Items => rows.Items(first, count);

    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    private string Text => $"{rows.Label(first)} … {rows.Label(first + count - 1)}";
}

/// <summary>What numbers are like, for debugger views: range and mean of the finite ones, and how many are none.</summary>
/// <param name="Min">The least finite number.</param>
/// <param name="Max">The greatest finite number.</param>
/// <param name="Mean">The mean of the finite numbers.</param>
/// <param name="NaN">How many are NaN.</param>
/// <param name="Infinite">How many are infinite.</param>
/// <param name="Count">How many were looked at.</param>
/// <param name="Length">How many there are.</param>
[DebuggerDisplay("{ToString(),nq}")]
internal sealed record NumberSummary(float Min, float Max, double Mean, int NaN, int Infinite, int Count, long Length)
{
    /// <summary>Of more numbers only the first are looked at: a debugger asks anew at every stop, for everything in sight.</summary>
    public const int MostCounted = 1 << 22;

    public static NumberSummary Of(ReadOnlySpan<float> numbers)
    {
        (float min, float max, double sum, int nan, int infinite) = (float.PositiveInfinity, float.NegativeInfinity, 0, 0, 0);
        ReadOnlySpan<float> counted = numbers[..Math.Min(numbers.Length, MostCounted)];
        foreach (float x in counted)
        {
            if (float.IsFinite(x)) (min, max, sum) = (Math.Min(min, x), Math.Max(max, x), sum + x);
            else if (float.IsNaN(x)) nan++;
            else infinite++;
        }
        return new NumberSummary(min, max, sum / Math.Max(1, counted.Length - nan - infinite), nan, infinite, counted.Length, numbers.Length);
    }

    public override string ToString()
    {
        if (Count == 0) return "";
        List<string> parts = [];
        if (Count > NaN + Infinite)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"min {Min:G4} max {Max:G4} mean {Mean:G4}"));
        if (NaN > 0) parts.Add($"{NaN} NaN");
        if (Infinite > 0) parts.Add($"{Infinite} infinite");
        return string.Join(", ", parts) + (Count < Length ? $" (of the first {Count})" : "");
    }
}

/// <summary>A token that a row of scores makes likely, if it is one.</summary>
/// <param name="Index">Its id.</param>
/// <param name="Probability">Softmax of the row.</param>
/// <param name="Logit">Its score.</param>
[DebuggerDisplay("{ToString(),nq}")]
internal readonly record struct LikelyIndex(int Index, double Probability, float Logit)
{
    /// <summary>A row that is no longer than this has the width of a layer rather than of a vocabulary.</summary>
    public const int ShortestRow = 1000;

    private const int Most = 10;

    /// <summary>The ten most likely, best first, of equals the lower index first; none where softmax has no value.</summary>
    public static LikelyIndex[] Of(float[] logits)
    {
        float max = float.NegativeInfinity;
        foreach (float x in logits)
            max = Math.Max(max, x);                     // NaN stays
        if (!float.IsFinite(max)) return [];
        double sum = 0;
        foreach (float x in logits) sum += Math.Exp((double)x - max);
        return [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).Take(Most)
            .Select(i => new LikelyIndex(i, Math.Exp((double)logits[i] - max) / sum, logits[i]))];
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}: {Probability:F4} (logit {Logit:G4})");
}

/// <summary>Words that debugger views share.</summary>
internal static class DebuggerText
{
    /// <summary>A number of bytes: <c>1.5 MB</c>.</summary>
    public static string Bytes(long bytes) => Scaled(bytes, 1024, ["B", "KB", "MB", "GB", "TB"]);

    /// <summary>A large number: <c>3.2 M</c>.</summary>
    public static string Count(long count) => Scaled(count, 1000, ["", "K", "M", "G", "T"]).TrimEnd();

    private static string Scaled(double value, int step, string[] units)
    {
        int unit = 0;
        for (; value >= step && unit < units.Length - 1; unit++) value /= step;
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Round(value, 1)} {units[unit]}");
    }
}
