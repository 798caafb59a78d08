using System.Net;

namespace ManagedTransformers.Cli;

/// <summary>Serves the files of a folder to browsers of this computer, compressed where the folder has them so.</summary>
internal sealed class StaticFileServer : IDisposable
{
    private static readonly Dictionary<string, string> Types = new(StringComparer.OrdinalIgnoreCase)
    {
        [".html"] = "text/html; charset=utf-8", [".js"] = "text/javascript; charset=utf-8", [".css"] = "text/css; charset=utf-8",
        [".json"] = "application/json; charset=utf-8", [".wasm"] = "application/wasm",
    };

    private static readonly (string Encoding, string Extension)[] Compressions = [("br", ".br"), ("gzip", ".gz")];

    private readonly HttpListener _listener = new();
    private readonly string _root;

    /// <summary>Begins to listen.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="port">The port, of localhost alone.</param>
    /// <exception cref="IOException">The port is in use, or may not be used.</exception>
    public StaticFileServer(string folder, int port)
    {
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar;
        Address = $"http://localhost:{port}/";
        _listener.Prefixes.Add(Address);
        try
        {
            _listener.Start();
        }
        catch (HttpListenerException e)
        {
            throw new IOException($"Port {port} cannot be listened at: {e.Message.TrimEnd('.')}. Choose another one with --port N.", e);
        }
    }

    /// <summary>Where the folder's index.html is.</summary>
    public string Address { get; }

    /// <summary>Answers until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration stop = cancellationToken.Register(_listener.Abort);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                _ = AnswerAsync(await _listener.GetContextAsync().ConfigureAwait(false));
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException && cancellationToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    public void Dispose() => ((IDisposable)_listener).Dispose();

    private async Task AnswerAsync(HttpListenerContext context)
    {
        try
        {
            using HttpListenerResponse response = context.Response;
            if (context.Request.HttpMethod is not ("GET" or "HEAD"))
                response.StatusCode = (int)HttpStatusCode.MethodNotAllowed;
            else if (FileOf(context.Request.Url!) is string file)
                await SendAsync(file, context).ConfigureAwait(false);
            else
                response.StatusCode = (int)HttpStatusCode.NotFound;
        }
        catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException)
        {
            // The browser went away, or the server ends.
        }
    }

    /// <summary>The file of an address; null: the folder has none, or the address leads out of it.</summary>
    private string? FileOf(Uri address)
    {
        string path = Uri.UnescapeDataString(address.AbsolutePath).TrimStart('/');
        if (path.Contains('\0', StringComparison.Ordinal))
            return null;                                // no file has such a name, and GetFullPath refuses it
        string file = Path.GetFullPath(Path.Combine(_root, path.Length == 0 ? "index.html" : path));
        return file.StartsWith(_root, StringComparison.Ordinal) && File.Exists(file) ? file : null;
    }

    private static async Task SendAsync(string file, HttpListenerContext context)
    {
        HttpListenerResponse response = context.Response;
        response.ContentType = Types.GetValueOrDefault(Path.GetExtension(file), "application/octet-stream");
        // What was published anew is seen at once.
        response.Headers["Cache-Control"] = "no-cache";
        string[] accepted = [.. (context.Request.Headers["Accept-Encoding"] ?? "").Split(',').Select(one => one.Split(';')[0].Trim())];
        foreach ((string encoding, string extension) in Compressions)
        {
            // Not what an older publish left behind.
            if (!accepted.Contains(encoding) || !File.Exists(file + extension) || File.GetLastWriteTimeUtc(file + extension) < File.GetLastWriteTimeUtc(file))
                continue;
            response.Headers["Content-Encoding"] = encoding;
            file += extension;
            break;
        }
        await using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16, useAsync: true);
        response.ContentLength64 = stream.Length;
        if (context.Request.HttpMethod == "GET")
            await stream.CopyToAsync(response.OutputStream).ConfigureAwait(false);
    }
}
