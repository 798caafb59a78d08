using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace ManagedTransformers.Bench;

/// <summary>What a client does: two times of three what is right, else one of many wrong things.</summary>
internal static class LoadFaults
{
    private const int ServerLimit = 8 << 20;

    private static readonly (int Weight, string Kind, Func<LoadClient, Random, CancellationToken, Task> Act)[] s_all =
    [
        (600, "right", RightAsync), (30, "request cut", CutRequestAsync), (40, "answer cut", CutAnswerAsync), (15, "read slowly", ReadSlowlyAsync),
        (15, "sent slowly", SendSlowlyAsync), (70, "broken JSON", BreakAsync), (90, "random types", RandomTypesAsync), (10, "deep nesting", NestAsync),
        (3, "huge body", HugeBodyAsync), (15, "wrong length", WrongLengthAsync), (20, "chunks", ChunksAsync), (5, "broken chunks", BrokenChunksAsync),
        (20, "unknown route", UnknownRouteAsync), (10, "wrong Content-Type", ContentTypeAsync), (20, "contradiction", ContradictAsync),
        (15, "pipelined", PipelineAsync), (10, "HTTP/1.0", OldAsync), (8, "no HTTP", NoHttpAsync), (4, "connections", ConnectAsync), (20, "GET", GetAsync),
    ];

    private static readonly int s_weights = s_all.Sum(one => one.Weight);

    /// <summary>Draws one.</summary>
    public static (string Kind, Func<LoadClient, Random, CancellationToken, Task> Act) Some(Random random)
    {
        int at = random.Next(s_weights), i = 0;
        while (at >= s_all[i].Weight)
            at -= s_all[i++].Weight;
        return (s_all[i].Kind, s_all[i].Act);
    }

