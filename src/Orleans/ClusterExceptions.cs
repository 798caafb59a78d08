namespace ManagedTransformers.Orleans;

/// <summary>Silos have different files of one model, or different versions of this library: they would give different texts.</summary>
public sealed class ModelFingerprintException : ManagedTransformersException
{
    /// <summary>An exception that says which silos, and both fingerprints.</summary>
    public ModelFingerprintException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public ModelFingerprintException(string message, Exception inner) : base(message, inner)
    {
    }

    internal static string Say(string model, string one, string first, string other, string second) =>
        $"The model {model} is not the same everywhere: {one} has the fingerprint {first}, {other} has {second}. " +
        $"Give all silos the same files and the same version; until then, or until most silos are like it, {one} gets no new requests for it.";
}

/// <summary>No silo can take a request, none could end it, or the silo that was asked does not know whether it still belongs to the cluster. Try again
/// later.</summary>
public sealed class NoSiloException : ManagedTransformersException
{
    /// <summary>An exception that says what was tried.</summary>
    public NoSiloException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public NoSiloException(string message, Exception inner) : base(message, inner)
    {
    }
}
