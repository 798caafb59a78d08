using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Argument checks whose messages name both sides.</summary>
internal static class Check
{
    /// <summary>Throws unless two spans are equally long.</summary>
    public static void SameLength(int a, int b, [CallerArgumentExpression(nameof(a))] string aName = "", [CallerArgumentExpression(nameof(b))] string bName = "")
    {
        if (a != b) Throw($"{aName} is {a} and {bName} is {b}; they must be equal.", bName);
    }

    /// <summary>Throws unless <paramref name="actual"/> elements are exactly what a shape needs.</summary>
    public static void Length(long actual, long needed, string shape, [CallerArgumentExpression(nameof(actual))] string name = "")
    {
        if (actual != needed) Throw($"{name} is {actual}; {shape} needs {needed}.", name);
    }

    /// <summary>Throws unless <paramref name="actual"/> elements are at least what a shape needs.</summary>
    public static void AtLeast(long actual, long needed, string shape, [CallerArgumentExpression(nameof(actual))] string name = "")
    {
        if (actual < needed) Throw($"{name} is {actual}; {shape} needs at least {needed}.", name);
    }

    /// <summary>Throws where a size is negative.</summary>
    public static void NotNegative(int size, [CallerArgumentExpression(nameof(size))] string name = "")
    {
        if (size < 0) throw new ArgumentOutOfRangeException(name, size, $"{name} is a size and must not be negative.");
    }

    [DoesNotReturn]
    private static void Throw(string message, string name) => throw new ArgumentException(message, name);
}