    private static async Task RightAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        LoadCase one = client.Case(random);
        string headers = random.Next(10) == 0 ? "Expect: 100-continue\r\n" : "Content-Type: application/json\r\n";
        client.RequireRight("right", one, await client.AskAsync(LoadClient.Bytes(one, random, headers), cancellationToken).ConfigureAwait(false));
    }

    private static async Task CutRequestAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        using RawConnection connection = await RawConnection.OpenAsync(client.Server, cancellationToken).ConfigureAwait(false);
        byte[] bytes = LoadClient.Bytes(client.Case(random), random);
        await connection.SendAsync(bytes.AsMemory(0, random.Next(bytes.Length)), cancellationToken).ConfigureAwait(false);
        await Task.Delay(random.Next(10), cancellationToken).ConfigureAwait(false);
        if (random.Next(2) == 0)
            connection.Cut();
        client.Count("request cut: done");
    }

    private static async Task CutAnswerAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        using RawConnection connection = await RawConnection.OpenAsync(client.Server, cancellationToken).ConfigureAwait(false);
        await connection.SendAsync(LoadClient.Bytes(client.Case(random), random, "Connection: close\r\n"), cancellationToken).ConfigureAwait(false);
        await connection.SkipAsync(random.Next(3) == 0 ? 0 : random.Next(3000), cancellationToken).ConfigureAwait(false);
        if (random.Next(2) == 0)
            connection.Cut();
        client.Count("answer cut: done");
    }

    private static async Task ReadSlowlyAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        int reads = 0, pause = random.Next(2, 10);
        using RawConnection connection = await RawConnection.OpenAsync(client.Server, cancellationToken, async () =>
        {
            if (++reads == pause)
                await Task.Delay(random.Next(2000), cancellationToken).ConfigureAwait(false);
            else if (reads < 50)
                await Task.Delay(random.Next(10), cancellationToken).ConfigureAwait(false);
        }).ConfigureAwait(false);
        LoadCase one = client.Case(random);
        await connection.SendAsync(LoadClient.Bytes(one, random), cancellationToken).ConfigureAwait(false);
        RawAnswer answer = await connection.ReadAsync(cancellationToken).ConfigureAwait(false) ?? throw new LoadFailureException("no answer");
        client.RequireRight("read slowly", one, answer);
    }

    private static async Task SendSlowlyAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        using RawConnection connection = await RawConnection.OpenAsync(client.Server, cancellationToken).ConfigureAwait(false);
        LoadCase one = client.Case(random);
        byte[] bytes = LoadClient.Bytes(one, random);
        int part = Math.Max(1, bytes.Length / random.Next(1, 40));
        foreach (byte[] some in bytes.Chunk(part))
        {
            await connection.SendAsync(some, cancellationToken).ConfigureAwait(false);
            await Task.Delay(random.Next(15), cancellationToken).ConfigureAwait(false);
        }
        RawAnswer answer = await connection.ReadAsync(cancellationToken).ConfigureAwait(false) ?? throw new LoadFailureException("no answer");
        client.RequireRight("sent slowly", one, answer);
    }

    // A byte less, more or another one; or an end too early. It may still be JSON, and then has any answer.
    private static async Task BreakAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        LoadCase one = client.Case(random);
        List<byte> body = [.. Encoding.UTF8.GetBytes(one.Text(random))];
        for (int i = 1 + random.Next(3); i > 0 && body.Count > 0; i--)
        {
            int at = random.Next(body.Count);
            switch (random.Next(5))
            {
                case 0: body.RemoveAt(at); break;
                case 1: body.Insert(at, (byte)random.Next(256)); break;
                case 2: body[at] = (byte)random.Next(256); break;
                case 3: body.InsertRange(at, Encoding.ASCII.GetBytes(random.Next(2) == 0 ? "\\ud800" : "\\u0000")); break;
                default: body.RemoveRange(at, body.Count - at); break;
            }
        }
        RawAnswer answer = await client.AskAsync(LoadClient.Bytes(one.Route, [.. body]), cancellationToken).ConfigureAwait(false);
        client.RequireRefused("broken JSON", one.Route, Encoding.UTF8.GetString([.. body]), answer, mayBeRight: true);
    }

    private static async Task RandomTypesAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        (string route, string body) = LoadFields.Some(random);
        RawAnswer answer = await client.AskAsync(LoadClient.Bytes(route, Encoding.UTF8.GetBytes(body)), cancellationToken).ConfigureAwait(false);
        client.RequireRefused("random types", route, body, answer, mayBeRight: true);
    }

    private static async Task NestAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        string route = client.Case(random).Route, open = random.Next(2) == 0 ? "[" : "{\"a\":";
        string body = string.Concat(Enumerable.Repeat(open, random.Next(40, 50_000)));
        RawAnswer answer = await client.AskAsync(LoadClient.Bytes(route, Encoding.UTF8.GetBytes(body)), cancellationToken).ConfigureAwait(false);
        client.RequireRefused("deep nesting", route, body, answer);
    }

    // The server may close while the body is still being sent; then the answer is lost to some clients.
    private static async Task HugeBodyAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        string route = client.Case(random).Route;
        byte[] body = Encoding.UTF8.GetBytes($"{{\"prompt\": \"{new string('x', ServerLimit)}\"}}");
        byte[] bytes = random.Next(2) == 0 ? LoadClient.Bytes(route, body)
            : [.. LoadClient.Bytes(route, null, "Transfer-Encoding: chunked\r\n"), .. Chunk(body), .. "0\r\n\r\n"u8];
        RawAnswer? answer = await client.TryAsync(bytes, end: false, cancellationToken).ConfigureAwait(false);
        if (answer is null)
            client.Count("huge body: closed");
        else
            client.RequireRefused("huge body", route, "8 MiB", answer, mayBeRight: false, 413);
    }

    private static async Task WrongLengthAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        LoadCase one = client.Case(random);
        byte[] body = Encoding.UTF8.GetBytes(one.Text(random));
        string lengths = random.Next(6) switch
        {
            0 => $"Content-Length: {body.Length + random.Next(1, 1000)}\r\n",
            1 => $"Content-Length: {random.Next(body.Length)}\r\n",
            2 => "Content-Length: -1\r\n",
            3 => "Content-Length: many\r\n",
            4 => $"Content-Length: {body.Length}\r\nContent-Length: {body.Length - 1}\r\n",
            _ => "Content-Length: 99999999999999999999\r\n",
        };
        byte[] bytes = [.. LoadClient.Bytes(one.Route, null, lengths), .. body];
        client.RequireNoHttp("wrong length", await client.TryAsync(bytes, end: true, cancellationToken).ConfigureAwait(false));
    }

    private static async Task ChunksAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        LoadCase one = client.Case(random);
        byte[] body = Encoding.UTF8.GetBytes(one.Text(random));
        int size = Math.Max(random.Next(1, body.Length + 1), body.Length / 50);
        byte[] bytes =
            [.. LoadClient.Bytes(one.Route, null, "Transfer-Encoding: chunked\r\n"), .. body.Chunk(size).SelectMany(Chunk), .. "0\r\n\r\n"u8];
        client.RequireRight("chunks", one, await client.AskAsync(bytes, cancellationToken).ConfigureAwait(false));
    }

    private static async Task BrokenChunksAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        string chunk = random.Next(3) switch { 0 => "zz\r\n{}\r\n", 1 => "fffffffffffffffff\r\n{}", _ => "5\r\n{}" };
        byte[] bytes = [.. LoadClient.Bytes(client.Case(random).Route, null, "Transfer-Encoding: chunked\r\n"), .. Encoding.ASCII.GetBytes(chunk)];
        client.RequireNoHttp("broken chunks", await client.TryAsync(bytes, end: true, cancellationToken).ConfigureAwait(false));
    }

    private static async Task UnknownRouteAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        string[] methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
        (string method, string route, string body) = random.Next(4) switch
        {
            0 => ("POST", "/v1/completions", """{"model": "gpt-4", "prompt": "a"}"""),
            1 => ("POST", "/models/nobody/knows", """{"inputs": "a"}"""),
            2 => (methods[random.Next(methods.Length)], $"/v1/{(char)random.Next('a', 'z')}{random.Next()}?x=%00&y=%ff", "{}"),
            _ => (methods[random.Next(2, methods.Length)], client.Case(random).Route, "{}"),
        };
        byte[] bytes = LoadClient.Bytes(route, Encoding.UTF8.GetBytes(body), method: method);
        RawAnswer answer = await client.AskAsync(bytes, cancellationToken).ConfigureAwait(false);
        string form = method == "POST" && !route.Contains('?', StringComparison.Ordinal) ? route : "any";
        client.RequireRefused("unknown route", form, $"{method} {route}", answer, mayBeRight: false, 404, 405);
    }

    private static async Task ContentTypeAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        string[] types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png", "…"];
        LoadCase one = client.Case(random);
        byte[] bytes = LoadClient.Bytes(one, random, $"Content-Type: {types[random.Next(types.Length - 1)]}\r\n");
        client.RequireRight("wrong Content-Type", one, await client.AskAsync(bytes, cancellationToken).ConfigureAwait(false));
    }

    private static readonly (string Route, string Body, int Status)[] s_contradictions =
    [
        ("/v1/completions", """{"prompt": "a", "n": 3, "best_of": 2}""", 400),
        ("/v1/completions", """{"prompt": "a", "best_of": 2, "stream": true}""", 400),
        ("/v1/completions", """{"prompt": [1, 2], "suffix": "b"}""", 400),
        ("/v1/completions", """{"prompt": "a", "min_tokens": 9, "max_tokens": 2}""", 400),
        ("/v1/completions", """{"prompt": "a", "prompt": "b"}""", 400), ("/v1/completions", """{"prompt": "a", "max_tokens": 100000}""", 400),
        ("/v1/completions", $$"""{"prompt": "{{new string('(', 20_000)}}"}""", 400), ("/v1/completions", """{"prompt": [8192]}""", 400),
        ("/v1/completions", """{"prompt": [-5]}""", 400), ("/v1/completions", """{"prompt": "a", "logit_bias": {"8192": 1}}""", 400),
        ("/v1/completions", """{"prompt": "a", "model": "demo-embed"}""", 400),
        ("/v1/completions", """{"prompt": "a", "stop": ["1", "2", "3", "4", "5"]}""", 400),
        ("/completion", """{"prompt": "a", "n_predict": 1, "max_tokens": 2}""", 400), ("/completion", """{"prompt": [99999]}""", 400),
        ("/completion", $$"""{"prompt": "{{string.Concat(Enumerable.Repeat("x = y\\n", 2000))}}"}""", 400),
        ("/completion", """{"prompt": "a", "n_cmpl": 1000}""", 400),
        ("/detokenize", """{"tokens": [-1]}""", 400),
        ("/embedding", $$"""{"content": "{{string.Concat(Enumerable.Repeat("x = y\\n", 1000))}}"}""", 400),
        ("/v1/embeddings", """{"input": [[1, 2]]}""", 400), ("/v1/embeddings", """{"input": "a", "dimensions": 5000}""", 400),
        ("/v1/embeddings", """{"input": []}""", 400),
        ("/embed", """{"inputs": []}""", 400), ("/embed", """{"inputs": "a", "truncation_direction": "Left"}""", 422),
        ("/embed", """{"inputs": [1, 99999]}""", 422),
        ("/predict", """{"inputs": ["a", "b", "c"], "model": "demo-language-id"}""", 422), ("/decode", """{"ids": [99999], "model": "demo-embed"}""", 422),
        ("/embed", """{"inputs": "a", "model": "demo-codegen"}""", 424), ("/rerank", """{"query": "", "texts": ["a"]}""", 400),
        ("/v1/rerank", """{"query": "a", "documents": []}""", 400), ("/models/demo-codegen", """{"inputs": "a", "parameters": {"best_of": 2}}""", 422),
        ("/models/demo-codegen", """{"inputs": "a", "parameters": {"max_new_tokens": 9999}}""", 422),
        ("/models/demo-fill-mask", """{"inputs": "no mask"}""", 422),
        ("/models/demo-embed/pipeline/nothing", """{"inputs": "a"}""", 404), ("/models/demo-tag", """{"inputs": []}""", 422),
    ];

    private static async Task ContradictAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        (string route, string body, int status) = s_contradictions[random.Next(s_contradictions.Length)];
        RawAnswer answer = await client.AskAsync(LoadClient.Bytes(route, Encoding.UTF8.GetBytes(body)), cancellationToken).ConfigureAwait(false);
        client.RequireRefused("contradiction", route, body, answer, mayBeRight: false, status);
    }

    private static async Task PipelineAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        using RawConnection connection = await RawConnection.OpenAsync(client.Server, cancellationToken).ConfigureAwait(false);
        LoadCase[] all = [.. Enumerable.Range(0, random.Next(2, 6)).Select(_ => client.Case(random))];
        Task sending = connection.SendAsync(all.SelectMany(one => LoadClient.Bytes(one, random)).ToArray(), cancellationToken);
        foreach (LoadCase one in all)
        {
            RawAnswer answer = await connection.ReadAsync(cancellationToken).ConfigureAwait(false) ?? throw new LoadFailureException("no answer");
            client.RequireRight("pipelined", one, answer);
        }
        await sending.ConfigureAwait(false);
    }

    private static async Task OldAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        LoadCase one = client.Case(random);
        RawAnswer? answer = await client.TryAsync(LoadClient.Bytes(one, random, version: "1.0"), end: false, cancellationToken).ConfigureAwait(false);
        client.RequireRight("HTTP/1.0", one, answer ?? throw new LoadFailureException("no answer"));
    }

    private static async Task NoHttpAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        byte[] noise = new byte[random.Next(1, 2000)];
        random.NextBytes(noise);
        byte[] bytes = random.Next(5) switch
        {
            0 => LoadClient.Bytes("/health", null, $"X-Large: {new string('x', 40_000)}\r\n", method: "GET"),
            1 => LoadClient.Bytes("/health", null, string.Concat(Enumerable.Range(0, 300).Select(i => $"X-{i}: 1\r\n")), method: "GET"),
            2 => LoadClient.Bytes($"/{new string('x', 20_000)}", null, method: "GET"),
            3 => [.. "GET /health HTTP/9.9\r\nHost: x\r\n\r\n"u8],
            _ => [.. noise, .. "\r\n\r\n"u8],
        };
        RawAnswer? answer = await client.TryAsync(bytes, end: true, cancellationToken).ConfigureAwait(false);
        // 505: the version of HTTP, which is the server's own answer.
        if (answer?.Status == 505)
            client.Count("no HTTP: 505 of HTTP/9.9");
        else
            client.RequireNoHttp("no HTTP", answer);
    }

    private static async Task ConnectAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        RawConnection[] all = await Task.WhenAll(
            Enumerable.Range(0, random.Next(10, 60)).Select(_ => RawConnection.OpenAsync(client.Server, cancellationToken))).ConfigureAwait(false);
        foreach (RawConnection one in all)
        {
            if (random.Next(2) == 0)
                one.Cut();
            one.Dispose();
        }
        client.Count("connections: done");
    }

    private static async Task GetAsync(LoadClient client, Random random, CancellationToken cancellationToken)
    {
        string[] routes =
            ["/v1/models", "/v1/models/demo-embed", "/health", "/readyz", "/livez", "/metrics", "/props", "/slots", "/info", "/copilot_internal/v2/token"];
        string route = routes[random.Next(routes.Length)];
        RawAnswer answer = await client.AskAsync(LoadClient.Bytes(route, null, method: "GET"), cancellationToken).ConfigureAwait(false);
        if (answer.Status != 200)
            throw new LoadFailureException($"GET {route} has status {answer.Status}: {answer.Body}");
        client.Count("GET: right");
    }

    private static byte[] Chunk(byte[] part) =>
        [.. Encoding.ASCII.GetBytes(part.Length.ToString("x", CultureInfo.InvariantCulture)), .. "\r\n"u8, .. part, .. "\r\n"u8];
}
