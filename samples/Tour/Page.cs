using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Tour;

/// <summary>One block of numbers: what stands in the tour's text under <c>```text tour:id</c>.</summary>
/// <param name="Id">Its name, unique in the tour.</param>
/// <param name="Text">Its lines, without a line break behind the last one.</param>
/// <param name="Numbers">The numbers before they were rounded, and the decimals they were rounded to.</param>
public sealed record Block(string Id, string Text, IReadOnlyList<(double Value, int Decimals)> Numbers);

/// <summary>Collects what a chapter prints, and remembers every rounded number.</summary>
public sealed partial class Page
{
    private readonly List<Block> _blocks = [];
    private readonly List<(double, int)> _numbers = [];
    private readonly StringBuilder _text = new();
    private string? _id;

    /// <summary>The blocks so far.</summary>
    public IReadOnlyList<Block> Blocks
    {
        get
        {
            End();
            return _blocks;
        }
    }

    /// <summary>Ends the block before and begins one.</summary>
    public void Begin(string id)
    {
        End();
        _id = id;
    }

    /// <summary>A line; what is formatted with F is remembered before it is rounded.</summary>
    public void Line(FormattableString line)
    {
        ArgumentNullException.ThrowIfNull(line);
        object?[] values = line.GetArguments();
        foreach (Match match in Placeholder().Matches(line.Format))
        {
            double value = Convert.ToDouble(values[int.Parse(match.Groups["index"].ValueSpan, CultureInfo.InvariantCulture)], CultureInfo.InvariantCulture);
            _numbers.Add((value, int.Parse(match.Groups["decimals"].ValueSpan, CultureInfo.InvariantCulture)));
        }
        _text.Append(line.ToString(CultureInfo.InvariantCulture).Replace("-Infinity", "−∞", StringComparison.Ordinal).TrimEnd()).Append('\n');
    }

    /// <summary>A label of 16 characters and numbers in columns of 9.</summary>
    public void Row(string label, IEnumerable<double> values, int decimals = 3)
    {
        ArgumentNullException.ThrowIfNull(values);
        var line = new StringBuilder(Pad(label, 16));
        foreach (double value in values)
        {
            _numbers.Add((value, decimals));
            line.Append((double.IsNegativeInfinity(value) ? "−∞" : value.ToString($"F{decimals}", CultureInfo.InvariantCulture)).PadLeft(9));
        }
        _text.Append(line.ToString().TrimEnd()).Append('\n');
    }

    /// <inheritdoc cref="Row(string, IEnumerable{double}, int)"/>
    public void Row(string label, ReadOnlySpan<float> values, int decimals = 3) => Row(label, values.ToArray().Select(value => (double)value), decimals);

    /// <summary>A label of 16 characters and texts in columns of 9.</summary>
    public void Heads(string label, IEnumerable<string> heads)
    {
        ArgumentNullException.ThrowIfNull(heads);
        _text.Append((Pad(label, 16) + string.Concat(heads.Select(head => head.PadLeft(9)))).TrimEnd()).Append('\n');
    }

    private static string Pad(string label, int width) => label.PadRight(width);

    private void End()
    {
        if (_id is not null)
            _blocks.Add(new Block(_id, _text.ToString().TrimEnd('\n'), [.. _numbers]));
        _id = null;
        _text.Clear();
        _numbers.Clear();
    }

    [GeneratedRegex(@"\{(?<index>\d+)(,-?\d+)?:F(?<decimals>\d)\}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Placeholder();
}
