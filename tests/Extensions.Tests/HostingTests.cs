using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using ManagedTransformers.Serving;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>Loading, warm-up, health, limits and telemetry of hosted models.</summary>
[NonParallelizable]
public sealed class HostingTests
{
    private static readonly HostedModelOptions s_lazy = new() { WarmUp = WarmUp.None };

    [Test]
    public async Task Loading_goes_through_its_stages_with_the_bytes_of_the_weights()
    {
        var progress = new Steps();
        using var model = new HostedPipeline<FillMaskPipeline>(Demo.FillMask, new HostedModelOptions { Progress = progress });
        Assert.That(model.State, Is.EqualTo(HostedModelState.NotLoaded));
        Task<FillMaskPipeline>[] askers = [.. Enumerable.Range(0, 4).Select(_ => model.GetAsync())];
        FillMaskPipeline[] pipelines = await Task.WhenAll(askers);
        Assert.That(pipelines.Distinct().Count(), Is.EqualTo(1));
        Assert.That((model.State, model.Name), Is.EqualTo((HostedModelState.Ready, "demo-fill-mask")));
        long bytes = new FileInfo(Path.Combine(Demo.FillMask, "model.safetensors")).Length;
        Assert.That(progress.All.Select(step => step.Stage).Distinct(),
            Is.EqualTo(new[] { ModelLoadStage.Reading, ModelLoadStage.Opening, ModelLoadStage.WarmingUp, ModelLoadStage.Ready }));
        Assert.That(progress.All.Where(step => step.Stage == ModelLoadStage.Reading).Select(step => step.BytesRead), Is.Ordered);
        Assert.That((progress.All.Last().BytesRead, progress.All.Last().TotalBytes), Is.EqualTo((bytes, bytes)));
    }

    [Test]
    public async Task A_model_that_could_not_be_loaded_is_tried_again()
    {
        string directory = Demo.Scratch();
        using var model = new HostedPipeline<TokenClassificationPipeline>(directory, s_lazy);
        Assert.That(async () => await model.GetAsync(), Throws.Exception.With.Message.Contains("has no tokenizer"));
        Assert.That((model.State, model.LoadError), Is.EqualTo((HostedModelState.Failed, model.LoadError)));
        Demo.CopyOf(Demo.Tag, directory);
        Assert.That((await model.GetAsync()).Tag("password = 'hunter2'"), Is.Not.Null);
        Assert.That((model.State, model.LoadError), Is.EqualTo((HostedModelState.Ready, (Exception?)null)));
    }

