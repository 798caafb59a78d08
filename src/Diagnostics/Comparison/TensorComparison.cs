namespace ManagedTransformers.Diagnostics;

/// <summary>How far one tensor is from its reference.</summary>
/// <param name="Name">The tensor.</param>
/// <param name="Shape">Its shape as text, <c>[2, 33, 64]</c>.</param>
/// <param name="MaxAbsolute">Largest |found − expected|; NaN where one of the two is NaN and the other is not.</param>
/// <param name="MaxRelative">The same divided by the largest |expected| of the tensor.</param>
/// <param name="Passed">Whether it is within the tolerance.</param>
/// <param name="Note">What cannot be said in numbers: the tensor is missing, its shape differs, where the largest error is.</param>
public sealed record TensorError(string Name, string Shape, double MaxAbsolute, double MaxRelative, bool Passed, string? Note)
{
    /// <summary>Where the largest error is; null where the tensor passes, and where the shapes differ.</summary>
    public TensorPlace? Largest { get; init; }

    /// <summary>The first element in C order whose error is beyond the tolerance; null as <see cref="Largest"/> is.</summary>
    public TensorPlace? First { get; init; }

    /// <summary>How many elements are beyond the tolerance.</summary>
    public int Beyond { get; init; }
}

/// <summary>An element of two tensors.</summary>
/// <param name="Index">A number per axis.</param>
/// <param name="Found">What was computed.</param>
/// <param name="Expected">The reference.</param>
public sealed record TensorPlace(IReadOnlyList<int> Index, float Found, float Expected);

/// <summary>Compares tensors by the project's rule: the largest error relative to the largest magnitude of the reference tensor.</summary>
public static class TensorComparison
{
    /// <summary>The tolerance of float32 parity.</summary>
    public const double DefaultTolerance = 1e-4;

    /// <summary>Compares elements of equal place.</summary>
    /// <param name="found">What was computed.</param>
    /// <param name="expected">The reference.</param>
    /// <param name="tolerance">The largest relative error that passes.</param>
    /// <param name="counts">Which elements count, by their index in C order; all when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tolerance is negative or not finite.</exception>
    public static TensorError Compare(FloatTensor found, FloatTensor expected, double tolerance = DefaultTolerance, Func<int, bool>? counts = null)
    {
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(expected);
        if (!(tolerance >= 0 && double.IsFinite(tolerance)))
            throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "A finite tolerance of at least 0 is needed.");
        string shape = Describe(expected.Shape);
        if (!found.Shape.SequenceEqual(expected.Shape))
            return new TensorError(expected.Name, shape, double.NaN, double.NaN, Passed: false, $"the shape is {Describe(found.Shape)}");

        ReadOnlySpan<float> a = found.Span, b = expected.Span;
        double magnitude = LargestMagnitude(b, counts), worst = 0;
        (int worstAt, int firstAt, int beyond) = (-1, -1, 0);
        for (int i = 0; i < b.Length; i++)
        {
            // Equal infinities, and two NaNs, are no error; a NaN on one side is the worst there is.
            if (a[i].Equals(b[i]) || (counts is not null && !counts(i)))
                continue;
            double error = Math.Abs((double)a[i] - b[i]);
            if (!double.IsNaN(worst) && !(error <= worst))
                (worst, worstAt) = (error, i);
            if (!(error / magnitude <= tolerance))
                (firstAt, beyond) = (beyond == 0 ? i : firstAt, beyond + 1);
        }
        double relative = worst == 0 ? 0 : worst / magnitude;
        if (beyond == 0)
            return new TensorError(expected.Name, shape, worst, relative, Passed: true, Note: null);

        TensorPlace largest = PlaceOf(worstAt, found, expected);
        string note = $"largest at {Describe([.. largest.Index])}: {largest.Found:G9}, expected {largest.Expected:G9}";
        return new TensorError(expected.Name, shape, worst, relative, Passed: false, note)
        {
            Largest = largest, First = PlaceOf(firstAt, found, expected), Beyond = beyond,
        };
    }

    /// <summary>Compares with a tensor of a file: real numbers within the tolerance, whole ones exactly.</summary>
    /// <exception cref="CheckpointException">An axis of the file's tensor is too long.</exception>
    internal static TensorError Compare(FloatTensor found, Weight expected, double tolerance, Func<int, bool>? counts) =>
        Compare(found, AsTensor(expected), ForwardFiles.IsReal(expected.Type) ? tolerance : 0, counts);

    /// <summary>A file's tensor in float32.</summary>
    /// <exception cref="CheckpointException">An axis is too long.</exception>
    internal static FloatTensor AsTensor(Weight weight) => weight.Shape.All(size => size <= int.MaxValue)
        ? new(weight.ToSingle(), weight.Name, [.. weight.Shape.Select(size => (int)size)])
        : throw new CheckpointException($"{weight.Name} in {weight.File} is {weight.ShapeText}; no axis may be longer than {int.MaxValue}.");

    /// <summary>Which elements of a tensor belong to real tokens: what a reference holds at padding is an accident of its masking. [batch, sequence, …] states
    /// and logits, [batch, heads, sequence, …] attentions, keys and values. Null: all.</summary>
    internal static Func<int, bool>? RealTokens(IReadOnlyList<long> shape, IReadOnlyList<int>? mask, int batch, int sequence)
    {
        if (mask is null || shape.Count < 3 || shape[0] != batch)
            return null;
        int axis = shape.Count == 4 ? 2 : 1;
        if (shape[axis] != sequence)
            return null;
        (long perRow, long perToken) = (ElementsFrom(1), ElementsFrom(axis + 1));
        return i => mask[(int)(i / perRow * sequence + i / perToken % sequence)] != 0;

        long ElementsFrom(int first) => shape.Skip(first).Aggregate(1L, (product, size) => product * size);
    }

    private static double LargestMagnitude(ReadOnlySpan<float> values, Func<int, bool>? counts)
    {
        double magnitude = 0;
        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsFinite(values[i]) && (counts is null || counts(i)))
                magnitude = Math.Max(magnitude, Math.Abs(values[i]));
        }
        return magnitude;
    }

    private static TensorPlace PlaceOf(int place, FloatTensor found, FloatTensor expected) =>
        new(IndexOf(place, expected.Shape), found.Span[place], expected.Span[place]);

    internal static string Describe(ReadOnlySpan<int> numbers) => $"[{string.Join(", ", numbers.ToArray())}]";

    private static int[] IndexOf(int place, ReadOnlySpan<int> shape)
    {
        var index = new int[shape.Length];
        for (int axis = shape.Length - 1; axis >= 0; axis--)
            (place, index[axis]) = Math.DivRem(place, shape[axis]);
        return index;
    }
}
