using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ManagedTransformers.Bench;

/// <summary>One client: a connection that it keeps, and what answers should be.</summary>
internal sealed class LoadClient(IPEndPoint server, LoadCase[] cases, ServerLoadResult result) : IDisposable
{
    private RawConnection? _kept;

    public IPEndPoint Server => server;

    public LoadCase Case(Random random) => cases[random.Next(cases.Length)];

    public void Count(string what) => result.Count(what);

    public void Dispose() => _kept?.Dispose();

    /// <summary>The bytes of a request.</summary>
    public static byte[] Bytes(string route, byte[]? body, string headers = "", string method = "POST", string version = "1.1") =>
    [
        .. Encoding.UTF8.GetBytes($"{method} {route} HTTP/{version}\r\nHost: localhost\r\n{headers}"),
        .. Encoding.UTF8.GetBytes(body is null ? "\r\n" : $"Content-Length: {body.Length}\r\n\r\n"), .. body ?? [],
    ];

    public static byte[] Bytes(LoadCase one, Random random, string headers = "Content-Type: application/json\r\n", string version = "1.1") =>
        Bytes(one.Route, Encoding.UTF8.GetBytes(one.Text(random)), headers, version: version);

    /// <summary>A connection; where there is one that was kept, that.</summary>
    public async Task<RawConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        RawConnection? kept = _kept;
        _kept = null;
        return kept ?? await RawConnection.OpenAsync(server, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a request, and reads its answer; the connection is kept where the server keeps it.</summary>
    public async Task<RawAnswer> AskAsync(byte[] request, CancellationToken cancellationToken)
    {
        RawConnection connection = await ConnectAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await connection.SendAsync(request, cancellationToken).ConfigureAwait(false);
            RawAnswer answer = await connection.ReadAsync(cancellationToken).ConfigureAwait(false)
                ?? throw new LoadFailureException("the connection was closed without an answer");
            if (!answer.IsLast)
                (_kept, connection) = (connection, null!);
            return answer;
        }
        finally
        {
            connection?.Dispose();
        }
    }

    /// <summary>Sends a request on a new connection that ends with it, and reads what comes; null: nothing came.</summary>
    public async Task<RawAnswer?> TryAsync(byte[] request, bool end, CancellationToken cancellationToken)
    {
        using RawConnection connection = await RawConnection.OpenAsync(server, cancellationToken).ConfigureAwait(false);
        try
        {
            await connection.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (end)
                connection.EndSending();
            return await connection.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return null;
        }
    }

    /// <summary>The answer to a case must be right, or say that the server is busy.</summary>
    public void RequireRight(string kind, LoadCase one, RawAnswer answer)
    {
        if (answer.Status != 200)
        {
            string? wrong = answer.Status == 429 ? LoadErrors.WrongForm(one.Route, answer) : $"status {answer.Status}";
            if (wrong is not null)
                throw new LoadFailureException($"{wrong} for {one.Route} {Shown(one.Body.ToJsonString())}: {Shown(answer.Body)}");
            result.Count($"{kind}: 429");
            return;
        }
        if (one.Wrong(answer.Body) is string what)
            throw new LoadFailureException($"{one.Route} {Shown(one.Body.ToJsonString())}: {Shown(what)}");
        result.Count($"{kind}: right");
    }

    /// <summary>A request must be refused, in its protocol's form.</summary>
    /// <param name="kind">What was wrong.</param>
    /// <param name="route">The route.</param>
    /// <param name="body">The body.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="mayBeRight">Whether it may be answered as well.</param>
    /// <param name="statuses">The right statuses; none: any from 400 to 499.</param>
    public void RequireRefused(string kind, string route, string body, RawAnswer answer, bool mayBeRight = false, params ReadOnlySpan<int> statuses)
    {
        string? wrong = mayBeRight && answer.Status == 200 ? null
            : statuses.Length > 0 && answer.Status != 429 && !statuses.Contains(answer.Status) ? $"status {answer.Status}"
            : LoadErrors.WrongForm(route, answer);
        if (wrong is not null)
            throw new LoadFailureException($"{wrong} for {route} {Shown(body)}: {Shown(answer.Body)}");
        result.Count($"{kind}: {answer.Status}");
    }

    /// <summary>What HTTP itself does not allow has no protocol: 4xx, or a closed connection.</summary>
    public void RequireNoHttp(string kind, RawAnswer? answer)
    {
        if (answer is { Status: not (>= 400 and < 500) })
            throw new LoadFailureException($"status {answer.Status}: {Shown(answer.Body)}");
        result.Count($"{kind}: {answer?.Status.ToString() ?? "closed"}");
    }

    private static string Shown(string text) => text.Length <= 600 ? text : $"{text.AsSpan(0, 600)}…";
}
