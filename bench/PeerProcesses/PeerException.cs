namespace ManagedTransformers.Bench;

/// <summary>A peer that is not installed, or fails; the bench continues without it.</summary>
public sealed class PeerException : Exception
{
    public PeerException()
    {
    }

    public PeerException(string message) : base(message)
    {
    }

    public PeerException(string message, Exception innerException) : base(message, innerException)
    {
    }
}
