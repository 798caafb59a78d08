using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Calls with many texts, or a very long one: what they give, what they allocate, and how they end.</summary>
public sealed class ManyTextsTests
{
    // More than two chunks of 512.
    private static readonly string[] Texts = [.. Enumerable.Range(0, 1_100).Select(i => $"x{i} = f({string.Join(", ", Enumerable.Range(0, i % 5))})")];

    [Test]
    public void Texts_of_many_chunks_get_the_vectors_that_they_get_alone_in_the_order_given()
    {
        using BertModel model = TestData.Tiny<BertModel>(8200);
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
        var progress = new Reports();
        IReadOnlyList<float[]> vectors = pipeline.Embed(Texts, options: null, progress);
        Assert.That(vectors, Has.Count.EqualTo(Texts.Length));
        for (int i = 0; i < Texts.Length; i += 37)
            Assert.That(vectors[i], Is.EqualTo(pipeline.Embed(Texts[i])).Within(1e-5), Texts[i]);
        Assert.That(progress.Values, Is.Ordered.Ascending.And.Unique);
        Assert.That(progress.Values[^1], Is.EqualTo(Texts.Length));
    }

    [Test]
    public void Windows_of_many_texts_give_the_entities_that_each_text_has_alone()
    {
        using BertForTokenClassification model = TestData.Tiny<BertForTokenClassification>(8200, 64, "O", "B-NAME", "I-NAME");
        using TokenClassificationPipeline pipeline = TokenClassificationPipeline.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
        static (string, int, int, double) Span(Entity entity) => (entity.Label, entity.Start, entity.End, Math.Round(entity.Score, 4));
        var options = new TokenClassificationOptions { Stride = 2, WindowLength = 9 };
        string[] texts = Texts[..600];
        var progress = new Reports();
        IReadOnlyList<IReadOnlyList<Entity>> entities = pipeline.Tag(texts, options, progress);
        for (int i = 0; i < texts.Length; i += 23)
            Assert.That(entities[i].Select(Span), Is.EqualTo(pipeline.Tag(texts[i], options).Select(Span)), texts[i]);
        Assert.That(progress.Values, Is.Ordered.Ascending.And.Unique);
    }

    [Test]
    public void The_first_bad_text_is_the_one_that_is_told()
    {
        using BertModel model = TestData.Tiny<BertModel>(8200);
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
        string[] texts = [.. Texts[..100]];
        (texts[40], texts[80]) = (string.Concat(Enumerable.Repeat("too long ", 100)), "");
        var options = new EmbeddingOptions { Truncation = false };
        Assert.That(
            () => pipeline.Embed(texts, options), Throws.TypeOf<ModelInputException>().With.Message.Contains("Text 40").And.Message.Contains("at most 64"));
    }

    [Test]
    public void One_very_long_text_ends_while_it_is_tokenized([Values] bool truncation)
    {
        using BertModel model = TestData.Tiny<BertModel>(8200);
        using SentenceEmbeddingPipeline embedder = SentenceEmbeddingPipeline.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
        string text = string.Concat(Enumerable.Repeat("return self.value + 1\n", 500_000));
        using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
        Assert.That(
            () => embedder.Embed(text, new EmbeddingOptions { Truncation = truncation }, source.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void A_pass_ends_between_two_modules_and_its_session_is_good_for_the_next()
    {
        using BertModel model = TestData.Tiny<BertModel>(100);
        using Session session = model.CreateSession();
        ModelInputs inputs = ModelInputs.Of(1, 2, 3);
        float[] expected = model.Forward(inputs, session).LastHiddenState.Span.ToArray();
        session.Cancellation = new CancellationToken(canceled: true);
        Assert.That(() => model.Forward(inputs, session), Throws.InstanceOf<OperationCanceledException>());
        session.Cancellation = default;
        Assert.That(model.Forward(inputs, session).LastHiddenState.Span.ToArray(), Is.EqualTo(expected));
    }

    [Test]
    public void A_cancelled_pass_leaves_the_cache_of_a_decoder_as_it_was()
    {
        using ICausalLM model = PretrainedModels.Load<ICausalLM>(TestData.Model("demo-codegen"));
        using Session session = model.CreateSession(), other = model.CreateSession();
        model.Forward([313, 5282], session);
        session.Cancellation = new CancellationToken(canceled: true);
        Assert.That(() => model.Forward([323, 12], session), Throws.InstanceOf<OperationCanceledException>());
        session.Cancellation = default;
        Assert.That(session.Cache!.Length(0), Is.EqualTo(2));
        model.Forward([313, 5282], other);
        Assert.That(
            model.Forward([7], session).Logits.Span.ToArray(), Is.EqualTo(model.Forward([7], other).Logits.Span.ToArray()));
    }

    [Test]
    public void Embedding_many_snippets_allocates_at_most_20_KB_for_each()
    {
        // One thread, so that all is allocated here. The model has 256 numbers per vector, which are 1 KB of it.
        var options = new PipelineOptions { Load = new LoadOptions { Kernels = new KernelOptions { MaxThreads = 1 } } };
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(TestData.Model("demo-embed"), options);
        string[] snippets = [.. Enumerable.Range(0, 200).Select(i => $"def area_{i}(width, height):\n    \"\"\"The area of a rectangle.\"\"\"\n" +
            string.Concat(Enumerable.Range(0, i % 12).Select(n => $"    total_{n} = width * {n} + height\n")) + "    return width * height\n")];
        long bytes = Allocations.Of(() => pipeline.Embed(snippets, new EmbeddingOptions { Truncation = true }));
        Assert.That(bytes / snippets.Length, Is.LessThan(20_000));
    }

    private sealed class Reports : IProgress<int>
    {
        public List<int> Values { get; } = [];

        public void Report(int value) => Values.Add(value);
    }
}
