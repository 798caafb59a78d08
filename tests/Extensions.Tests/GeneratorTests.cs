using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>The generator for many callers: the ten rules of a well-behaved one, and what merging must not change.</summary>
[NonParallelizable]
public sealed class GeneratorTests
{
    private static readonly string[] s_texts = [.. Enumerable.Range(0, 32).Select(i => $"def f{i}(x):\n    return x {(i % 2 == 0 ? "+" : "-")} {i}\n")];

    private ServiceProvider _provider = null!;
    private int _calls;
    private SentenceEmbeddingPipeline _alone = null!;

    private HostedPipeline<SentenceEmbeddingPipeline> Model => _provider.GetRequiredService<HostedPipeline<SentenceEmbeddingPipeline>>();

    private IEmbeddingGenerator<string, Embedding<float>> Generator => _provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();

    [OneTimeSetUp]
    public async Task Load()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(Demo.Embed);
        _provider = services.BuildServiceProvider();
        _alone = await Model.GetAsync();
    }

    [OneTimeTearDown]
    public void GiveBack()
    {
        _alone.Dispose();
        _provider.Dispose();
    }

    [Test]
    public async Task Texts_that_wait_become_one_batch_with_each_callers_own_vector_and_usage()
    {
        using var batches = new BatchSizes();
        Task<GeneratedEmbeddings<Embedding<float>>>[] calls = await WhileBusyAsync(() => [.. s_texts.Select(text => Generator.GenerateAsync([text]))]);
        GeneratedEmbeddings<Embedding<float>>[] results = await Task.WhenAll(calls);
        Assert.That(batches.Sizes, Is.EqualTo(new[] { 32 }));
        for (int i = 0; i < s_texts.Length; i++)
        {
            GeneratedEmbeddings<Embedding<float>> single = await ((IEmbeddingGenerator<string, Embedding<float>>)_alone).GenerateAsync([s_texts[i]]);
            Assert.That(results[i].Single().Vector.ToArray(), Is.EqualTo(single[0].Vector.ToArray()).Within(1e-6), s_texts[i]);
            Assert.That(results[i].Usage!.InputTokenCount, Is.EqualTo(_alone.Tokenizer.Encode(s_texts[i]).Length));
        }
    }

    [Test]
    public async Task Models_that_share_a_cache_keep_their_vectors_apart()
    {
        var services = new ServiceCollection();
        services.AddDistributedMemoryCache();
        services.AddManagedTransformersEmbeddingGenerator(Demo.Embed, serviceKey: "a").UseDistributedCache();
        services.AddManagedTransformersEmbeddingGenerator(Demo.FillMask, serviceKey: "b").UseDistributedCache();
        await using ServiceProvider provider = services.BuildServiceProvider();
        foreach (string round in new[] { "computed", "from the cache" })
        {
            ReadOnlyMemory<float> a = await Of("a").GenerateVectorAsync(s_texts[0]), b = await Of("b").GenerateVectorAsync(s_texts[0]);
            Assert.That(a.ToArray(), Is.EqualTo(_alone.Embed(s_texts[0])).Within(1e-6), round);
            Assert.That(b.ToArray(), Is.Not.EqualTo(a.ToArray()).Within(1e-3), round);
        }
        Assert.That((await Of("b").GenerateAsync([s_texts[0]]))[0].ModelId, Is.EqualTo("demo-fill-mask"));

        IEmbeddingGenerator<string, Embedding<float>> Of(string key) => provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(key);
    }

    [Test]
    public async Task Options_that_share_a_cache_keep_their_vectors_apart()
    {
        string renamed = Demo.CopyOf(Demo.FillMask, Path.Combine(Demo.Scratch(), "demo-embed"));
        var services = new ServiceCollection();
        services.AddDistributedMemoryCache();
        Add("plain", Demo.Embed, options: null);
        Add("prompt", Demo.Embed, new EmbeddingOptions { Prompt = "query: " });
        Add("short", Demo.Embed, new EmbeddingOptions { TruncateDim = 64 });
        Add("other directory of one name", renamed, options: null);
        await using ServiceProvider provider = services.BuildServiceProvider();
        var max = new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new EmbeddingOptions { Pooling = [Pooling.Max] } };
        foreach (string round in new[] { "computed", "from the cache" })
        {
            Assert.That(await Of("plain"), Is.EqualTo(_alone.Embed(s_texts[0])).Within(1e-6), round);
            Assert.That(await Of("prompt"), Is.EqualTo(_alone.Embed(s_texts[0], new EmbeddingOptions { Prompt = "query: " })).Within(1e-6), round);
            Assert.That(await Of("short"), Has.Length.EqualTo(64), round);
            Assert.That(await Of("other directory of one name"), Is.Not.EqualTo(_alone.Embed(s_texts[0])).Within(1e-3), round);
            Assert.That(await Of("plain", max), Is.EqualTo(_alone.Embed(s_texts[0], new EmbeddingOptions { Pooling = [Pooling.Max] })).Within(1e-6), round);
        }
        Assert.That(_calls, Is.EqualTo(5), "the second round came from the cache");

        void Add(string key, string path, EmbeddingOptions? options) => services
            .AddManagedTransformersEmbeddingGenerator(path, new HostedModelOptions { Embedding = options }, key)
            .UseDistributedCache().Use(inner => new Counting(inner, () => _calls++));
        async Task<float[]> Of(string key, EmbeddingGenerationOptions? options = null) =>
            (await provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(key).GenerateVectorAsync(s_texts[0], options)).ToArray();
    }

    [Test]
    public void Every_option_of_a_call_changes_what_a_cache_keys_by()
    {
        EmbeddingOptions[] different =
        [
            new(), new() { Pooling = [Pooling.Max] }, new() { Pooling = [Pooling.Max, Pooling.Mean] }, new() { Normalize = true },
            new() { PromptName = "query" }, new() { Prompt = "query" }, new() { Prompt = "" }, new() { Truncation = false }, new() { TruncateDim = 8 },
        ];
        Assert.That(typeof(EmbeddingOptions).GetProperties().Count(one => one.CanWrite), Is.EqualTo(6),
            "a new one belongs into the fingerprint and into this list");
        Assert.That(different.Select(one => EmbeddingFingerprint.Of("", new PipelineOptions(), one)), Is.Unique);
        PipelineOptions[] loads =
        [
            new(), new() { Load = new LoadOptions { WeightFormat = WeightFormat.Int8 } }, new() { Load = new LoadOptions { QuantizeHead = true } },
            new() { Load = new LoadOptions { WidenWeights = true } }, new() { Tokenizer = new() { ModelType = "bert" } },
            new() { Tokenizer = new() { IgnoreTokenizerJson = true } },
            new() { Tokenizer = new() { ClassAliases = new Dictionary<string, string> { ["A"] = "B" } } },
        ];
        Assert.That(loads.Select(one => EmbeddingFingerprint.Of("", one, new EmbeddingOptions())), Is.Unique);
    }

    [Test]
    public async Task Metadata_have_the_dimensions_that_the_models_options_leave()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(
            Demo.Embed, new HostedModelOptions { Embedding = new EmbeddingOptions { TruncateDim = 64 } }, "short");
        services.AddManagedTransformersEmbeddingGenerator(
            Demo.Embed, new HostedModelOptions { Embedding = new EmbeddingOptions { Pooling = [Pooling.Mean, Pooling.Max] } }, "joined");
        await using ServiceProvider provider = services.BuildServiceProvider();
        foreach ((string key, int dimensions) in new[] { ("short", 64), ("joined", 512) })
        {
            var generator = provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(key);
            var metadata = (EmbeddingGeneratorMetadata)generator.GetService(typeof(EmbeddingGeneratorMetadata))!;
            Assert.That((metadata.DefaultModelDimensions, metadata.ProviderName), Is.EqualTo(((int?)dimensions, "managed_transformers")));
            Assert.That((await generator.GenerateVectorAsync("x")).Length, Is.EqualTo(dimensions));
        }
    }

    [Test]
    public async Task A_cancelled_caller_is_over_at_once_and_harms_nobody()
    {
        using var cancel = new CancellationTokenSource();
        Task<GeneratedEmbeddings<Embedding<float>>>[] calls = await WhileBusyAsync(async () =>
        {
            Task<GeneratedEmbeddings<Embedding<float>>>[] waiting =
                [.. s_texts.Select((text, i) => Generator.GenerateAsync([text], cancellationToken: i == 5 ? cancel.Token : default))];
            cancel.Cancel();
            // The model is busy still: nothing but the cancelling ends the call.
            Assert.That(async () => await waiting[5], Throws.InstanceOf<OperationCanceledException>());
            return waiting;
        });
        int[] others = [.. Enumerable.Range(0, 32).Where(i => i != 5)];
        foreach (int i in others)
            Assert.That((await calls[i])[0].Vector.ToArray(), Is.EqualTo(_alone.Embed(s_texts[i])).Within(1e-6));
    }

    [Test]
    public async Task A_text_that_is_too_long_fails_alone()
    {
        var whole = new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new EmbeddingOptions { Truncation = false } };
        string tooLong = string.Concat(Enumerable.Repeat("return x\n", 400));
        using var batches = new BatchSizes();
        Task<GeneratedEmbeddings<Embedding<float>>>[] calls = await WhileBusyAsync(
            () => [.. s_texts.Select((text, i) => Generator.GenerateAsync([i == 20 ? tooLong : text], whole))]);
        Assert.That(async () => await calls[20], Throws.TypeOf<ModelInputException>().With.Message.Contains("tokens"));
        foreach (int i in Enumerable.Range(0, 32).Where(i => i != 20))
            Assert.That((await calls[i])[0].Vector.ToArray(), Is.EqualTo(_alone.Embed(s_texts[i])).Within(1e-6));
        // 32 fails; of its halves one fails, and so on down to the one text: 16 and 8, 4, 2, 1 others go together.
        Assert.That(batches.Sizes.Order(), Is.EqualTo(new[] { 1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32 }));
    }

    [Test]
    public async Task Calls_that_ask_for_different_things_do_not_mix()
    {
        var query = new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new EmbeddingOptions { Prompt = "query: ", Truncation = true } };
        using var batches = new BatchSizes();
        Task<GeneratedEmbeddings<Embedding<float>>>[] calls = await WhileBusyAsync(
            () => [.. Enumerable.Range(0, 6).Select(i => Generator.GenerateAsync([s_texts[0]], i % 3 == 0 ? query : null))]);
        GeneratedEmbeddings<Embedding<float>>[] results = await Task.WhenAll(calls);
        Assert.That(batches.Sizes, Is.EqualTo(new[] { 2, 4 }));
        Assert.That(results[3][0].Vector.ToArray(), Is.EqualTo(_alone.Embed("query: " + s_texts[0])).Within(1e-6));
        Assert.That(results[4][0].Vector.ToArray(), Is.EqualTo(_alone.Embed(s_texts[0])).Within(1e-6));
    }

    [Test]
    public async Task A_long_call_lets_others_in_between_and_keeps_its_order()
    {
        string[] many = [.. Enumerable.Range(0, 100).Select(i => s_texts[i % 32])];
        using var batches = new BatchSizes();
        Task<GeneratedEmbeddings<Embedding<float>>>[] calls = await WhileBusyAsync(
            () => [Generator.GenerateAsync(many), Generator.GenerateAsync([s_texts[7]])]);
        Assert.That((await calls[1])[0].Vector.ToArray(), Is.EqualTo(_alone.Embed(s_texts[7])).Within(1e-6));
        GeneratedEmbeddings<Embedding<float>> vectors = await calls[0];
        Assert.That(batches.Sizes, Is.EqualTo(new[] { 32, 32, 32, 5 }), "the one text is in the first batch");
        for (int i = 0; i < 100; i++)
            Assert.That(vectors[i].Vector.ToArray(), Is.EqualTo(_alone.Embed(many[i])).Within(1e-6), $"text {i}");
    }

    [Test]
    public async Task Batches_take_the_places_that_other_calls_leave()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(Demo.Embed, new HostedModelOptions { MaxConcurrency = 2, MaxBatchSize = 4 });
        await using ServiceProvider provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        var model = provider.GetRequiredService<HostedPipeline<SentenceEmbeddingPipeline>>();
        var end = new TaskCompletionSource();
        Task<int> busy = model.RunAsync(async (_, _) =>
        {
            await end.Task;
            return 0;
        });
        // One place is taken; the other one is the batches'.
        GeneratedEmbeddings<Embedding<float>> many = await generator.GenerateAsync(s_texts);
        end.SetResult();
        await busy;
        GeneratedEmbeddings<Embedding<float>>[] singles = await Task.WhenAll(s_texts.Select(text => Task.Run(() => generator.GenerateAsync([text]))));
        for (int i = 0; i < s_texts.Length; i++)
        {
            Assert.That(many[i].Vector.ToArray(), Is.EqualTo(_alone.Embed(s_texts[i])).Within(1e-6), $"text {i}");
            Assert.That(singles[i][0].Vector.ToArray(), Is.EqualTo(_alone.Embed(s_texts[i])).Within(1e-6), $"caller {i}");
        }
    }

    [Test]
    public async Task More_callers_wait_than_an_engine_lets_by_itself()
    {
        GeneratedEmbeddings<Embedding<float>>[] made = await Task.WhenAll(
            await WhileBusyAsync(() => [.. Enumerable.Range(0, 1100).Select(i => Generator.GenerateAsync([s_texts[i % 32]]))]));
        Assert.That(made.Select(one => one[0].Vector.Length), Has.All.EqualTo(256));
    }

    [Test]
    public async Task An_error_deep_in_a_long_call_says_where()
    {
        var whole = new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new EmbeddingOptions { Truncation = false } };
        string[] many = [.. Enumerable.Range(0, 70).Select(i => i == 66 ? string.Concat(Enumerable.Repeat("return x\n", 400)) : s_texts[i % 32])];
        Assert.That(async () => await Generator.GenerateAsync(many, whole),
            Throws.TypeOf<ModelInputException>().With.Message.StartsWith("Text 66 of 70: "));
        Assert.That((await Generator.GenerateAsync([s_texts[0]]))[0].Vector.Length, Is.EqualTo(256), "the next call");
    }

    [Test]
    public async Task When_all_callers_have_gone_nothing_is_computed()
    {
        using var cancel = new CancellationTokenSource();
        using var batches = new BatchSizes();
        Task<GeneratedEmbeddings<Embedding<float>>>[] calls = await WhileBusyAsync(() =>
        {
            Task<GeneratedEmbeddings<Embedding<float>>>[] waiting =
                [.. s_texts.Select(text => Generator.GenerateAsync([text], cancellationToken: cancel.Token))];
            cancel.Cancel();
            return waiting;
        });
        // Each is over at once; that its task says so comes from another thread.
        Assert.That(async () => await Task.WhenAll(calls), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(calls.Select(call => call.IsCanceled), Has.All.True);
        await Generator.GenerateAsync(["x"]);
        Assert.That(batches.Sizes, Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public async Task The_rules_of_aGenerator_hold()
    {
        Assert.That(async () => await Generator.GenerateAsync(null!), Throws.ArgumentNullException);
        Assert.That(async () => await Generator.GenerateAsync(["x"], new() { ModelId = "another" }), Throws.ArgumentException.With.Message.Contains("another"));
        Assert.That(async () => await Generator.GenerateAsync(["x"], new() { Dimensions = 257 }), Throws.ArgumentException.With.Message.Contains("257"));
        Embedding<float> cut = (await Generator.GenerateAsync(["x"], new() { Dimensions = 64 }))[0];
        Assert.That((cut.Vector.Length, cut.ModelId, cut.CreatedAt is not null), Is.EqualTo((64, _alone.ModelId, true)));
        Assert.That(await Generator.GenerateAsync([]), Is.Empty);
        Assert.That(async () => await Generator.GenerateAsync(["x"], cancellationToken: new CancellationToken(true)),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => Generator.GetService(null!), Throws.ArgumentNullException);
        Assert.That(Generator.GetService(typeof(EmbeddingGeneratorMetadata), "key"), Is.Null);
        Assert.That(Generator.GetService(typeof(string)), Is.Null);
        Assert.That(Generator.GetService<SentenceEmbeddingPipeline>(), Is.SameAs(_alone));
        Assert.That(Generator.GetService<HostedPipeline<SentenceEmbeddingPipeline>>(), Is.SameAs(Model));
        var metadata = Generator.GetService<EmbeddingGeneratorMetadata>()!;
        var own = ((IEmbeddingGenerator)_alone).GetService<EmbeddingGeneratorMetadata>()!;
        Assert.That((metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions),
            Is.EqualTo((own.ProviderName, own.DefaultModelId, (int?)256)));
        Assert.That(_provider.GetRequiredService<IEmbeddingGenerator>(), Is.SameAs(Generator));
    }

    [Test]
    public async Task Options_of_the_model_hold_where_a_call_says_nothing()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(
            Demo.Embed, new HostedModelOptions { Embedding = new EmbeddingOptions { Prompt = "query: " } }, "queries");
        await using ServiceProvider provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("queries");
        Assert.That((await generator.GenerateAsync(["sort a list"]))[0].Vector.ToArray(), Is.EqualTo(_alone.Embed("query: sort a list")).Within(1e-6));
    }

    [Test]
    public async Task A_disposedGenerator_fails_who_waits()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(Demo.Embed);
        ServiceProvider provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        await generator.GenerateAsync(["x"]);
        await provider.DisposeAsync();
        Assert.That(async () => await generator.GenerateAsync(["x"]), Throws.TypeOf<ObjectDisposedException>());
    }

    private Task<Task<GeneratedEmbeddings<Embedding<float>>>[]> WhileBusyAsync(Func<Task<GeneratedEmbeddings<Embedding<float>>>[]> call) =>
        WhileBusyAsync(() => Task.FromResult(call()));

    /// <summary>Makes calls while another one holds the model.</summary>
    private async Task<Task<GeneratedEmbeddings<Embedding<float>>>[]> WhileBusyAsync(Func<Task<Task<GeneratedEmbeddings<Embedding<float>>>[]>> call)
    {
        var begun = new TaskCompletionSource();
        var end = new TaskCompletionSource();
        Task<int> busy = Model.RunAsync(async (_, _) =>
        {
            begun.SetResult();
            await end.Task;
            return 0;
        });
        await begun.Task;
        Task<GeneratedEmbeddings<Embedding<float>>>[] calls = await call();
        end.SetResult();
        await busy;
        return calls;
    }

    /// <summary>The sizes of the batches that run, as the meter reports them.</summary>
    private sealed class BatchSizes : IDisposable
    {
        private readonly MeterListener _listener = new();

        public BatchSizes()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "managed_transformers.batch.size")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<int>((_, value, _, _) => Sizes.Enqueue(value));
            _listener.Start();
        }

        public ConcurrentQueue<int> Sizes { get; } = new();

        public void Dispose() => _listener.Dispose();
    }

    private sealed class Counting(IEmbeddingGenerator<string, Embedding<float>> inner, Action count)
        : DelegatingEmbeddingGenerator<string, Embedding<float>>(inner)
    {
        public override Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
            IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
        {
            count();
            return base.GenerateAsync(values, options, cancellationToken);
        }
    }
}
