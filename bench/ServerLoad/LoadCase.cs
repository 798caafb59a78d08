using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ManagedTransformers.Bench;

/// <summary>A request whose right answer is known.</summary>
/// <param name="Route">Where it is posted.</param>
/// <param name="Body">Its JSON.</param>
/// <param name="Wrong">What is wrong with an answer's body; null: nothing.</param>
internal sealed record LoadCase(string Route, JsonObject Body, Func<string, string?> Wrong)
{
    private static readonly JsonSerializerOptions s_plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = true };

    /// <summary>The body, escaped or not.</summary>
    public string Text(Random random) => random.Next(2) == 0 ? Body.ToJsonString() : Body.ToJsonString(s_plain);

    /// <summary>A case whose answer has texts.</summary>
    public static LoadCase OfTexts(string route, JsonObject body, string[] texts, Func<JsonElement, IEnumerable<string>> read) =>
        new(route, body, answer => Differ(texts, [.. read(JsonElement.Parse(answer))]));

    /// <summary>A case whose answer is a stream, whose pieces make one text.</summary>
    public static LoadCase OfStream(string route, JsonObject body, string text, Func<JsonElement, string> read) =>
        new(route, body, answer => Differ([text], [string.Concat(Events(answer).Select(read))]));

    /// <summary>A case whose answer has vectors.</summary>
    public static LoadCase OfVectors(string route, JsonObject body, float[][] vectors, Func<JsonElement, IEnumerable<float[]>> read) =>
        new(route, body, answer => Differ(vectors, [.. read(JsonElement.Parse(answer))]));

    /// <summary>A case whose answer has scores of what has a name.</summary>
    public static LoadCase OfScores(
        string route, JsonObject body, IEnumerable<(string Name, float Score)> scores, Func<JsonElement, IEnumerable<(string Name, float Score)>> read)
    {
        (string Name, float Score)[] sorted = Sorted(scores);
        return new LoadCase(route, body, answer =>
        {
            (string Name, float Score)[] got = Sorted(read(JsonElement.Parse(answer)));
            return Differ([.. sorted.Select(one => one.Name)], [.. got.Select(one => one.Name)])
                ?? Differ([[.. sorted.Select(one => one.Score)]], [[.. got.Select(one => one.Score)]]);
        });
    }

    public static float[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(one => one.GetSingle())];

    private static (string Name, float Score)[] Sorted(IEnumerable<(string Name, float Score)> scores) =>
        [.. scores.OrderBy(one => one.Name, StringComparer.Ordinal)];

    private static IEnumerable<JsonElement> Events(string stream) => stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
        .Where(line => line.StartsWith("data: {", StringComparison.Ordinal)).Select(line => JsonElement.Parse(line["data: ".Length..]));

    private static string? Differ(string[] right, string[] got) => right.SequenceEqual(got) ? null
        : $"right is {JsonSerializer.Serialize(right)}, the answer has {JsonSerializer.Serialize(got)}";

    private static string? Differ(float[][] right, float[][] got)
    {
        const float Tolerance = 1e-5f;
        if (right.Length != got.Length)
            return $"right are {right.Length} vectors, the answer has {got.Length}";
        for (int i = 0; i < right.Length; i++)
        {
            if (right[i].Length != got[i].Length)
                return $"vector {i} has {got[i].Length} numbers, not {right[i].Length}";
            for (int j = 0; j < right[i].Length; j++)
            {
                if (!(Math.Abs(right[i][j] - got[i][j]) <= Tolerance))
                    return $"number {j} of vector {i} is {got[i][j]}; right is {right[i][j]}";
            }
        }
        return null;
    }
}
