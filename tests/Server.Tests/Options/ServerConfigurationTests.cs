using ManagedTransformers.Kernels;
using ManagedTransformers.Serving;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace ManagedTransformers.Server.Tests;

/// <summary>Options of a server from appsettings.json and the environment.</summary>
public sealed class ServerConfigurationTests
{
    [Test]
    public void Every_option_can_be_said()
    {
        ServerOptions options = Read("""
            {"Models": ["a", "org/b"], "Preload": true, "ApiKeys": "one", "CorsOrigins": ["http://localhost:3000"], "MaxBodyBytes": 1000, "MaxInputs": 8,
             "RequestTimeout": "00:01:30", "MemoryBytes": 4000000000, "LogTexts": true,
             "Pipeline": {"Load": {"WeightFormat": "Int8", "Kernels": {"MaxThreads": 3}}},
             "Generation": {"MaxRows": 4, "MaxQueue": 0, "PromptTokensPerStep": 64, "CacheBytes": 0, "Deterministic": false, "KeyValueType": "F16"},
             "Encoder": {"MaxBatchTokens": 100, "MaxBatchTexts": 5, "MaxQueue": 7}}
            """);
        Assert.That(options.Models, Is.EqualTo(new[] { "a", "org/b" }));
        Assert.That(options.ApiKeys, Is.EqualTo(new[] { "one" }), "a list of one may be a text");
        Assert.That(options.CorsOrigins, Is.EqualTo(new[] { "http://localhost:3000" }));
        Assert.That((options.Preload, options.LogTexts, options.MaxBodyBytes, options.MaxInputs, options.RequestTimeout, options.MemoryBytes),
            Is.EqualTo((true, true, 1000L, 8, (TimeSpan?)TimeSpan.FromSeconds(90), (long?)4_000_000_000)));
        Assert.That((options.Pipeline.Load.WeightFormat, options.Pipeline.Load.Kernels.MaxThreads), Is.EqualTo((WeightFormat.Int8, 3)));
        Assert.That(options.Generation, Is.EqualTo(new GenerationEngineOptions
        {
            MaxRows = 4, MaxQueue = 0, PromptTokensPerStep = 64, CacheBytes = 0, Deterministic = false, KeyValueType = WeightType.F16,
        }));
        Assert.That(options.Encoder, Is.EqualTo(new EncoderEngineOptions { MaxBatchTokens = 100, MaxBatchTexts = 5, MaxQueue = 7 }));
        string[] read = [.. typeof(ServerOptions).GetProperties().Select(property => property.Name)];
        Assert.That(read, Is.EquivalentTo(new[]
        {
            "Models", "Preload", "ApiKeys", "CorsOrigins", "MaxBodyBytes", "MaxInputs", "RequestTimeout", "MemoryBytes", "LogTexts", "Pipeline",
            "Generation", "Encoder",
        }), "an option that is new must be read as well, and be in this test");
    }

    [Test]
    public void What_is_not_said_keeps_its_default()
    {
        // Lists are equal only where they are the same one.
        string[] none = [];
        ServerOptions options = Read("{}"), defaults = new();
        Assert.That(options with { Models = none, ApiKeys = none, CorsOrigins = none },
            Is.EqualTo(defaults with { Models = none, ApiKeys = none, CorsOrigins = none }));
    }

    [TestCase("""{"Model": ["a"]}""", "Server:Model is no option; there are Models, ")]
    [TestCase("""{"MaxInputs": 0}""", """Server:MaxInputs is "0"; a whole number from 1 on is needed.""")]
    [TestCase("""{"RequestTimeout": "90"}""", """Server:RequestTimeout is "90"; a time such as 00:01:30 is needed.""",
        Description = "TimeSpan would read 90 days")]
    [TestCase("""{"Generation": {"PromptTokensPerStep": 16}}""", """Server:Generation:PromptTokensPerStep is "16"; a whole number from 17 on is needed.""")]
    [TestCase("""{"Generation": {"Rows": 4}}""", "Server:Generation:Rows is no option; there are MaxRows, ")]
    [TestCase("""{"ApiKeys": [""]}""", "Server:ApiKeys:0 is empty")]
    public void What_is_wrong_is_named_with_its_path(string json, string message)
    {
        OptionsValidationException error = Assert.Throws<OptionsValidationException>(() => Read(json))!;
        Assert.That(error.Message, Does.StartWith(message));
    }

    private static ServerOptions Read(string json)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes($$"""{"Server": {{json}}}"""));
        return new ConfigurationBuilder().AddJsonStream(stream).Build().GetSection("Server").GetServerOptions();
    }
}
