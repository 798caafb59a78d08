namespace ManagedTransformers.Models;

/// <summary>
/// A trace that cannot be: names that no activation of the model has, activations that were not kept, more memory than allowed, values of
/// another shape than the activation they replace, a head that the model lacks, a second trace of a session.
/// </summary>
public sealed class TraceException : InvalidOperationException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public TraceException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public TraceException(string message, Exception inner) : base(message, inner)
    {
    }
}
