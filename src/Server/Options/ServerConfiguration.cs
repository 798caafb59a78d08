using ManagedTransformers.Extensions.AI;
using ManagedTransformers.Kernels;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace ManagedTransformers.Server;

/// <summary>Options of a server from a configuration: appsettings.json, environment variables such as <c>ManagedTransformers__Models__0</c>.</summary>
public static class ServerConfiguration
{
    /// <summary>The section that <c>mtx serve</c> reads.</summary>
    public const string SectionName = "ManagedTransformers";

    /// <summary>Reads all members of <see cref="ServerOptions"/>, by their names. Times are <c>hh:mm:ss</c>; a list is an array, or one text.</summary>
    /// <param name="section">A section; what it does not say, and a section that is not there, gives the defaults.</param>
    /// <exception cref="OptionsValidationException">A key is unknown, or a value is none; the message has all of them, with their paths.</exception>
    public static ServerOptions GetServerOptions(this IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        List<string> errors = [];
        var keys = new ConfigurationKeys(section, errors);
        ServerOptions options = Read(keys, errors);
        keys.RefuseOthers();
        return errors.Count == 0 ? options : throw new OptionsValidationException(SectionName, typeof(ServerOptions), errors);
    }

    private static ServerOptions Read(ConfigurationKeys keys, List<string> errors)
    {
        var defaults = new ServerOptions();
        return new ServerOptions
        {
            Models = keys.TextList("Models") ?? [],
            Preload = keys.Flag("Preload") ?? defaults.Preload,
            ApiKeys = keys.TextList("ApiKeys") ?? [],
            CorsOrigins = keys.TextList("CorsOrigins") ?? [],
            MaxBodyBytes = keys.Bytes("MaxBodyBytes", 1) ?? defaults.MaxBodyBytes,
            MaxInputs = keys.Count("MaxInputs") ?? defaults.MaxInputs,
            RequestTimeout = keys.Time("RequestTimeout"),
            MemoryBytes = keys.Bytes("MemoryBytes", 1),
            LogTexts = keys.Flag("LogTexts") ?? defaults.LogTexts,
            Pipeline = keys.Nested("Pipeline", new ModelConfiguration(errors).Pipeline) ?? defaults.Pipeline,
            Generation = keys.Nested("Generation", Generation) ?? defaults.Generation,
            Encoder = keys.Nested("Encoder", Encoder) ?? defaults.Encoder,
        };
    }

    private static GenerationEngineOptions Generation(ConfigurationKeys keys)
    {
        var defaults = new GenerationEngineOptions();
        return new GenerationEngineOptions
        {
            MaxRows = keys.Count("MaxRows") ?? defaults.MaxRows,
            MaxQueue = keys.Count("MaxQueue", 0) ?? defaults.MaxQueue,
            PromptTokensPerStep = keys.Count("PromptTokensPerStep", GenerationEngineOptions.LeastPromptTokensPerStep) ?? defaults.PromptTokensPerStep,
            CacheBytes = keys.Bytes("CacheBytes", 0),
            Deterministic = keys.Flag("Deterministic") ?? defaults.Deterministic,
            KeyValueType = keys.Enum<WeightType>("KeyValueType"),
        };
    }

    private static EncoderEngineOptions Encoder(ConfigurationKeys keys)
    {
        var defaults = new EncoderEngineOptions();
        return new EncoderEngineOptions
        {
            MaxBatchTokens = keys.Count("MaxBatchTokens") ?? defaults.MaxBatchTokens,
            MaxBatchTexts = keys.Count("MaxBatchTexts") ?? defaults.MaxBatchTexts,
            MaxQueue = keys.Count("MaxQueue", 0) ?? defaults.MaxQueue,
        };
    }
}
