using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>How far one tensor is from its reference.</summary>
/// <param name="Name">The tensor.</param>
/// <param name="Shape">Its shape as text, <c>[2, 33, 64]</c>.</param>
/// <param name="MaxAbsolute">Largest |found − expected|; NaN where one of the two is NaN and the other is not.</param>
/// <param name="MaxRelative">The same divided by the largest |expected| of the tensor.</param>
/// <param name="Passed">Whether it is within the tolerance.</param>
/// <param name="Note">What cannot be said in numbers: the tensor is missing, its shape differs, where the largest error is.</param>
public sealed record TensorError(string Name, string Shape, double MaxAbsolute, double MaxRelative, bool Passed, string? Note);

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
    public static TensorError Compare(Tensor found, Tensor expected, double tolerance = DefaultTolerance, Func<int, bool>? counts = null)
    {
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(expected);
        string shape = Describe(expected.Shape);
        if (!found.Shape.SequenceEqual(expected.Shape))
            return new TensorError(expected.Name, shape, double.NaN, double.NaN, Passed: false, $"the shape is {Describe(found.Shape)}");

        (double worst, int worstAt, double magnitude) = (0, -1, 0);
        ReadOnlySpan<float> a = found.Span;
        ReadOnlySpan<float> b = expected.Span;
        for (int i = 0; i < b.Length; i++)
        {
            if (counts is not null && !counts(i))
                continue;
            // Equal infinities, and two NaNs, are no error; a NaN on one side is the worst there is.
            double error = a[i].Equals(b[i]) ? 0 : Math.Abs((double)a[i] - b[i]);
            if (double.IsFinite(b[i]))
                magnitude = Math.Max(magnitude, Math.Abs(b[i]));
            if (error > worst || double.IsNaN(error))
                (worst, worstAt) = (error, i);
            if (double.IsNaN(error))
                break;
        }
        double relative = worst == 0 ? 0 : worst / magnitude;
        bool passed = relative <= tolerance;
        string? note = passed ? null : $"largest at {Describe(IndexOf(worstAt, expected.Shape))}: {a[worstAt]:G9}, expected {b[worstAt]:G9}";
        return new TensorError(expected.Name, shape, worst, relative, passed, note);
    }

    internal static string Describe(ReadOnlySpan<int> numbers) => $"[{string.Join(", ", numbers.ToArray())}]";

    private static int[] IndexOf(int place, ReadOnlySpan<int> shape)
    {
        var index = new int[shape.Length];
        for (int axis = shape.Length - 1; axis >= 0; axis--)
            (place, index[axis]) = Math.DivRem(place, shape[axis]);
        return index;
    }
}
