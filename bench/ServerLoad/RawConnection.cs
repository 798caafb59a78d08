using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ManagedTransformers.Bench;

/// <summary>An answer as it came.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Headers">The last of each name.</param>
/// <param name="Body">The body, without the framing of chunks.</param>
internal sealed record RawAnswer(int Status, IReadOnlyDictionary<string, string> Headers, string Body)
{
    /// <summary>Whether the server closes the connection after it.</summary>
    public bool IsLast => Headers.TryGetValue("Connection", out string? connection) && connection.Equals("close", StringComparison.OrdinalIgnoreCase);
}

/// <summary>HTTP/1.1 on a bare socket: what a client library would not send, and reading that stops anywhere.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[16 << 10];
    private int _start, _end;

    private RawConnection(Socket socket) => _socket = socket;

    /// <summary>The most bytes of one read.</summary>
    public int ReadSize { get; init; } = int.MaxValue;

    /// <summary>Waits before each read; null: no waiting.</summary>
    public Func<Task>? BeforeRead { get; init; }

    /// <param name="server">Where the server listens.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <param name="beforeRead">See <see cref="BeforeRead"/>; with it reads are small, and so is the socket's buffer.</param>
    public static async Task<RawConnection> OpenAsync(IPEndPoint server, CancellationToken cancellationToken, Func<Task>? beforeRead = null)
    {
        var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (beforeRead is not null)
            socket.ReceiveBufferSize = 2048;
        try
        {
            await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        return new RawConnection(socket) { BeforeRead = beforeRead, ReadSize = beforeRead is null ? int.MaxValue : 512 };
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
            bytes = bytes[await _socket.SendAsync(bytes, cancellationToken).ConfigureAwait(false)..];
    }

    /// <summary>Says that nothing more will be sent.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Closes the connection at once, with a reset.</summary>
    public void Cut()
    {
        _socket.LingerState = new LingerOption(enable: true, seconds: 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Reads some bytes, and forgets them; fewer where the server closes before.</summary>
    public async Task SkipAsync(int bytes, CancellationToken cancellationToken)
    {
        while (bytes > 0 && await FillAsync(cancellationToken).ConfigureAwait(false))
        {
            int taken = Math.Min(bytes, _end - _start);
            (_start, bytes) = (_start + taken, bytes - taken);
        }
    }

    /// <summary>The next answer; null: the server closed the connection before it began.</summary>
    /// <exception cref="IOException">It ends in the middle.</exception>
    public async Task<RawAnswer?> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await LineAsync(cancellationToken).ConfigureAwait(false) is not string first)
                return null;
            int status = int.Parse(first.Split(' ')[1], CultureInfo.InvariantCulture);
            var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            while (await RequiredLineAsync(cancellationToken).ConfigureAwait(false) is { Length: > 0 } line)
                headers[line[..line.IndexOf(':', StringComparison.Ordinal)]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
            if (status < 200)
                continue;
            var body = new MemoryStream();
            await ReadBodyAsync(headers, body, cancellationToken).ConfigureAwait(false);
            return new RawAnswer(status, headers, Encoding.UTF8.GetString(body.GetBuffer(), 0, (int)body.Length));
        }
    }

    private async Task ReadBodyAsync(Dictionary<string, string> headers, MemoryStream body, CancellationToken cancellationToken)
    {
        if (headers.TryGetValue("Content-Length", out string? length))
        {
            await TakeAsync(int.Parse(length, CultureInfo.InvariantCulture), body, cancellationToken).ConfigureAwait(false);
            return;
        }
        if (!headers.ContainsKey("Transfer-Encoding"))
        {
            while (await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                body.Write(_buffer, _start, _end - _start);
                _start = _end;
            }
            return;
        }
        while (Hex(await RequiredLineAsync(cancellationToken).ConfigureAwait(false)) is > 0 and int size)
        {
            await TakeAsync(size, body, cancellationToken).ConfigureAwait(false);
            await RequiredLineAsync(cancellationToken).ConfigureAwait(false);
        }
        await RequiredLineAsync(cancellationToken).ConfigureAwait(false);
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private async Task TakeAsync(int bytes, MemoryStream body, CancellationToken cancellationToken)
    {
        while (bytes > 0)
        {
            if (!await FillAsync(cancellationToken).ConfigureAwait(false))
                throw new IOException($"The answer's body lacks {bytes} bytes.");
            int taken = Math.Min(bytes, _end - _start);
            body.Write(_buffer, _start, taken);
            (_start, bytes) = (_start + taken, bytes - taken);
        }
    }

    private async Task<string> RequiredLineAsync(CancellationToken cancellationToken) =>
        await LineAsync(cancellationToken).ConfigureAwait(false) ?? throw new IOException("The answer ends in the middle.");

    private async Task<string?> LineAsync(CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        while (await FillAsync(cancellationToken).ConfigureAwait(false))
        {
            char next = (char)_buffer[_start++];
            if (next == '\n')
                return line.ToString().TrimEnd('\r');
            line.Append(next);
        }
        return line.Length == 0 ? null : throw new IOException("The answer ends in the middle of a line.");
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start < _end)
            return true;
        if (BeforeRead is not null)
            await BeforeRead().ConfigureAwait(false);
        Memory<byte> room = _buffer.AsMemory(0, Math.Min(ReadSize, _buffer.Length));
        (_start, _end) = (0, await _socket.ReceiveAsync(room, cancellationToken).ConfigureAwait(false));
        return _end > 0;
    }
}
