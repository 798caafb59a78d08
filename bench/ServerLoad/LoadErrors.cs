using System.Text.Json;

namespace ManagedTransformers.Bench;

/// <summary>How refusals look in each protocol.</summary>
internal static class LoadErrors
{
    private const string OpenAI = "OpenAI", Llama = "llama.cpp", Hub = "Hugging Face", Cohere = "Cohere";

    /// <summary>What is wrong with a refusal; null: nothing.</summary>
    public static string? WrongForm(string route, RawAnswer answer)
    {
        if (answer.Status is < 400 or >= 500)
            return $"status {answer.Status}";
        if (answer.Status == 429 && !answer.Headers.ContainsKey("Retry-After"))
            return "429 without Retry-After";
        string[] right = ProtocolsOf(route.Split('?')[0]);
        string? found = FormOf(answer);
        return found is not null && right.Contains(found) ? null : $"the error's form is {found ?? "none"}, not {string.Join(" or ", right)}";
    }

    private static string? FormOf(RawAnswer answer)
    {
        try
        {
            JsonElement all = JsonElement.Parse(answer.Body);
            string keys = string.Join(' ', all.EnumerateObject().Select(one => one.Name));
            if (keys == "message")
                return Cohere;
            if (keys == "error error_type")
                return Hub;
            JsonElement error = all.GetProperty("error");
            string inside = string.Join(' ', error.EnumerateObject().Select(one => one.Name));
            return inside == "message type param code" ? OpenAI
                : inside.StartsWith("code message type", StringComparison.Ordinal) && error.GetProperty("code").GetInt32() == answer.Status ? Llama : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    // Routes that two protocols have: either, as the body looks.
    private static string[] ProtocolsOf(string route) => route switch
    {
        "/rerank" => [Hub, Cohere],
        "/v1/rerank" or "/v2/rerank" => [Cohere],
        "/tokenize" => [Llama, Hub],
        "/embeddings" => [Llama, OpenAI],
        "/completion" or "/completions" or "/infill" or "/detokenize" or "/embedding" or "/props" or "/slots" => [Llama],
        "/embed" or "/embed_all" or "/similarity" or "/predict" or "/decode" or "/info" or "/" => [Hub],
        _ when route.EndsWith("/v1/completions", StringComparison.Ordinal) => [OpenAI],
        _ when route.StartsWith("/models/", StringComparison.Ordinal) => [Hub],
        _ when route.StartsWith("/v1/", StringComparison.Ordinal) => [OpenAI],
        _ => [OpenAI, Llama, Hub, Cohere],
    };
}
