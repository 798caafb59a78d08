using Orleans;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>What encoders of a cluster give is what an engine gives alone, to the bit.</summary>
public sealed class ClusterEncoderTests
{
    private static readonly string[] s_texts = [.. Enumerable.Range(0, 9).Select(i => $"def f{i}(a, b):\n    return a * {i} + b  # joe{i}@example.org\n")];

    private static Fleet Shared => SharedFleet.Fleet;

    [Test]
    public async Task Vectors_of_texts_and_of_tokens_are_those_of_the_engine()
    {
        await using EngineOf alone = new("demo-embed");
        ClusterEncoder encoder = Encoder("demo-embed");
        var options = new EmbeddingOptions { Normalize = true, TruncateDim = 16 };
        IReadOnlyList<TextEmbedding> expected = await alone.Engine.EmbedAsync(s_texts, options), embeddings = await encoder.EmbedAsync(s_texts, options);
        Assert.That(embeddings.Select(one => one.Tokens), Is.EqualTo(expected.Select(one => one.Tokens)));
        Assert.That(embeddings.Select(one => one.Vector), Is.EqualTo(expected.Select(one => one.Vector)).AsCollection);
        IReadOnlyList<FloatTensor> features = await encoder.ExtractAsync(s_texts), own = await alone.Engine.ExtractAsync(s_texts);
        Assert.That(features.Select(one => (one.Name, one.Shape[0], one.Shape[1], one.Shape[2])),
            Is.EqualTo(own.Select(one => (one.Name, one.Shape[0], one.Shape[1], one.Shape[2]))));
        Assert.That(features.Select(one => one.Span.ToArray()), Is.EqualTo(own.Select(one => one.Span.ToArray())).AsCollection);
        Assert.That(await encoder.EmbedAsync([]), Is.Empty);
    }

    [Test]
    public async Task Masks_labels_and_entities_are_those_of_the_engine()
    {
        await using EngineOf masks = new("demo-fill-mask"), labels = new("demo-language-id"), tags = new("demo-tag");
        string[] masked = ["public <mask> set(string $key) {", "return <mask>;"];
        var three = new FillMaskOptions { TopK = 3 };
        Assert.That(OptionsJson.WriteAny(await Encoder("demo-fill-mask").FillMaskAsync(masked, three)),
            Is.EqualTo(OptionsJson.WriteAny(await masks.Engine.FillMaskAsync(masked, three))));
        (string, string?)[] pairs = [.. s_texts.Select((text, i) => (text, i % 3 == 0 ? "x := 1" : null))];
        var all = new TextClassificationOptions { TopK = 4 };
        Assert.That(OptionsJson.WriteAny(await Encoder("demo-language-id").ClassifyAsync(pairs, all)),
            Is.EqualTo(OptionsJson.WriteAny(await labels.Engine.ClassifyAsync(pairs, all))));
        IReadOnlyList<IReadOnlyList<Entity>> entities = await Encoder("demo-tag").TagAsync(s_texts);
        Assert.That(entities, Has.Some.Not.Empty);
        Assert.That(OptionsJson.WriteAny(entities), Is.EqualTo(OptionsJson.WriteAny(await tags.Engine.TagAsync(s_texts))));
    }

    [Test]
    public async Task Ranks_come_with_the_documents_that_stayed_here()
    {
        await using EngineOf alone = new(Fleet.Reranker);
        IReadOnlyList<RerankScore> scores = await Encoder("demo-rerank").RerankAsync("multiply", s_texts, topN: 4);
        Assert.That(scores, Is.EqualTo(await alone.Engine.RerankAsync("multiply", s_texts, topN: 4)).AsCollection);
        Assert.That(scores, Has.Count.EqualTo(4));
    }

    [Test]
    public async Task What_cannot_be_is_refused_as_an_engine_refuses_it()
    {
        Assert.That(async () => await Encoder("nothing").EmbedAsync(["x"]),
            Throws.TypeOf<UnknownModelException>().With.Message.Contains("No silo of the cluster has a model \"nothing\""));
        Assert.That(async () => await Encoder("demo-fill-mask").FillMaskAsync(["<mask>", "x"]),
            Throws.TypeOf<ModelInputException>().With.Message.StartsWith("Text 1 of 2:"));
        Assert.That(async () => await Encoder("demo-embed").EmbedAsync(["x", null!]), Throws.ArgumentException.With.Message.StartsWith("Text 1 is null"));
        Assert.That(async () => await Encoder("demo-embed").TagAsync(["x"]),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("no TokenClassificationPipeline"));
        Assert.That(async () => await Encoder(Fleet.Model).EmbedAsync(["x"]), Throws.TypeOf<ModelInputException>().With.Message.Contains("it does Generation"));
        Assert.That(async () => await new ClusterGenerator(Shared.Cluster.Client, "demo-embed").GenerateAsync(new GenerationRequest([1])),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("does not generate texts"));
        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();
        Assert.That(async () => await Encoder("demo-embed").EmbedAsync(["x"], cancellationToken: ended.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_call_that_fails_leaves_nothing_on_its_silo()
    {
        Assert.That(async () => await Encoder("demo-fill-mask").FillMaskAsync(["no mask"]), Throws.TypeOf<ModelInputException>());
        Assert.That(async () => await Shared.Generator.GenerateAsync(new GenerationRequest([-1])), Throws.InstanceOf<Exception>());
        IManagementGrain management = Shared.Cluster.Client.GetGrain<IManagementGrain>(0);
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            SimpleGrainStatistic[] left = [.. (await management.GetSimpleGrainStatistics())
                .Where(grains => grains.ActivationCount > 0 && (grains.GrainType.Contains("EncoderGrain") || grains.GrainType.Contains("GenerationGrain")))];
            if (left.Length == 0)
                return;
            Assert.That(guard.IsCancellationRequested, Is.False,
                () => string.Join(", ", left.Select(grains => $"{grains.ActivationCount} {grains.GrainType}")));
            await Task.Delay(50);
        }
    }

    private static ClusterEncoder Encoder(string model) => new(Shared.Cluster.Client, model);

    /// <summary>An engine of this process.</summary>
    private sealed class EngineOf(string model) : IAsyncDisposable
    {
        private readonly ModelHost _host = new(new() { Models = [Path.Combine(RepositoryRoot.Path, "models", model)] });

        public EncoderEngine Engine
        {
            get
            {
                using ModelLease lease = _host.AcquireAsync().GetAwaiter().GetResult();
                return lease.Encoder!;
            }
        }

        public ValueTask DisposeAsync() => _host.DisposeAsync();
    }
}
