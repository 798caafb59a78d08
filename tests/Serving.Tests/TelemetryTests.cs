using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ManagedTransformers.Serving.Tests;

/// <summary>What engines measure of requests, with the names of OpenTelemetry's gen_ai conventions.</summary>
[NonParallelizable]
public sealed class TelemetryTests
{
    [Test]
    public async Task A_generation_has_a_span_and_three_durations()
    {
        using var generator = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-codegen"), new PipelineOptions { ModelId = "telemetry" });
        await using var engine = new GenerationEngine(generator);
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == ModelTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        var measured = new ConcurrentBag<string>();
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, on) =>
        {
            if (instrument.Meter.Name == ModelTelemetry.Name)
                on.EnableMeasurementEvents(instrument);
        };
        meters.SetMeasurementEventCallback<double>((instrument, _, tags, _) =>
        {
            if (tags.ToArray().Any(tag => tag is { Key: "gen_ai.request.model", Value: "telemetry" }))
                measured.Add(instrument.Name);
        });
        meters.Start();

        using var outer = new Activity("outer");
        outer.Start();
        var request = new GenerationRequest(generator.Encode("def f(")) { Options = new GenerationOptions { MaxNewTokens = 4, EosTokenId = [] } };
        await engine.GenerateAsync(request);
        Assert.That(Activity.Current, Is.SameAs(outer), "what the caller does next is not part of the request");
        Assert.That(measured, Is.EquivalentTo(new[]
        {
            "gen_ai.server.time_to_first_token", "gen_ai.server.time_per_output_token", "gen_ai.server.request.duration",
        }));
        Activity span = spans.Single(one => one.DisplayName == "text_completion telemetry");
        Assert.That(span.ParentId, Is.EqualTo(outer.Id));
        Assert.That(span.GetTagItem("gen_ai.usage.input_tokens"), Is.EqualTo(request.PromptIds.Count));
        Assert.That(span.GetTagItem("gen_ai.usage.output_tokens"), Is.EqualTo(4));

        await foreach (GenerationUpdate _ in engine.StreamAsync(request with { Options = new GenerationOptions { MaxNewTokens = 200, EosTokenId = [] } }))
            break;
        while (spans.Count < 2)
            await Task.Delay(1, CancellationToken.None);
        Assert.That(spans.Last().GetTagItem("error.type"), Is.EqualTo(typeof(OperationCanceledException).FullName), "the caller went away");
    }
}
