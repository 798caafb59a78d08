using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>HTTP requests to encoders with many texts each, and their answers from a server that nothing disturbs.</summary>
/// <remarks>A text's company in a batch may change its last bits, and calls share batches where model and options are equal. So every caller has a model and
/// options of its own, and its answers are equal to the byte.</remarks>
internal sealed class EncoderWorkload
{
    private const int Callers = 12, Kinds = 4, RequestsOfCaller = 4;

    private readonly Request[] _requests;
    private readonly string[] _whole;

    private EncoderWorkload(Request[] requests, string[] whole) => (_requests, _whole) = (requests, whole);

    /// <summary>Directories of the models that are asked for.</summary>
    public static IReadOnlyList<string> Models { get; } =
        [.. new[] { "demo-embed", "demo-fill-mask", "demo-language-id" }.Select(name => Path.Combine(RepositoryRoot.Path, "models", name)), Fleet.Reranker];

    /// <summary>Makes the requests, and asks a plain server of this process for each.</summary>
    public static async Task<EncoderWorkload> CreateAsync(int seed = 1)
    {
        var random = new Random(seed);
        Request[] all = [.. Enumerable.Range(0, Callers * RequestsOfCaller).Select(i => Make(i % Callers, i / Callers, random))];
        (Microsoft.AspNetCore.Builder.WebApplication plain, HttpClient client) = await GatewayTests.StartAsync(_ => { }, Models);
        await using (plain)
        {
            using (client)
            {
                var whole = new string[all.Length];
                for (int i = 0; i < all.Length; i++)
                    whole[i] = await AskAsync(client, all[i]);
                Assert.That(whole, Has.All.StartsWith("200 ["));
                return new EncoderWorkload(all, whole);
            }
        }
    }

    /// <summary>Makes calls, each caller its requests again and again, and callers by one gateway or another.</summary>
    /// <returns>Answers that are not the undisturbed ones, by call.</returns>
    public async Task<ConcurrentDictionary<int, string>> RunAsync(int calls, IReadOnlyList<HttpClient> gateways, Action ended)
    {
        var wrong = new ConcurrentDictionary<int, string>();
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            for (int call = caller; call < calls; call += Callers)
            {
                int i = call % _requests.Length;
                string answer = await AskAsync(gateways[caller / Kinds % gateways.Count], _requests[i]);
                if (answer != _whole[i])
                    wrong.TryAdd(call, $"{_requests[i].Route}: {Difference(answer, _whole[i])}");
                ended();
            }
        })));
        return wrong;
    }

    // No other caller has its options. The first request for vectors has more of them than a message from a silo.
    private static Request Make(int caller, int turn, Random random)
    {
        int own = caller / Kinds;
        string[] texts = turn == 0 && caller % Kinds == 0
            ? [.. Enumerable.Range(0, 300).Select(i => $"x{i}")]
            : [.. Enumerable.Range(0, random.Next(8, 32)).Select(_ => Text(random))];
        return (caller % Kinds) switch
        {
            0 => new("/embed", new { model = "demo-embed", inputs = texts, dimensions = 16 + own }),
            1 => new("/models/demo-fill-mask", new { inputs = texts.Select(text => $"{text} return <mask>;"), parameters = new { top_k = 2 + own } }),
            2 => new("/models/demo-language-id", new { inputs = texts, parameters = new { top_k = 1 + own } }),
            _ => new("/rerank", new { model = Path.GetFileName(Fleet.Reranker), query = Text(random), texts, truncate = own != 1, raw_scores = own == 2 }),
        };
    }

    private static string Text(Random random) => $"def f{random.Next(1000)}(a, b): return a * {random.Next(1000)}";

    private static async Task<string> AskAsync(HttpClient client, Request request)
    {
        using var content = new StringContent(JsonSerializer.Serialize(request.Body), Encoding.UTF8, "application/json");
        try
        {
            using HttpResponseMessage answer = await client.PostAsync(new Uri(request.Route, UriKind.Relative), content);
            return $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}";
        }
        catch (HttpRequestException e)
        {
            return e.ToString();
        }
    }

    // Where two answers begin to differ.
    private static string Difference(string answer, string whole)
    {
        int same = answer.AsSpan().CommonPrefixLength(whole), from = Math.Max(0, same - 20);
        return $"{answer.Length} characters in place of {whole.Length}, from {same} on: {Some(answer)} in place of {Some(whole)}";
        string Some(string text) => text[from..Math.Min(text.Length, from + 200)];
    }

    private sealed record Request(string Route, object Body);
}
