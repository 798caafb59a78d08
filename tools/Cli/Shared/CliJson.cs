using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ManagedTransformers.Cli;

/// <summary>Results as JSON: one value on one line. The records next to each command are the schema; docs/cli.md explains it.</summary>
internal static class CliJson
{
    /// <summary>Writes one value and a line break.</summary>
    public static void Write<T>(CliConsole console, T value, JsonTypeInfo<T> type)
    {
        using (var stream = new TextStream(console.Out))
            JsonSerializer.Serialize(stream, value, type);
        console.Out.WriteLine();
    }
}

/// <summary>The source-generated contract: snake_case names, null where there is nothing, NaN and infinities as strings.</summary>
[JsonSerializable(typeof(ErrorResult))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(FillMaskResult))]
[JsonSerializable(typeof(ClassifyResult))]
[JsonSerializable(typeof(TagResult))]
[JsonSerializable(typeof(EmbedResult))]
[JsonSerializable(typeof(CorpusResult))]
[JsonSerializable(typeof(GenerateResult))]
[JsonSerializable(typeof(GenerationAnswer))]
[JsonSerializable(typeof(InfillResult))]
[JsonSerializable(typeof(InfillsResult))]
[JsonSerializable(typeof(SampleResult))]
[JsonSerializable(typeof(Sample))]
[JsonSerializable(typeof(MultiTurnSample))]
[JsonSerializable(typeof(SynthesizeResult))]
[JsonSerializable(typeof(ScoreResult))]
[JsonSerializable(typeof(QualityResult))]
[JsonSerializable(typeof(ExplainResult))]
[JsonSerializable(typeof(PlaygroundResult))]
[JsonSerializable(typeof(ServeResult))]
[JsonSerializable(typeof(NextSentenceResult))]
[JsonSerializable(typeof(RerankResult))]
[JsonSerializable(typeof(TokenizeResult))]
[JsonSerializable(typeof(DemoResult))]
[JsonSerializable(typeof(PullResult))]
[JsonSerializable(typeof(InspectResult))]
[JsonSerializable(typeof(ConvertResult))]
[JsonSerializable(typeof(ForwardResult))]
[JsonSerializable(typeof(VerifyResult))]
[JsonSerializable(typeof(TraceResult))]
[JsonSerializable(typeof(DiffResult))]
internal sealed partial class CliJsonContext : JsonSerializerContext
{
    /// <summary>Escapes only what JSON must escape: the output is UTF-8 for people and programs, never part of a web page.</summary>
    public static CliJsonContext Relaxed { get; } = new(new JsonSerializerOptions
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    });
}
