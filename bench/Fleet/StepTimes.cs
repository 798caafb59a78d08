using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Bench;

/// <summary>The time of a pass that reads a part of a prompt.</summary>
/// <param name="Tokens">Tokens of the part.</param>
/// <param name="Cached">Tokens before it.</param>
/// <param name="Ms">Milliseconds.</param>
internal sealed record PromptTime(int Tokens, int Cached, double Ms);

/// <summary>The time of a pass that gives each of some rows a token.</summary>
/// <param name="Rows">Rows.</param>
/// <param name="Context">Tokens before, in each.</param>
/// <param name="Ms">Milliseconds.</param>
internal sealed record DecodeTime(int Rows, int Context, double Ms);

/// <summary>How long an engine's passes take, as measured: what stands in place of a model in a simulated fleet.</summary>
internal sealed record StepTimes
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public required string Model { get; init; }

    public required string Machine { get; init; }

    /// <summary>Parts of several lengths without anything before, and one with it.</summary>
    public required IReadOnlyList<PromptTime> Prompt { get; init; }

    /// <summary>Several numbers of rows at one context, and one of them at a longer one.</summary>
    public required IReadOnlyList<DecodeTime> Decode { get; init; }

    private double MsPerPromptPair { get => field >= 0 ? field : field = Rise(Prompt.Select(one => (one.Tokens, one.Cached, one.Ms))); } = -1;

    private double MsPerKey { get => field >= 0 ? field : field = Rise(Decode.Select(one => (one.Rows, one.Context, one.Ms))); } = -1;

    /// <exception cref="InvalidDataException">The file has no times.</exception>
    public static StepTimes Read(string path)
    {
        StepTimes times = JsonSerializer.Deserialize<StepTimes>(File.ReadAllText(path), s_json)
            ?? throw new InvalidDataException($"{path} is null; times of steps are needed. Write them with: fleet --measure {path}");
        if (times.Prompt.Count == 0 || times.Decode.Count == 0)
            throw new InvalidDataException($"{path} has {times.Prompt.Count} times of prompts and {times.Decode.Count} of decoding; one of each is needed at " +
                $"least. Write them with: fleet --measure {path}");
        return times;
    }

    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, s_json) + "\n");

    /// <summary>Seconds to read a part of a prompt.</summary>
    public double PromptSeconds(int tokens, int cached)
    {
        int least = Prompt.Min(one => one.Cached);
        double ms = Between([.. Prompt.Where(one => one.Cached == least).Select(one => (one.Tokens, one.Ms))], tokens);
        return (ms + MsPerPromptPair * tokens * (cached - least)) / 1000;
    }

    /// <summary>Seconds to give each row a token.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="keys">Tokens before, of all rows together.</param>
    public double DecodeSeconds(int rows, long keys)
    {
        int least = Decode.Min(one => one.Context);
        double ms = Between([.. Decode.Where(one => one.Context == least).Select(one => (one.Rows, one.Ms))], rows);
        return Math.Max(ms / 2, ms + MsPerKey * (keys - (long)rows * least)) / 1000;
    }

    // The straight line between the two nearest sizes; beyond the last one it goes on as between the last two.
    private static double Between((int Size, double Ms)[] points, int size)
    {
        Array.Sort(points);
        if (points.Length == 1)
            return points[0].Ms * size / points[0].Size;
        int next = Math.Clamp(Array.FindIndex(points, one => one.Size >= size) is >= 0 and int found ? found : points.Length - 1, 1, points.Length - 1);
        ((int a, double from), (int b, double to)) = (points[next - 1], points[next]);
        return Math.Max(from / 2, from + (to - from) * (size - a) / (b - a));
    }

    // Milliseconds for each token before each token or row of the pass: from passes of one size after little and after much.
    private static double Rise(IEnumerable<(int Size, int Before, double Ms)> points)
    {
        var same = points.GroupBy(one => one.Size).MaxBy(group => group.Max(one => one.Before) - group.Min(one => one.Before))!;
        (var little, var much) = (same.MinBy(one => one.Before), same.MaxBy(one => one.Before));
        return much.Before == little.Before ? 0 : Math.Max(0, (much.Ms - little.Ms) / same.Key / (much.Before - little.Before));
    }
}
