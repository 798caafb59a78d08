using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Bench;

/// <summary>The results as one JSON array on standard output.</summary>
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
        Console.Out.WriteLine(JsonSerializer.Serialize(results, s_context.IReadOnlyListMeasurement));
}

[JsonSerializable(typeof(IReadOnlyList<Measurement>))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;
