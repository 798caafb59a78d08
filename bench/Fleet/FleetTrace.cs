using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Bench;

/// <summary>A piece of prompts: prompts that have a piece of one name at one place have its tokens in common.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Tokens">How many of its first tokens.</param>
internal sealed record TracePiece(string Id, int Tokens);

/// <summary>A request of a trace; a line of its file.</summary>
/// <param name="Time">When it comes, in seconds.</param>
/// <param name="Kind">What it stands for, for people.</param>
/// <param name="Prompt">Its prompt, piece after piece.</param>
/// <param name="NewTokens">Tokens to generate.</param>
internal sealed record TraceRequest(double Time, string Kind, IReadOnlyList<TracePiece> Prompt, int NewTokens)
{
    [JsonIgnore]
    public int PromptTokens => Prompt.Sum(piece => piece.Tokens);

    /// <summary>Ids below <paramref name="vocabulary"/>: the same piece has the same ones.</summary>
    public int[] Ids(int vocabulary)
    {
        var ids = new int[PromptTokens];
        int place = 0;
        foreach (TracePiece piece in Prompt)
        {
            ulong seed = 14695981039346656037;                                     // FNV-1a
            foreach (char letter in piece.Id)
                seed = (seed ^ letter) * 1099511628211;
            for (int i = 0; i < piece.Tokens; i++)
            {
                ulong mixed = (seed + (ulong)i) * 0x9E3779B97F4A7C15;
                ids[place++] = (int)((mixed ^ (mixed >> 29)) % (ulong)vocabulary);
            }
        }
        return ids;
    }
}

/// <summary>Requests in the order in which they come, as lines of JSON: <c>{"time":1.5,"kind":"session","prompt":[{"id":"team-1","tokens":512},
/// {"id":"file-7","tokens":300}],"newTokens":32}</c>.</summary>
internal static class FleetTrace
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    /// <summary>The most tokens of a prompt and what follows it.</summary>
    public const int MostTokens = 1 << 14;

    /// <exception cref="InvalidDataException">A line is no request, or all come at time 0.</exception>
    public static TraceRequest[] Read(string path)
    {
        var requests = new List<TraceRequest>();
        foreach ((int number, string line) in File.ReadLines(path).Index())
        {
            if (line.Length > 0)
                requests.Add(Parse(line, $"{path} line {number + 1}"));
        }
        if (!requests.Exists(request => request.Time > 0))
            throw new InvalidDataException($"{path} has {requests.Count} requests, none after time 0; rates need a time above 0.");
        return [.. requests.OrderBy(request => request.Time)];
    }

    public static void Write(string path, IEnumerable<TraceRequest> requests) =>
        File.WriteAllLines(path, requests.Select(request => JsonSerializer.Serialize(request, s_json)));

    private static TraceRequest Parse(string line, string where)
    {
        const string Needed = "a line such as {\"time\":1.5,\"kind\":\"session\",\"prompt\":[{\"id\":\"team-1\",\"tokens\":512}],\"newTokens\":32} is needed";
        try
        {
            TraceRequest? request = JsonSerializer.Deserialize<TraceRequest>(line, s_json);
            bool isRight = request is { Time: >= 0, NewTokens: > 0, Prompt.Count: > 0 } && request.Prompt.All(piece => piece is { Id: not null, Tokens: > 0 });
            if (!isRight)
                throw new InvalidDataException($"{where} has a time below 0, no prompt, or no tokens; {Needed}.");
            long tokens = request!.Prompt.Sum(piece => (long)piece.Tokens) + request.NewTokens;
            return tokens <= MostTokens ? request
                : throw new InvalidDataException($"{where} has {tokens} tokens, new ones included; at most {MostTokens} can be.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{where}: {e.Message} {Needed}.", e);
        }
    }
}
