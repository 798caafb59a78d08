using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Argument checks whose messages name both sides.</summary>
internal static class Check
{
    /// <summary>Throws unless two lengths, sizes or types are the same.</summary>
    public static void Same<T>(T a, T b, [CallerArgumentExpression(nameof(a))] string aName = "",
        [CallerArgumentExpression(nameof(b))] string bName = "") where T : struct
    {
        if (!EqualityComparer<T>.Default.Equals(a, b)) Throw($"{aName} is {a} and {bName} is {b}; they must be equal.", bName);
    }

    /// <summary>Throws unless <paramref name="actual"/> elements are exactly what a shape needs.</summary>
    public static void Length(long actual, long needed,
        [InterpolatedStringHandlerArgument(nameof(actual), nameof(needed))] ref ExactShape shape, [CallerArgumentExpression(nameof(actual))] string name = "")
    {
        if (actual != needed) Throw($"{name} is {actual}; {shape.Text} needs {needed}.", name);
    }

    /// <summary>Throws unless <paramref name="actual"/> elements are at least what a shape needs.</summary>
    public static void AtLeast(long actual, long needed,
        [InterpolatedStringHandlerArgument(nameof(actual), nameof(needed))] ref LeastShape shape, [CallerArgumentExpression(nameof(actual))] string name = "")
    {
        if (actual < needed) Throw($"{name} is {actual}; {shape.Text} needs at least {needed}.", name);
    }

    /// <summary>Throws where a size is negative.</summary>
    public static void NotNegative(int size, [CallerArgumentExpression(nameof(size))] string name = "")
    {
        if (size < 0) throw new ArgumentOutOfRangeException(name, size, $"{name} is a size and must not be negative.");
    }

    /// <summary>Throws unless x is whole rows, each as long as the weight of a norm.</summary>
    public static void WholeRows(ReadOnlySpan<float> x, int hidden)
    {
        if (hidden == 0 ? x.Length != 0 : x.Length % hidden != 0)
            Throw($"x.Length is {x.Length}, which is no whole number of rows of weight.Length {hidden}.", nameof(x));
    }

    [DoesNotReturn]
    private static void Throw(string message, string name) => throw new ArgumentException(message, name);

    /// <summary>The text of a failed <see cref="Length"/>; where the check passes, nothing is formatted or allocated.</summary>
    [InterpolatedStringHandler]
    public ref struct ExactShape
    {
        private DefaultInterpolatedStringHandler _text;

        public ExactShape(int literalLength, int formattedCount, long actual, long needed, out bool enabled)
        {
            enabled = actual != needed;
            if (enabled) _text = new DefaultInterpolatedStringHandler(literalLength, formattedCount);
        }

        public string Text => _text.ToStringAndClear();
        public void AppendLiteral(string value) => _text.AppendLiteral(value);
        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
    }

    /// <summary>The text of a failed <see cref="AtLeast"/>; where the check passes, nothing is formatted or allocated.</summary>
    [InterpolatedStringHandler]
    public ref struct LeastShape
    {
        private DefaultInterpolatedStringHandler _text;

        public LeastShape(int literalLength, int formattedCount, long actual, long needed, out bool enabled)
        {
            enabled = actual < needed;
            if (enabled) _text = new DefaultInterpolatedStringHandler(literalLength, formattedCount);
        }

        public string Text => _text.ToStringAndClear();
        public void AppendLiteral(string value) => _text.AppendLiteral(value);
        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
    }
}
