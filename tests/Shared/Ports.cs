using System.Net;
using System.Net.Sockets;

namespace ManagedTransformers.Testing;

/// <summary>Ports for servers that tests start.</summary>
internal static class Ports
{
    /// <summary>One that nobody listens at.</summary>
    /// <param name="address">Where; null: the loopback address.</param>
    public static int Free(IPAddress? address = null)
    {
        using var probe = new TcpListener(address ?? IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
