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