    [Test]
    public async Task Who_stops_waiting_for_a_model_does_not_stop_its_loading()
    {
        using var model = new HostedPipeline<FillMaskPipeline>(Demo.FillMask, s_lazy);
        Assert.That(async () => await model.GetAsync(new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await model.GetAsync(), Is.Not.Null);
    }

    [Test]
    public async Task A_model_that_changes_on_disk_is_noticed_and_named()
    {
        string directory = Demo.CopyOf(Demo.Embed);
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(directory, s_lazy, "code");
        services.AddLogging();
        services.AddHealthChecks().AddManagedTransformers();
        await using ServiceProvider provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("code");
        await generator.GenerateAsync(["x"]);
        File.AppendAllText(Path.Combine(directory, "README.md"), "not a part of the model");
        await generator.GenerateAsync(["x"]);
        File.AppendAllText(Path.Combine(directory, "1_Pooling", "config.json"), " ");
        Assert.That(async () => await generator.GenerateAsync(["x"]),
            Throws.TypeOf<ModelChangedException>().With.Message.Contains("code changed on disk")
                .And.Message.Contains(Path.Combine("1_Pooling", "config.json")));
        Assert.That(async () => await provider.GetRequiredKeyedService<HostedPipeline<SentenceEmbeddingPipeline>>("code").GetAsync(),
            Throws.TypeOf<ModelChangedException>());
        HealthReport report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        Assert.That(report.Entries["managed-transformers"].Status, Is.EqualTo(HealthStatus.Unhealthy));
        Assert.That(report.Entries["managed-transformers"].Description, Does.StartWith("code changed on disk: "));
        Assert.That(report.Entries["managed-transformers"].Data["code"], Is.EqualTo("Changed"));
    }

    [Test]
    public async Task A_file_of_a_model_that_is_deleted_is_a_change()
    {
        string directory = Demo.CopyOf(Demo.FillMask);
        using var model = new HostedPipeline<FillMaskPipeline>(directory, s_lazy);
        await model.GetAsync();
        Assert.That(model.FindChange(), Is.Null);
        File.Delete(Path.Combine(directory, "tokenizer.json"));
        Assert.That(model.FindChange(), Does.EndWith("is missing now"));
    }

    [Test]
    public async Task Health_follows_a_model_from_waiting_to_ready_and_to_what_went_wrong()
    {
        string broken = Demo.Scratch();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddManagedTransformersPipeline<FillMaskPipeline>(Demo.FillMask, serviceKey: "fill");
        services.AddManagedTransformersPipeline<TextScorer>(Demo.CodeGen, s_lazy, "lazy");
        services.AddManagedTransformersPipeline<TextGenerator>(broken, s_lazy, "broken");
        services.AddHealthChecks().AddManagedTransformers("models", HealthStatus.Degraded, ["ready"]);
        await using ServiceProvider provider = services.BuildServiceProvider();
        HealthReportEntry before = await CheckAsync(provider);
        Assert.That((before.Status, before.Description), Is.EqualTo((HealthStatus.Degraded, "fill waits to be loaded")));
        Assert.That(before.Tags, Is.EqualTo(new[] { "ready" }));
        await provider.GetRequiredKeyedService<HostedPipeline<FillMaskPipeline>>("fill").LoadAsync();
        HealthReportEntry ready = await CheckAsync(provider);
        Assert.That((ready.Status, ready.Data["fill"], ready.Data["lazy"]), Is.EqualTo((HealthStatus.Healthy, (object)"Ready", (object)"NotLoaded")));
        Assert.That(() => provider.GetRequiredKeyedService<TextGenerator>("broken"), Throws.Exception);
        HealthReportEntry after = await CheckAsync(provider);
        Assert.That((after.Status, after.Exception), Is.EqualTo(
            (HealthStatus.Degraded, provider.GetRequiredKeyedService<HostedPipeline<TextGenerator>>("broken").LoadError)));
        Assert.That(after.Description, Does.StartWith("broken could not be loaded: "));
    }

    [Test]
    public async Task A_host_starts_with_its_models_where_they_must_be_there_and_before_them_where_not()
    {
        using IHost host = Host(services =>
        {
            services.AddManagedTransformersPipeline<FillMaskPipeline>(Demo.FillMask, new HostedModelOptions { WarmUp = WarmUp.BeforeStart });
            services.AddManagedTransformersPipeline<TextClassificationPipeline>(Demo.LanguageId, new HostedModelOptions { WarmUp = WarmUp.Background });
            services.AddManagedTransformersPipeline<TextGenerator>(Demo.CodeGen, s_lazy);
        });
        await host.StartAsync();
        Assert.That(host.Services.GetRequiredService<HostedPipeline<FillMaskPipeline>>().State, Is.EqualTo(HostedModelState.Ready));
        var background = host.Services.GetRequiredService<HostedPipeline<TextClassificationPipeline>>();
        Assert.That(background.State, Is.Not.EqualTo(HostedModelState.NotLoaded).Or.EqualTo(HostedModelState.Ready));
        Assert.That(host.Services.GetRequiredService<TextClassificationPipeline>().Classify("def f(): pass")[0].Label,
            Is.EqualTo("python"), "who asks early waits");
        Assert.That(host.Services.GetRequiredService<HostedPipeline<TextGenerator>>().State, Is.EqualTo(HostedModelState.NotLoaded));
        await host.StopAsync();
    }

    [Test]
    public void A_host_does_not_start_without_a_model_that_must_be_there()
    {
        using IHost host = Host(services =>
            services.AddManagedTransformersPipeline<FillMaskPipeline>(Demo.Scratch(), new HostedModelOptions { WarmUp = WarmUp.BeforeStart }));
        Assert.That(async () => await host.StartAsync(), Throws.Exception.With.Message.Contains("has no tokenizer"));
    }

    [TestCase("PromptName", "has no prompt named passage", TestName = "A_prompt_that_the_model_lacks_is_found_at_the_start")]
    [TestCase("TruncateDim", "Vectors of 4096 dimensions were asked for", TestName = "A_cut_that_the_model_cannot_make_is_found_at_the_start")]
    public void Options_of_calls_that_the_model_cannot_follow_are_found_when_it_is_loaded(string option, string message)
    {
        EmbeddingOptions wrong = option == "PromptName" ? new() { PromptName = "passage" } : new() { TruncateDim = 4096 };
        using var model = new HostedPipeline<SentenceEmbeddingPipeline>(Demo.Embed, new HostedModelOptions { Embedding = wrong });
        Assert.That(async () => await model.LoadAsync(), Throws.ArgumentException.With.Message.Contains(message));
        Assert.That(model.State, Is.EqualTo(HostedModelState.Failed));
    }

    [Test]
    public void A_key_is_given_once_per_kind()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersPipeline<FillMaskPipeline>(Demo.FillMask, s_lazy, "code");
        services.AddManagedTransformersPipeline<TextScorer>(Demo.FillMask, s_lazy, "code");
        Assert.That(() => services.AddManagedTransformersPipeline<FillMaskPipeline>("other", s_lazy, "code"),
            Throws.ArgumentException.With.Message.Contains("There is a FillMaskPipeline with the key code already; other needs a serviceKey of its own."));
        services.AddManagedTransformersEmbeddingGenerator(Demo.Embed, s_lazy);
        Assert.That(() => services.AddManagedTransformersEmbeddingGenerator("other", s_lazy),
            Throws.ArgumentException.With.Message.Contains("There is a SentenceEmbeddingPipeline without a key already; other needs"));
    }

