namespace ManagedTransformers.Serving.Tests;

/// <summary>What stands in front of models that are elsewhere: it encodes, plans and counts as they do, and has no weights.</summary>
public sealed class ModelPipelinesTests
{
    [Test]
    public void A_generator_without_weights_plans_as_the_whole_one()
    {
        using ModelPipelines header = WithoutWeights("demo-codegen", ModelTasks.Generation | ModelTasks.Infill);
        using TextGenerator whole = TextGenerator.Load(PathOf("demo-codegen"));
        TextGenerator generator = header.Generator!;
        Assert.That(generator.Encode("def add(a, b):\n"), Is.EqualTo(whole.Encode("def add(a, b):\n")));
        Assert.That((generator.CausalLM.Config.MaxTokens, generator.Defaults.MaxNewTokens, generator.ModelId),
            Is.EqualTo((whole.CausalLM.Config.MaxTokens, whole.Defaults.MaxNewTokens, "elsewhere")));
        var gap = new InfillRequest("def f(x):\n    ", "return x");
        Assert.That(generator.Gap(gap, null).Prompt.Tokens, Is.EqualTo(whole.Gap(gap, null).Prompt.Tokens));
        Assert.That(() => generator.Generate("x"), Throws.InvalidOperationException.With.Message.Contains("opened without weights"));
    }

    [Test]
    public void Encoders_without_weights_count_as_the_whole_ones()
    {
        using ModelPipelines header = WithoutWeights("demo-embed", ModelTasks.Embedding | ModelTasks.FeatureExtraction);
        using SentenceEmbeddingPipeline whole = SentenceEmbeddingPipeline.Load(PathOf("demo-embed"));
        var embed = (SentenceEmbeddingPipeline)header.Encoders[0];
        Assert.That((embed.MaxTokens, embed.DimensionsOf(EmbeddingOptions.Default), embed.Tokenizer.CountTokens("def f(): pass")),
            Is.EqualTo((whole.MaxTokens, whole.DimensionsOf(EmbeddingOptions.Default), whole.Tokenizer.CountTokens("def f(): pass"))));
        Assert.That(embed.Pooling, Is.EqualTo(whole.Pooling));
        Assert.That(() => embed.Embed("x"), Throws.InvalidOperationException.With.Message.Contains("opened without weights"));
    }

    // As a silo sends them: no file of weights.
    private static ModelPipelines WithoutWeights(string name, ModelTasks tasks)
    {
        string directory = PathOf(name);
        var files = Directory.GetFiles(directory, "*.json", SearchOption.AllDirectories).ToDictionary(
            path => Path.GetRelativePath(directory, path).Replace('\\', '/'), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
        return ModelPipelines.WithoutWeights(files, tasks, new PipelineOptions { ModelId = "elsewhere" });
    }

    private static string PathOf(string name) => Path.Combine(RepositoryRoot.Path, "models", name);
}
