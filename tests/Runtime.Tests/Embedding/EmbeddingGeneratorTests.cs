using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>What Microsoft.Extensions.AI may expect of a generator of embeddings.</summary>
public sealed class EmbeddingGeneratorTests
{
    private static readonly string[] Texts = ["def add(a, b):", "import os"];

    private SentenceEmbeddingPipeline _pipeline = null!;

    private IEmbeddingGenerator<string, Embedding<float>> Generator => _pipeline;

    [OneTimeSetUp]
    public void Load() => _pipeline = SentenceEmbeddingPipeline.Load(TestData.Model("demo-fill-mask"));

    [OneTimeTearDown]
    public void Dispose() => _pipeline.Dispose();

    [Test]
    public async Task An_answer_says_its_model_its_time_and_what_it_took()
    {
        DateTimeOffset before = DateTimeOffset.UtcNow;
        GeneratedEmbeddings<Embedding<float>> embeddings = await Generator.GenerateAsync(Texts);
        Assert.That(embeddings.Select(one => one.ModelId), Is.EqualTo(new[] { "demo-fill-mask", "demo-fill-mask" }));
        Assert.That(embeddings.Select(one => one.CreatedAt!.Value), Is.All.InRange(before, DateTimeOffset.UtcNow));
        int tokens = Texts.Sum(text => _pipeline.Tokenizer.Encode(text).Length);
        Assert.That((embeddings.Usage!.InputTokenCount, embeddings.Usage.TotalTokenCount), Is.EqualTo(((long?)tokens, (long?)tokens)));
    }

    [Test]
    public void Metadata_and_parts_are_services()
    {
        EmbeddingGeneratorMetadata metadata = Generator.GetService<EmbeddingGeneratorMetadata>()!;
        Assert.That((metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions),
            Is.EqualTo(("managed_transformers", "demo-fill-mask", (int?)256)));
        Assert.That(Generator.GetService<SentenceEmbeddingPipeline>(), Is.SameAs(_pipeline));
        Assert.That(Generator.GetService<PretrainedModel>(), Is.SameAs(_pipeline.Model));
        Assert.That(Generator.GetService<Tokenizer>(), Is.SameAs(_pipeline.Tokenizer));
        Assert.That((Generator.GetService<TextGenerator>(), Generator.GetService(typeof(Tokenizer), "key")), Is.EqualTo(((TextGenerator?)null, (object?)null)));
        Assert.That(() => Generator.GetService(null!), Throws.ArgumentNullException);
    }

    [Test]
    public async Task Another_model_is_refused_by_name()
    {
        Assert.That(async () => await Generator.GenerateAsync(Texts, new EmbeddingGenerationOptions { ModelId = "other" }),
            Throws.ArgumentException.With.Message.Contains("ask for the model other; this generator has demo-fill-mask"));
        Assert.That(await Generator.GenerateAsync(Texts, new EmbeddingGenerationOptions { ModelId = "demo-fill-mask" }), Has.Count.EqualTo(2));
    }