    [Test]
    public void A_directory_that_is_nowhere_is_named_with_the_places_that_were_looked_at()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersPipeline<FillMaskPipeline>("no/such/model");
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.That(() => provider.GetRequiredService<FillMaskPipeline>(), Throws.TypeOf<DirectoryNotFoundException>()
            .With.Message.Contains(Path.GetFullPath("no/such/model")).And.Message.Contains(Path.Combine(AppContext.BaseDirectory, "no")));
    }

    [Test]
    public async Task A_host_starts_without_a_directory_that_nobody_needs_yet_and_health_and_first_call_name_the_model([Values] bool isFile)
    {
        string nowhere = Path.Combine(Demo.Scratch(), "no-model");
        if (isFile)
            File.WriteAllText(nowhere, "x");
        using IHost host = Host(services =>
        {
            services.AddLogging();
            services.AddHealthChecks().AddManagedTransformers("models");
            services.AddManagedTransformersPipeline<FillMaskPipeline>(nowhere, s_lazy, "fill");
            services.AddManagedTransformersPipeline<TextScorer>(nowhere, new HostedModelOptions { WarmUp = WarmUp.Background }, "scorer");
        });
        await host.StartAsync();
        string message = isFile ? $"The model fill: {nowhere} is a file; the directory that it is in is needed."
            : $"The model fill: There is no directory {nowhere}.";
        Assert.That(() => host.Services.GetRequiredKeyedService<FillMaskPipeline>("fill"),
            Throws.TypeOf<DirectoryNotFoundException>().With.Message.StartsWith(message));
        Assert.That(async () => await host.Services.GetRequiredKeyedService<HostedPipeline<TextScorer>>("scorer").LoadAsync(),
            Throws.TypeOf<DirectoryNotFoundException>().With.Message.StartsWith("The model scorer"));
        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        Assert.That(report.Entries["models"].Description, Does.Contain("fill could not be loaded: ").And.Contains("scorer could not be loaded: "));
        if (!isFile)
        {
            Demo.CopyOf(Demo.FillMask, nowhere);
            Assert.That(await host.Services.GetRequiredKeyedService<HostedPipeline<FillMaskPipeline>>("fill").GetAsync(), Is.Not.Null, "there now");
        }
        await host.StopAsync();
    }

    [Test]
    public async Task A_call_that_runs_while_the_model_is_disposed_finishes_and_later_ones_name_the_model()
    {
        var model = new HostedPipeline<FillMaskPipeline>(Demo.FillMask, s_lazy with { MaxConcurrency = 1 }, "fill");
        FillMaskPipeline kept = await model.GetAsync();
        var begun = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        Task<string> running = model.RunAsync(async (pipeline, token) =>
        {
            begun.SetResult();
            await goOn.Task;
            return pipeline.Predict("public static <mask> set($key) {", options: null, token)[0].TokenText;
        });
        await begun.Task;
        Task<int> waiting = model.RunAsync((_, _) => 1);
        model.Dispose();
        goOn.SetResult();
        Assert.That(await running, Is.EqualTo(" function"));
        Assert.That(async () => await waiting, Throws.TypeOf<ObjectDisposedException>().With.Message.Contains("The model fill was disposed"));
        Assert.That(() => model.GetAsync(), Throws.TypeOf<ObjectDisposedException>().With.Message.Contains("The model fill was disposed"));
        Assert.That(() => kept.Predict("<mask>"), Throws.TypeOf<ObjectDisposedException>(), "given back when the last call had ended");
    }

    [Test]
    public async Task No_more_calls_run_at_once_than_allowed()
    {
        using var model = new HostedPipeline<FillMaskPipeline>(Demo.FillMask, s_lazy with { MaxConcurrency = 2 });
        int running = 0, most = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => model.RunAsync(async (pipeline, token) =>
        {
            int now = Interlocked.Increment(ref running);
            lock (model)
                most = Math.Max(most, now);
            await Task.Delay(5, token);
            return Interlocked.Decrement(ref running);
        })));
        Assert.That(most, Is.EqualTo(2));
        IReadOnlyList<FillMaskPrediction> best =
            await model.RunAsync((pipeline, token) => pipeline.Predict("public static <mask> set($key) {", options: null, token));
        Assert.That(best[0].TokenText, Is.EqualTo(" function"));
    }

    [Test]
    public async Task A_stream_is_the_generators_own_text()
    {
        using var model = new HostedPipeline<TextGenerator>(Demo.CodeGen, s_lazy);
        using var measured = new Measurements();
        string text = "";
        await foreach (TextPiece piece in model.StreamAsync("def hello_world():", new GenerationOptions { MaxNewTokens = 12 }))
            text += piece.Text;
        Assert.That(text, Is.EqualTo((await model.GetAsync()).Generate("def hello_world():", new GenerationOptions { MaxNewTokens = 12 })));
        Assert.That(measured.Names, Is.SupersetOf(new[]
        {
            "gen_ai.server.time_to_first_token", "gen_ai.server.time_per_output_token",
                "gen_ai.server.request.duration", "managed_transformers.model.load.duration",
        }));
        Assert.That(measured.Tags["gen_ai.server.time_to_first_token"], Is.EqualTo("text_completion managed_transformers demo-codegen"));
    }

    [Test]
    public async Task Calls_have_spans_and_durations_with_the_names_of_gen_ai()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == ModelTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var measured = new Measurements();
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(Demo.Embed, s_lazy, "code");
        await using ServiceProvider provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("code");
        GeneratedEmbeddings<Embedding<float>> made = await generator.GenerateAsync(["sort a list"]);
        Activity call = spans.Single(span => span.OperationName.StartsWith("embeddings", StringComparison.Ordinal));
        Assert.That(call.DisplayName, Is.EqualTo("embeddings code"), "the engine's call is this one, by the service's name");
        Assert.That(call.TagObjects.ToDictionary(tag => tag.Key, tag => tag.Value), Is.SupersetOf(new Dictionary<string, object?>
        {
            ["gen_ai.operation.name"] = "embeddings", ["gen_ai.provider.name"] = "managed_transformers", ["gen_ai.request.model"] = "code",
            ["gen_ai.usage.input_tokens"] = made.Usage!.InputTokenCount, ["gen_ai.embeddings.dimension.count"] = 256,
            ["gen_ai.response.model"] = "demo-embed",
        }));
        Assert.That(spans.Select(span => span.DisplayName), Does.Contain("load code"));
        Assert.That(measured.Tags["gen_ai.server.request.duration"], Is.EqualTo("embeddings managed_transformers code"));

        var whole = new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new EmbeddingOptions { Truncation = false } };
        Assert.That(async () => await generator.GenerateAsync([string.Concat(Enumerable.Repeat("x ", 900))], whole), Throws.TypeOf<ModelInputException>());
        Activity failed = spans.Last(span => span.DisplayName == "embeddings code");
        Assert.That((failed.Status, failed.GetTagItem("error.type")), Is.EqualTo((ActivityStatusCode.Error, (object)typeof(ModelInputException).FullName!)));
    }

    [Test]
    public async Task Loading_and_the_checkpoints_warnings_are_logged()
    {
        using var log = new KeptLog();
        using var loggers = LoggerFactory.Create(builder => builder.AddProvider(log));
        using var model = new HostedPipeline<FillMaskPipeline>(Demo.FillMask, s_lazy, "fill", loggers);
        await model.LoadAsync();
        Assert.That(log.Lines, Has.Some.StartsWith($"Information Loading fill from {Demo.FillMask}"));
        Assert.That(log.Lines, Has.Some.Matches("Information Loaded fill in [0-9]+ ms: RobertaForMaskedLM, kernels [A-Za-z0-9]+, [0-9]+ threads."));
        using var broken = new HostedPipeline<FillMaskPipeline>(Demo.Scratch(), s_lazy, "broken", loggers);
        Assert.That(async () => await broken.LoadAsync(), Throws.Exception);
        Assert.That(log.Lines, Has.Some.StartsWith("Error broken could not be loaded from "));
    }

    [Test]
    public void A_chat_client_is_refused_by_the_models_name()
    {
        Assert.That(() => new ServiceCollection().AddManagedTransformersChatClient(Demo.CodeGen),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("demo-codegen has no chat template"));
        string chatty = Demo.Scratch();
        File.WriteAllText(Path.Combine(chatty, "tokenizer_config.json"), """{"chat_template": "{{ messages }}"}""");
        Assert.That(() => new ServiceCollection().AddManagedTransformersChatClient(chatty),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("has a chat template (tokenizer_config.json), which this version does not render"));
        File.WriteAllText(Path.Combine(chatty, "tokenizer_config.json"), "{");
        Assert.That(() => new ServiceCollection().AddManagedTransformersChatClient(chatty),
            Throws.TypeOf<ConfigException>().With.Message.Contains("tokenizer_config.json cannot be read: it is not JSON"));
    }

    [Test]
    public void What_is_no_pipeline_is_refused_when_it_is_added() =>
        Assert.That(() => new ServiceCollection().AddManagedTransformersPipeline<EncoderPipeline>(Demo.Embed),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("SentenceEmbeddingPipeline"));

    private static async Task<HealthReportEntry> CheckAsync(ServiceProvider provider) =>
        (await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["models"];

    private static IHost Host(Action<IServiceCollection> add)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(settings: null);
        add(builder.Services);
        return builder.Build();
    }

    private sealed class Steps : IProgress<ModelLoadProgress>
    {
        public List<ModelLoadProgress> All { get; } = [];

        public void Report(ModelLoadProgress value) => All.Add(value);
    }

    private sealed class Measurements : IDisposable
    {
        private readonly MeterListener _listener = new();

        public Measurements()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == ModelTelemetry.Name)
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) =>
                Tags[instrument.Name] = string.Join(
                    ' ', tags.ToArray().Where(tag => tag.Key.StartsWith("gen_ai", StringComparison.Ordinal)).Select(tag => tag.Value)));
            _listener.Start();
        }

        public ConcurrentDictionary<string, string> Tags { get; } = new();
        public IEnumerable<string> Names => Tags.Keys;

        public void Dispose() => _listener.Dispose();
    }

    private sealed class KeptLog : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue($"{logLevel} {formatter(state, exception)}");

        public void Dispose()
        {
        }
    }
}
