using System.Net;

namespace ManagedTransformers.Hub;

/// <summary>A model of the hub that cannot be had: it is not in the cache, its download was broken off, the hub refuses it, or what arrived is not what was
/// asked for. The message says where, what was found, what was needed and what to do; it never holds a token or a signed address.</summary>
public sealed class HubException : IOException
{
    /// <summary>Creates the exception from its whole message.</summary>
    public HubException(string message) : base(message)
    {
    }

    /// <summary>Creates the exception from its whole message and its cause.</summary>
    public HubException(string message, Exception? inner) : base(message, inner)
    {
    }

    /// <summary>What the server answered, where it was an answer that is wrong.</summary>
    public HttpStatusCode? StatusCode { get; init; }
}