    [Test]
    public void A_model_has_the_name_of_its_options_its_repository_or_its_directory()
    {
        using var named = SentenceEmbeddingPipeline.Load(TestData.Model("demo-fill-mask"), new PipelineOptions { ModelId = "code" });
        Assert.That(named.ModelId, Is.EqualTo("code"));
        using var shared = FeatureExtractionPipeline.Create(named);
        Assert.That(shared.ModelId, Is.EqualTo("code"));
        using var made = SentenceEmbeddingPipeline.Create(named.Model, named.Tokenizer);
        Assert.That(made.ModelId, Is.EqualTo($"RobertaModel-{named.Model.Fingerprint}"));

        string cache = Directory.CreateTempSubdirectory("mt-test-").FullName;
        try
        {
            string snapshot = Directory.CreateDirectory(Path.Combine(cache, "models--org--name", "snapshots", new string('a', 40))).FullName;
            foreach (string file in Directory.GetFiles(TestData.Model("demo-fill-mask")))
                File.Copy(file, Path.Combine(snapshot, Path.GetFileName(file)));
            using var found = SentenceEmbeddingPipeline.Load(snapshot);
            Assert.That(found.ModelId, Is.EqualTo("org/name"));
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    [Test]
    public async Task Dimensions_keep_the_beginning_which_gets_length_1_where_the_whole_has_it()
    {
        float[] whole = (await Generator.GenerateAsync(Texts))[0].Vector.ToArray();
        float[] cut = (await Generator.GenerateAsync(Texts, new EmbeddingGenerationOptions { Dimensions = 8 }))[0].Vector.ToArray();
        Assert.That(cut, Is.EqualTo(whole[..8]), "this checkpoint's vectors are not normalised");

        var normalized = new EmbeddingGenerationOptions { Dimensions = 8, RawRepresentationFactory = _ => new EmbeddingOptions { Normalize = true } };
        float[] unit = (await Generator.GenerateAsync(Texts, normalized))[0].Vector.ToArray();
        double length = Math.Sqrt(whole[..8].Sum(x => (double)x * x));
        Assert.That(unit, Is.EqualTo(whole[..8].Select(x => x / length)).Within(1e-6));

        Assert.That(async () => await Generator.GenerateAsync(Texts, new EmbeddingGenerationOptions { Dimensions = 257 }),
            Throws.ArgumentException.With.Message.Contains("257 dimensions").And.Message.Contains("have 256, and 1 … 256"));
        Assert.That(() => new EmbeddingOptions { TruncateDim = 0 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("at least 1"));
    }

    [Test]
    public async Task No_text_gives_no_vector_and_null_is_refused_by_its_place()
    {
        Assert.That(await Generator.GenerateAsync([]), Is.Empty);
        Assert.That(async () => await Generator.GenerateAsync(null!), Throws.ArgumentNullException.With.Property("ParamName").EqualTo("values"));
        Assert.That(async () => await Generator.GenerateAsync(["a", null!]), Throws.ArgumentException.With.Message.Contains("Text 1 is null"));
    }

    [Test]
    public async Task An_empty_text_is_its_special_tokens()
    {
        using Session session = _pipeline.Model.CreateSession();
        SpecialTokens special = _pipeline.Tokenizer.SpecialTokens;
        var inputs = ModelInputs.Of([special.ClsTokenId!.Value, special.SepTokenId!.Value]);
        FloatTensor hidden = ((IBaseModel)_pipeline.Model).Forward(inputs, session).LastHiddenState;         // [1, 2, 256]
        float[] mean = [.. Enumerable.Range(0, 256).Select(i => (hidden[0, 0, i] + hidden[0, 1, i]) / 2)];
        Assert.That(_pipeline.Embed(""), Is.EqualTo(mean).Within(1e-5));
        GeneratedEmbeddings<Embedding<float>> embeddings = await Generator.GenerateAsync(["import os", ""]);
        Assert.That(embeddings[1].Vector.ToArray(), Is.EqualTo(mean).Within(1e-5));
    }

    [Test]
    public void A_text_without_any_token_is_refused_by_its_place()
    {
        using var decoder = SentenceEmbeddingPipeline.Load(TestData.Model("demo-codegen"));
        Assert.That(() => decoder.Embed(["def f():", "", "x"]), Throws.TypeOf<ModelInputException>().With.Message.StartsWith("Text 1 of 3: The text is empty"));
    }

    [Test]
    public async Task A_long_text_is_cut_by_both_ways_in_and_refused_where_that_is_asked_for()
    {
        string text = string.Concat(Enumerable.Repeat("x = 1\n", 400));
        float[] cut = _pipeline.Embed(text);
        Assert.That((await Generator.GenerateAsync([text]))[0].Vector.ToArray(), Is.EqualTo(cut));
        Assert.That(() => _pipeline.Embed(["a", text], new EmbeddingOptions { Truncation = false }),
            Throws.TypeOf<ModelInputException>().With.Message.StartsWith("Text 1 of 2: The text is ").And.Message.Contains("at most"));
    }

    [Test]
    public async Task Two_models_on_one_cache_keep_their_vectors_apart()
    {
        using var other = SentenceEmbeddingPipeline.Load(TestData.Model("demo-language-id"));
        IDistributedCache cache = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));
        using IEmbeddingGenerator<string, Embedding<float>> first = Cached(_pipeline), second = Cached(other);
        for (int round = 0; round < 2; round++)
        {
            Assert.That((await first.GenerateAsync(Texts))[0].Vector.ToArray(), Is.EqualTo(_pipeline.Embed(Texts)[0]));
            Assert.That((await second.GenerateAsync(Texts))[0].Vector.ToArray(), Is.EqualTo(other.Embed(Texts)[0]));
        }

        IEmbeddingGenerator<string, Embedding<float>> Cached(SentenceEmbeddingPipeline pipeline) =>
            pipeline.AsBuilder().ConfigureOptions(options => options.ModelId = pipeline.ModelId).UseDistributedCache(cache).Build();
    }
}
