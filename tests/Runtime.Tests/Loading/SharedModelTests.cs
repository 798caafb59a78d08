using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Several pipelines over one model, whose weights are opened once.</summary>
public sealed class SharedModelTests
{
    private const string Text = "def f(): pass";

    [Test]
    public void Fill_mask_and_embeddings_read_the_same_mapped_weights()
    {
        using var fillMask = FillMaskPipeline.Load(TestData.Model("demo-fill-mask"));
        using var embedder = SentenceEmbeddingPipeline.Create(fillMask);
        using var features = FeatureExtractionPipeline.Create(fillMask.Model, fillMask.Tokenizer);
        using var alone = SentenceEmbeddingPipeline.Load(TestData.Model("demo-fill-mask"));

        const string Name = "roberta.embeddings.word_embeddings.weight";
        ref byte weights = ref Start(fillMask.Model, Name);
        Assert.That(Unsafe.AreSame(ref weights, ref Start(embedder.Model, Name)), "one mapping");
        Assert.That(Unsafe.AreSame(ref weights, ref Start(features.Model, Name)), "one mapping");
        Assert.That(Unsafe.AreSame(ref weights, ref Start(alone.Model, Name)), Is.False, "what is opened for itself has its own");
        Assert.That((embedder.Model.Architecture, embedder.ModelId), Is.EqualTo(("BertModel", "demo-fill-mask")));
        Assert.That(embedder.Embed(Text), Is.EqualTo(alone.Embed(Text)));
        Assert.That(fillMask.Predict("import <mask> as np")[0].TokenText, Is.EqualTo(" numpy"));
    }

    [Test]
    public void Weights_are_the_first_ones_who_is_disposed_last()
    {
        var fillMask = FillMaskPipeline.Load(TestData.Model("demo-fill-mask"));
        var embedder = SentenceEmbeddingPipeline.Create(fillMask);
        embedder.Dispose();
        Assert.That(fillMask.Predict("import <mask> as np")[0].TokenText, Is.EqualTo(" numpy"), "it does not take the weights along");
        embedder = SentenceEmbeddingPipeline.Create(fillMask);
        fillMask.Dispose();
        Assert.That(() => embedder.Embed(Text), Throws.TypeOf<ObjectDisposedException>());
        embedder.Dispose();
    }

    [Test]
    public void What_the_checkpoints_files_say_holds_for_the_second_pipeline_too()
    {
        using var features = FeatureExtractionPipeline.FromFiles(TestData.Case("st-prompt"));
        using var embedder = SentenceEmbeddingPipeline.Create(features);
        using var alone = SentenceEmbeddingPipeline.FromFiles(TestData.Case("st-prompt"));
        Assert.That(embedder.DefaultPromptName, Is.EqualTo("query"));
        Assert.That(embedder.Embed(Text), Is.EqualTo(alone.Embed(Text)));

        using var scorer = TextScorer.Load(TestData.Model("demo-codegen"));
        using var generator = TextGenerator.Create(scorer);
        using var loaded = TextGenerator.Load(TestData.Model("demo-codegen"));
        Assert.That(generator.Defaults.EosTokenId, Is.EqualTo(loaded.Defaults.EosTokenId));
        var few = new GenerationOptions { MaxNewTokens = 8 };
        Assert.That(generator.Generate("def f():", few), Is.EqualTo(loaded.Generate("def f():", few)));
        using var again = TextScorer.Create(generator);
        Assert.That(again.Score(Text).LogProbability, Is.EqualTo(scorer.Score(Text).LogProbability));
    }

    [Test]
    public void A_model_without_the_head_that_is_needed_is_refused()
    {
        using var embedder = SentenceEmbeddingPipeline.Load(TestData.Model("demo-fill-mask"));
        Assert.That(() => FillMaskPipeline.Create(embedder), Throws.TypeOf<ConfigException>().With.Message.Contains("does not fill masks"));
        Assert.That(() => FillMaskPipeline.Create(null!), Throws.ArgumentNullException);
    }

    private static ref byte Start(PretrainedModel model, string name) =>
        ref MemoryMarshal.GetReference(model.Weights.First(weight => weight.Name == name).Bytes);
}
