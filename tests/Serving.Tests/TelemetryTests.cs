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

    [Test]
    public async Task Each_task_of_an_encoder_has_a_span_and_a_duration_by_its_name_and_batches_their_sizes()
    {
        using var fillMask = FillMaskPipeline.Load(Model("demo-fill-mask"), new PipelineOptions { ModelId = "read" });
        using var embed = SentenceEmbeddingPipeline.Create(fillMask);
        using var features = FeatureExtractionPipeline.Create(fillMask);
        using var classify = TextClassificationPipeline.Load(Model("demo-language-id"), new PipelineOptions { ModelId = "read" });
        using var tag = TokenClassificationPipeline.Load(Model("demo-tag"), new PipelineOptions { ModelId = "read" });
        PretrainedConfig oneLabel = fillMask.Model.Config with { Id2Label = new Dictionary<string, string> { ["0"] = "LABEL_0" } };
        using var model = PretrainedModels.FromConfig<ISequenceClassifier>(oneLabel, seed: 3) as PretrainedModel;
        using var rerank = RerankPipeline.Create(model!, fillMask.Tokenizer);
        await using var bodies = new EncoderEngine([fillMask, embed, features]);
        await using var others = new EncoderEngine([classify, tag, rerank]);
        using var seen = new Seen();

        using var outer = new Activity("outer");
        outer.Start();
        IReadOnlyList<TextEmbedding> made = await bodies.EmbedAsync(["a = b", "def f(x): return x", "c"]);
        IReadOnlyList<FloatTensor> vectors = await bodies.ExtractAsync(["a = b"]);
        await bodies.FillMaskAsync(["a = <mask>"]);
        await others.ClassifyAsync(["def f(): pass"]);
        await others.TagAsync(["mail ada@example.org"]);
        await others.RerankAsync("multiply", ["a * b", "a + b"]);
        Assert.That(Activity.Current, Is.SameAs(outer));
        string ranked = rerank.ModelId;
        Assert.That(seen.Spans.Select(span => span.DisplayName), Is.EqualTo(new[]
        {
            "embeddings read", "feature_extraction read", "fill_mask read", "text_classification read", "token_classification read",
            $"text_ranking {ranked}",
        }));
        Assert.That(seen.Spans.Select(span => span.ParentId), Has.All.EqualTo(outer.Id));
        Assert.That(seen.Durations, Is.EqualTo(new[]
        {
            "embeddings", "feature_extraction", "fill_mask", "text_classification", "token_classification", "text_ranking",
        }));
        Assert.That(seen.Batches, Is.EqualTo(new[]
        {
            ("embeddings", 3), ("feature_extraction", 1), ("fill_mask", 1), ("text_classification", 1), ("token_classification", 1), ("text_ranking", 2),
        }));
        Activity[] spans = [.. seen.Spans];
        Assert.That(spans[0].GetTagItem("gen_ai.usage.input_tokens"), Is.EqualTo(made.Sum(one => (long)one.Tokens)));
        Assert.That(spans[0].GetTagItem("gen_ai.embeddings.dimension.count"), Is.EqualTo(embed.Dimensions));
        Assert.That(spans[1].GetTagItem("gen_ai.usage.input_tokens"), Is.EqualTo((long)vectors[0].Shape[1]));
        Assert.That(spans[2].GetTagItem("gen_ai.response.model"), Is.EqualTo("read"));
    }

    [Test]
    public async Task A_call_that_fails_or_is_cancelled_is_measured_once_with_its_error()
    {
        using var fillMask = FillMaskPipeline.Load(Model("demo-fill-mask"), new PipelineOptions { ModelId = "read" });
        await using var engine = new EncoderEngine([fillMask], new() { MaxBatchTexts = 1, MaxQueue = 1 });
        using var seen = new Seen();
        Assert.That(async () => await engine.FillMaskAsync(["no mask"]), Throws.TypeOf<ModelInputException>());
        using var cancel = new CancellationTokenSource();
        Task<IReadOnlyList<MaskedText>> many = engine.FillMaskAsync([.. Enumerable.Repeat("a = <mask>", 20_000)], cancellationToken: cancel.Token);
        Assert.That(() => engine.FillMaskAsync(["a = <mask>"]), Throws.TypeOf<EngineBusyException>());
        await cancel.CancelAsync();
        Assert.That(many.IsCanceled);
        Assert.That(seen.Spans.Select(span => span.GetTagItem("error.type")), Is.EqualTo(new[]
        {
            typeof(ModelInputException).FullName, typeof(EngineBusyException).FullName, typeof(OperationCanceledException).FullName,
        }));
        Assert.That(seen.Spans.Select(span => span.Status), Has.All.EqualTo(ActivityStatusCode.Error));
        Assert.That(seen.Durations, Has.Count.EqualTo(3));
    }

    private static string Model(string name) => Path.Combine(RepositoryRoot.Path, "models", name);

    /// <summary>Spans, durations and batches, in the order of their ends.</summary>
    private sealed class Seen : IDisposable
    {
        private readonly ActivityListener _spans;
        private readonly MeterListener _meters = new();

        public Seen()
        {
            _spans = new ActivityListener
            {
                ShouldListenTo = source => source.Name == ModelTelemetry.Name,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
                ActivityStopped = Spans.Enqueue,
            };
            ActivitySource.AddActivityListener(_spans);
            _meters.InstrumentPublished = (instrument, on) =>
            {
                if (instrument.Name is "gen_ai.server.request.duration" or "managed_transformers.batch.size")
                    on.EnableMeasurementEvents(instrument);
            };
            _meters.SetMeasurementEventCallback<double>((_, _, tags, _) => Durations.Enqueue(OperationOf(tags)));
            _meters.SetMeasurementEventCallback<int>((_, texts, tags, _) => Batches.Enqueue((OperationOf(tags), texts)));
            _meters.Start();
        }

        public ConcurrentQueue<Activity> Spans { get; } = new();
        public ConcurrentQueue<string> Durations { get; } = new();
        public ConcurrentQueue<(string Operation, int Texts)> Batches { get; } = new();

        public void Dispose()
        {
            _spans.Dispose();
            _meters.Dispose();
        }

        private static string OperationOf(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            (string)tags.ToArray().Single(tag => tag.Key == "gen_ai.operation.name").Value!;
    }
}
