using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Bench;

/// <summary>The results as one JSON object on standard output: all lines, and the summary.</summary>
internal static class JsonReport
{
    private static readonly ReportJsonContext s_context = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    });

    public static void Write(IReadOnlyList<Measurement> results) =>
        Console.Out.WriteLine(JsonSerializer.Serialize(new Report(results, AreaSummary.Of(results)), s_context.Report));
}

/// <summary>What the JSON holds.</summary>
internal sealed record Report(IReadOnlyList<Measurement> Lines, IReadOnlyList<AreaSummary> Summary);

[JsonSerializable(typeof(Report))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;
