using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ManagedTransformers.Cli;

/// <summary>Where machines of a fleet find each other: what --cluster says.</summary>
/// <param name="Redis">Whether it is a Redis; else processes of this machine find the first one at its port.</param>
/// <param name="Host">The machine.</param>
/// <param name="Port">Of Redis, or of the first silo.</param>
/// <param name="Service">Which fleet, of several in one Redis.</param>
/// <param name="User">Who Redis lets in; empty: its default user.</param>
/// <param name="Password">With which password; empty: without one.</param>
internal sealed record ClusterAddress(bool Redis, string Host, int Port, string Service, string User = "", string Password = "")
{
    public const int UsualSiloPort = 11111;
    private const int UsualRedisPort = 6379;
    private const string UsualService = "managed-transformers";

    /// <summary>What is needed, for messages and help.</summary>
    public const string Form = "localhost[:PORT] or redis://[USER:PASSWORD@]HOST[:PORT][/SERVICE]";

    /// <summary>How long joining may take: in a Redis there may be silos that were lost, and stand there for a minute and a half.</summary>
    public TimeSpan TimeToJoin => TimeSpan.FromSeconds(Redis ? 120 : 30);

    /// <summary>How long one that is no silo looks for the first silo.</summary>
    public static TimeSpan TimeToFind => TimeSpan.FromSeconds(30);

    /// <summary>What it hears where there is none.</summary>
    public string NoSilo => $"No silo of the cluster {(Redis ? $"\"{Service}\" in the Redis at {Host}:{Port}" : $"at {Host}:{Port}")} answered within " +
        $"{TimeToFind.TotalSeconds} s. Start one with \"mtx serve --cluster\", or name another cluster with --cluster.";

    /// <exception cref="UsageException">It is neither.</exception>
    public static ClusterAddress Parse(string where)
    {
        if (where == "localhost" || where.StartsWith("localhost:", StringComparison.Ordinal))
        {
            string port = where == "localhost" ? "" : where["localhost:".Length..];
            if (where == "localhost")
                return new ClusterAddress(false, "localhost", UsualSiloPort, UsualService);
            // The port after it is the gateway's.
            return int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is > 0 and < ushort.MaxValue
                ? new ClusterAddress(false, "localhost", number, UsualService)
                : throw new UsageException($"--cluster is {where}; a port of 1 … {ushort.MaxValue - 1} is needed after localhost.");
        }
        if (!Uri.TryCreate(where, UriKind.Absolute, out Uri? uri) || uri.Scheme != "redis" || uri.Host.Length == 0
            || uri.Query.Length + uri.Fragment.Length > 0)
            throw new UsageException($"--cluster is {where}; {Form} is needed.");
        string service = Uri.UnescapeDataString(uri.AbsolutePath.Trim('/'));
        if (service.Contains('/', StringComparison.Ordinal))
            throw new UsageException($"--cluster is {where}; the service's name has no slash.");
        string[] user = uri.UserInfo.Split(':', 2);
        return new ClusterAddress(true, uri.Host.Trim('[', ']'), uri.IsDefaultPort || uri.Port < 0 ? UsualRedisPort : uri.Port,
            service.Length > 0 ? service : UsualService, Uri.UnescapeDataString(user[0]), user.Length > 1 ? Uri.UnescapeDataString(user[1]) : "");
    }

    /// <summary>Connects to it once.</summary>
    /// <returns>The address by which this machine reaches it, at which others reach this one.</returns>
    /// <exception cref="IOException">It does not answer.</exception>
    public async Task<IPAddress> ReachAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(5));
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(Host, Port, limit.Token).ConfigureAwait(false);
            IPAddress own = ((IPEndPoint)client.Client.LocalEndPoint!).Address;
            return own.IsIPv4MappedToIPv6 ? own.MapToIPv4() : own;
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            string why = e is SocketException ? e.Message : "no answer within 5 s";
            throw new IOException($"The Redis at {Host}:{Port} cannot be reached: {why.TrimEnd('.')}. Start it, or name another one with --cluster.", e);
        }
    }

    /// <summary>Whether an address is one of this machine, at which others reach it.</summary>
    public static bool IsOwn(IPAddress address)
    {
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            return false;
        try
        {
            using var listener = new TcpListener(address, 0);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Whether nobody listens at a port of this machine.</summary>
    public static bool IsFree(IPAddress address, int port)
    {
        try
        {
            using var listener = new TcpListener(address, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>A port that nobody listens at.</summary>
    public static int FreePort(IPAddress address)
    {
        using var listener = new TcpListener(address, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>How a process of mtx serve is a part of a fleet.</summary>
/// <param name="Address">Where the machines find each other.</param>
/// <param name="GatewayOnly">Whether it has no models of its own.</param>
/// <param name="SiloPort">Where other silos reach it; null: a free port.</param>
/// <param name="SiloAddress">The address at which others reach it; null: the one by which it reaches Redis.</param>
/// <param name="SiloName">What it is called in logs and on the page; null: the machine and its silo's port.</param>
/// <param name="DashboardPort">Where Orleans' dashboard is; null: nowhere.</param>
internal sealed record ClusterMembership(
    ClusterAddress Address, bool GatewayOnly, int? SiloPort, IPAddress? SiloAddress, string? SiloName, int? DashboardPort);
