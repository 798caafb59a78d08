namespace ManagedTransformers.Fuzz;

/// <summary>A parser, and what it is tried with.</summary>
/// <param name="Name">The name on the command line, and of the folder of its crashers.</param>
/// <param name="Mutator">Changes inputs.</param>
/// <param name="Seeds">The inputs to begin with: small, and most of them good.</param>
/// <param name="Run">Reads an input, and checks what came of it (<see cref="Oracle"/>).</param>
internal sealed record FuzzTarget(string Name, Mutator Mutator, Func<IEnumerable<byte[]>> Seeds, Action<byte[]> Run)
{
    /// <summary>The longest input that mutation makes.</summary>
    public int MaxLength { get; init; } = 1 << 15;

    /// <summary>The processor time that a MB may take, and that any input may.</summary>
    public TimeSpan TimePerMB { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many times its size an input may take of memory, besides 64 MB.</summary>
    public int MemoryFactor { get; init; } = 20;

    /// <summary>Inputs of the short run.</summary>
    public int ShortRun { get; init; } = 2000;

    /// <summary>Whether an exception is one that the parser's documentation names.</summary>
    public Func<Exception, bool> IsRefusal { get; init; } = static e => e is ManagedTransformersException;
}

/// <summary>What must hold of an input that was not refused.</summary>
internal static class Oracle
{
    /// <exception cref="OracleException">It does not hold.</exception>
    public static void Require(bool holds, string what)
    {
        if (!holds)
            throw new OracleException(what);
    }

    /// <summary>Two ways to read the same must both refuse, or give the same.</summary>
    /// <exception cref="OracleException">They do not.</exception>
    public static void Agree<T>(string what, Func<T> first, Func<T> second) where T : IEquatable<T>
    {
        (T? a, Exception? refused) = Try(first);
        (T? b, Exception? alsoRefused) = Try(second);
        Require(refused is null == alsoRefused is null, $"{what}: one way says \"{refused?.Message ?? a!.ToString()}\", the other " +
            $"\"{alsoRefused?.Message ?? b!.ToString()}\"");
        if (refused is null)
            Require(a!.Equals(b), $"{what} give {a} and {b}");
        else
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(refused);
    }

    private static (T? Value, Exception? Refused) Try<T>(Func<T> read)
    {
        try
        {
            return (read(), null);
        }
        catch (ManagedTransformersException e)
        {
            return (default, e);
        }
    }
}

/// <summary>An input that was accepted, and came out wrong.</summary>
internal sealed class OracleException(string message) : Exception(message);
