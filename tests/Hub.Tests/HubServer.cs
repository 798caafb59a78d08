using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Testing;

/// <summary>What a server was asked.</summary>
internal sealed record HubAsked(string Method, string Path, IReadOnlyDictionary<string, string> Headers)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}

/// <summary>What it answers. CutAfter: bytes of the body after which the connection ends, whatever Content-Length said.</summary>
internal sealed record HubAnswer(int Status, Dictionary<string, string> Headers, byte[] Body, int? CutAfter = null)
{
    /// <summary>What stands behind the status.</summary>
    public string Reason { get; init; } = "Answer";

    /// <summary>Whether the body comes again and again, and its length is not said.</summary>
    public bool Endless { get; init; }

    public static HubAnswer Error(int status, params (string Name, string Value)[] headers) => new(status, headers.ToDictionary(h => h.Name, h => h.Value), []);
}

/// <summary>
/// A hub on this machine: one model at one commit, answered as huggingface.co does. Small files come from the hub by a relative redirect,
/// large ones (LFS) by a redirect to another server. A test may answer before.
/// </summary>
internal sealed class HubServer : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly string _model;
    private readonly bool _isStore;

    public HubServer(string model) : this(model, isStore: false) => Store = new HubServer(model, isStore: true) { Files = Files };

    private HubServer(string model, bool isStore)
    {
        (_model, _isStore) = (model, isStore);
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    /// <summary>Where LFS files are, on another port.</summary>
    public HubServer? Store { get; }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Contents by name; those named *.safetensors or *.bin are in LFS.</summary>
    public Dictionary<string, byte[]> Files { get; private init; } = new(StringComparer.Ordinal);

    /// <summary>Everything that was asked, in order.</summary>
    public ConcurrentQueue<HubAsked> Asked { get; } = new();

    /// <summary>A test's own answer; null: the usual one.</summary>
    public Func<HubAsked, HubAnswer?> Answer { get; set; } = _ => null;

    /// <summary>How often the content of a file was asked for.</summary>
    public int Reads(string file) => Asked.Concat(Store!.Asked)
        .Count(asked => asked.Method == "GET" && asked.Path.EndsWith("/" + (IsLarge(file) ? Sha256(Files[file]) : file), StringComparison.Ordinal)
        && !asked.Path.Contains("/resolve/", StringComparison.Ordinal));

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

#pragma warning disable CA5350 // git's own
    public static string GitHash(byte[] content) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
#pragma warning restore CA5350

    public static string ChecksumOf(string file, byte[] content) => IsLarge(file) ? Sha256(content) : GitHash(content);

    public void Dispose()
    {
        _listener.Dispose();
        Store?.Dispose();
    }

    /// <summary>A content, or the part that is asked for.</summary>
    public static HubAnswer Content(HubAsked asked, byte[] content, bool ranges = true)
    {
        if (!ranges || asked.Header("Range") is not string range) return new HubAnswer(200, [], content);
        int from = int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture);
        return from < content.Length
            ? new HubAnswer(206, new() { ["Content-Range"] = $"bytes {from}-{content.Length - 1}/{content.Length}" }, content[from..])
            : HubAnswer.Error(416, ("Content-Range", $"bytes */{content.Length}"));
    }

    private static bool IsLarge(string file) => file.EndsWith(".safetensors", StringComparison.Ordinal) || file.EndsWith(".bin", StringComparison.Ordinal);

    private HubAnswer UsualAnswer(HubAsked asked)
    {
        if (_isStore)
            return Files.Values.FirstOrDefault(content => asked.Path.EndsWith("/" + Sha256(content), StringComparison.Ordinal)) is byte[] stored
                ? Content(asked, stored) : HubAnswer.Error(404);
        if (asked.Path == $"/api/models/{_model}/revision/main" || asked.Path == $"/api/models/{_model}/revision/{Commit}")
            return new HubAnswer(200, [],
                JsonSerializer.SerializeToUtf8Bytes(new { sha = Commit, siblings = Files.Keys.Select(name => new { rfilename = name }) }));
        if (asked.Path.StartsWith($"/api/models/{_model}/", StringComparison.Ordinal))
            return HubAnswer.Error(404, ("X-Error-Code", "RevisionNotFound"));
        if (asked.Path.StartsWith($"/{_model}/resolve/{Commit}/", StringComparison.Ordinal))
            return Resolve(asked.Path[$"/{_model}/resolve/{Commit}/".Length..]);
        if (asked.Path.StartsWith("/api/resolve-cache/", StringComparison.Ordinal)
            && Files.TryGetValue(asked.Path["/api/resolve-cache/".Length..], out byte[]? content))
        {
            HubAnswer answer = Content(asked, content);
            answer.Headers["ETag"] = $"\"{GitHash(content)}\"";
            answer.Headers["X-Repo-Commit"] = Commit;
            return answer;
        }
        return HubAnswer.Error(401, ("X-Error-Code", "RepoNotFound"), ("X-Error-Message", "Repository Not Found"));
    }

    private HubAnswer Resolve(string file)
    {
        if (!Files.TryGetValue(file, out byte[]? content)) return HubAnswer.Error(404, ("X-Error-Code", "EntryNotFound"));
        if (!IsLarge(file)) return HubAnswer.Error(307, ("Location", $"/api/resolve-cache/{file}"));
        return HubAnswer.Error(302, ("Location", $"{Store!.Address}/store/{Sha256(content)}"), ("X-Repo-Commit", Commit),
            ("X-Linked-Etag", $"\"{Sha256(content)}\""), ("X-Linked-Size", $"{content.Length}"));
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync();
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                HubAsked asked = await ReadAsync(stream);
                Asked.Enqueue(asked);
                HubAnswer answer = Answer(asked) ?? UsualAnswer(asked);
                var head = new StringBuilder($"HTTP/1.1 {answer.Status} {answer.Reason}\r\nConnection: close\r\n");
                if (!answer.Endless && !answer.Headers.ContainsKey("Content-Length"))
                    head.Append(CultureInfo.InvariantCulture, $"Content-Length: {answer.Body.Length}\r\n");
                foreach ((string name, string value) in answer.Headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
                await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()));
                while (answer.Endless && asked.Method == "GET") await stream.WriteAsync(answer.Body);
                if (asked.Method == "GET") await stream.WriteAsync(answer.Body.AsMemory(0, Math.Min(answer.CutAfter ?? int.MaxValue, answer.Body.Length)));
            }
            catch (IOException)
            {
                // The client went away.
            }
        }
    }

    private static async Task<HubAsked> ReadAsync(NetworkStream stream)
    {
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        string[] first = (await reader.ReadLineAsync() ?? throw new IOException("Nothing was asked.")).Split(' ');
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync() is { Length: > 0 } line)
            headers[line[..line.IndexOf(':', StringComparison.Ordinal)]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        return new HubAsked(first[0], Uri.UnescapeDataString(first[1]), headers);
    }
}
