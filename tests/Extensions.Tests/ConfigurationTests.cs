using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>Models from a configuration, and what is wrong with one.</summary>
public sealed class ConfigurationTests
{
    [Test]
    public void Every_option_is_read()
    {
        using ServiceProvider provider = Add(
            ("MT:Models:code:Path", Demo.Embed), ("MT:Models:code:Task", "sentence-embedding"), ("MT:Models:code:WarmUp", "none"),
            ("MT:Models:code:MaxConcurrency", "3"), ("MT:Models:code:MaxBatchSize", "7"),
            ("MT:Models:code:Pipeline:Load:Strict", "true"), ("MT:Models:code:Pipeline:Load:WeightFormat", "Int8"),
            ("MT:Models:code:Pipeline:Load:QuantizeHead", "true"),
            ("MT:Models:code:Pipeline:Load:Kernels:Level", "Portable"), ("MT:Models:code:Pipeline:Load:Kernels:MaxThreads", "1"),
            ("MT:Models:code:Pipeline:Tokenizer:IgnoreTokenizerJson", "false"), ("MT:Models:code:Pipeline:Tokenizer:ModelType", "roberta"),
            ("MT:Models:code:Pipeline:Tokenizer:ClassAliases:MyTokenizer", "RobertaTokenizer"),
            ("MT:Models:code:Embedding:Pooling:0", "Mean"), ("MT:Models:code:Embedding:Pooling:1", "Max"), ("MT:Models:code:Embedding:Normalize", "false"),
            ("MT:Models:code:Embedding:Prompt", "query: "), ("MT:Models:code:Embedding:Truncation", "false"),
            ("MT:Models:code:Embedding:TruncateDim", "64"), ("MT:Models:code:Pipeline:ModelId", "code-search-2"));
        HostedModelOptions options = provider.GetRequiredKeyedService<HostedPipeline<SentenceEmbeddingPipeline>>("code").Options;
        Assert.That((options.WarmUp, options.MaxConcurrency, options.MaxBatchSize), Is.EqualTo((WarmUp.None, (int?)3, 7)));
        LoadOptions load = options.Pipeline!.Load;
        Assert.That((load.Strict, load.WeightFormat, load.QuantizeHead), Is.EqualTo((true, WeightFormat.Int8, true)));
        Assert.That((load.Kernels.Level, load.Kernels.MaxThreads), Is.EqualTo((KernelLevel.Portable, 1)));
        Assert.That((options.Pipeline.Tokenizer!.ModelType, options.Pipeline.Tokenizer.ClassAliases["MyTokenizer"]),
            Is.EqualTo(("roberta", "RobertaTokenizer")));
        EmbeddingOptions embedding = options.Embedding!;
        Assert.That(embedding.Pooling, Is.EqualTo(new[] { Pooling.Mean, Pooling.Max }));
        Assert.That((embedding.Normalize, embedding.Prompt, embedding.Truncation, embedding.TruncateDim),
            Is.EqualTo(((bool?)false, "query: ", false, (int?)64)));
        Assert.That(options.Pipeline.ModelId, Is.EqualTo("code-search-2"));
        Assert.That((KernelOptions.Default.MaxThreads, LoadOptions.Default.Strict), Is.EqualTo((Environment.ProcessorCount, false)), "defaults of the process");
    }

    [Test]
    public void What_is_not_said_stays_the_default()
    {
        using ServiceProvider provider = Add(("MT:Models:m:Path", Demo.FillMask), ("MT:Models:m:Task", "fill-mask"));
        Assert.That(provider.GetRequiredKeyedService<HostedPipeline<FillMaskPipeline>>("m").Options, Is.EqualTo(new HostedModelOptions()));
    }

    [TestCase("MT:Models:m:Pth", "x", "MT:Models:m:Pth is no option; there are Path, Task,")]
    [TestCase("MT:Models:m:WarmUp", "Sometimes", "MT:Models:m:WarmUp is \"Sometimes\"; one of Background, BeforeStart, None is needed.")]
    [TestCase("MT:Models:m:WarmUp", "1", "MT:Models:m:WarmUp is \"1\"; one of")]
    [TestCase("MT:Models:m:WarmUp", "Background,BeforeStart", "MT:Models:m:WarmUp is \"Background,BeforeStart\"; one of")]
    [TestCase("MT:Models:m:WarmUp", "+1", "MT:Models:m:WarmUp is \"+1\"; one of")]
    [TestCase("MT:Models:m:Pipeline", "Portable", "MT:Models:m:Pipeline is \"Portable\"; a section is needed, with")]
    [TestCase("MT:Models:m:Pipeline:Load:Kernels", "Portable", "MT:Models:m:Pipeline:Load:Kernels is \"Portable\"; a section is needed, with")]
    [TestCase("MT:Models:m:Pipeline:ModelId:x", "y", "MT:Models:m:Pipeline:ModelId is a section; a text is needed.")]
    [TestCase("MT:Models", "abc", "MT:Models is \"abc\"; a section is needed, with one section per model")]
    [TestCase("MT:Models:m:MaxBatchSize", "0", "MT:Models:m:MaxBatchSize is \"0\"; a whole number from 1 on is needed.")]
    [TestCase("MT:Models:m:Pipeline:Load:Strict", "yes", "MT:Models:m:Pipeline:Load:Strict is \"yes\"; true or false is needed.")]
    [TestCase("MT:Models:m:Pipeline:Load:Kernels:Threads", "2", "MT:Models:m:Pipeline:Load:Kernels:Threads is no option; there are MaxThreads, Level.")]
    [TestCase("MT:Models:m:Pipeline:Load:Kernels:Level", "Avx3", "MT:Models:m:Pipeline:Load:Kernels:Level is \"Avx3\"; one of")]
    [TestCase("MT:Models:m:Pipeline:Load:Kernels:MaxThreads:X", "2", "MT:Models:m:Pipeline:Load:Kernels:MaxThreads is a section;")]
    [TestCase("MT:Models:m:Embedding:Prompt", "x", "MT:Models:m:Embedding is for sentence-embedding; MT:Models:m has the task fill-mask.")]
    [TestCase("MT:Modles", "x", "MT:Modles is no option; there are Models.")]
    [TestCase("MT:Models:n:Path", "models/x", "MT:Models:n:Task is missing; one of sentence-embedding, feature-extraction, fill-mask,")]
    [TestCase("MT:Models:n:Task", "fill-mask", "MT:Models:n:Path is missing;")]
    public void What_is_wrong_is_named_with_its_path(string key, string value, string message) =>
        Assert.That(() => Add(("MT:Models:m:Path", Demo.FillMask), ("MT:Models:m:Task", "fill-mask"), (key, value)),
            Throws.TypeOf<OptionsValidationException>().With.Message.Contains(message));

    [Test]
    public void A_prompt_and_the_name_of_one_exclude_each_other() =>
        Assert.That(() => Add(("MT:Models:m:Path", Demo.Embed), ("MT:Models:m:Task", "sentence-embedding"),
                ("MT:Models:m:Embedding:Prompt", "query: "), ("MT:Models:m:Embedding:PromptName", "query")),
            Throws.TypeOf<OptionsValidationException>().With.Message.Contains(
                "MT:Models:m:Embedding:Prompt and MT:Models:m:Embedding:PromptName are both set; one of them is needed."));

    [Test]
    public void Everything_that_is_wrong_is_said_at_once() =>
        Assert.That(() => Add(("MT:Models:m:Path", "x"), ("MT:Models:m:Task", "poetry"), ("MT:Models:m:Speed", "11")),
            Throws.TypeOf<OptionsValidationException>().With.Property("Failures").Count.EqualTo(2));

    [Test]
    public void A_section_without_models_is_refused() =>
        Assert.That(() => Add(), Throws.TypeOf<OptionsValidationException>().With.Message.Contains("Models is missing"));

    [Test]
    public void The_only_model_of_a_task_needs_no_key_and_of_two_each_does()
    {
        using ServiceProvider provider = Add(
            ("MT:Models:a:Path", Demo.FillMask), ("MT:Models:a:Task", "fill-mask"), ("MT:Models:b:Path", Demo.FillMask), ("MT:Models:b:Task", "fill-mask"),
            ("MT:Models:c:Path", Demo.Embed), ("MT:Models:c:Task", "sentence-embedding"));
        Assert.That(provider.GetService<FillMaskPipeline>(), Is.Null);
        Assert.That(provider.GetKeyedService<FillMaskPipeline>("a"), Is.Not.Null.And.Not.SameAs(provider.GetKeyedService<FillMaskPipeline>("b")));
        Assert.That(provider.GetService<IEmbeddingGenerator<string, Embedding<float>>>(),
            Is.Not.Null.And.SameAs(provider.GetKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("c")));
        Assert.That(provider.GetServices<HostedModel>().Select(model => model.Name), Is.EquivalentTo(new[] { "a", "b", "c" }));
    }

    [Test]
    public void A_name_is_found_in_any_case_when_another_provider_writes_it_in_capitals()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new("MT:Models:search:Path", Demo.Embed), new("MT:Models:search:Task", "sentence-embedding")])
            .AddInMemoryCollection([new("MT:MODELS:SEARCH:MAXCONCURRENCY", "2")]).Build();
        using ServiceProvider provider = new ServiceCollection().AddManagedTransformers(configuration.GetSection("MT")).BuildServiceProvider();
        var hosted = provider.GetRequiredKeyedService<HostedPipeline<SentenceEmbeddingPipeline>>("search");
        Assert.That(hosted.Options.MaxConcurrency, Is.EqualTo(2));
        Assert.That(provider.GetRequiredKeyedService<HostedPipeline<SentenceEmbeddingPipeline>>("SEARCH"), Is.SameAs(hosted));
        Assert.That(provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("search"),
            Is.SameAs(provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("SEARCH")));
        Assert.That(provider.GetServices<HostedModel>(), Is.EqualTo(new[] { hosted }), "one model");
    }

    [Test]
    public void A_name_that_there_is_not_is_no_service()
    {
        using ServiceProvider provider = Add(("MT:Models:m:Path", Demo.FillMask), ("MT:Models:m:Task", "fill-mask"));
        Assert.That(provider.GetKeyedService<FillMaskPipeline>("n"), Is.Null);
        Assert.That(() => provider.GetRequiredKeyedService<FillMaskPipeline>("n"), Throws.InvalidOperationException);
    }

    [Test]
    public void A_model_that_is_added_in_code_without_a_key_is_the_one_without_a_key([Values] bool codeFirst)
    {
        var services = new ServiceCollection();
        if (codeFirst)
            services.AddManagedTransformersEmbeddingGenerator(Demo.Embed);
        services.AddManagedTransformers(Section(("Models:search:Path", Demo.Embed), ("Models:search:Task", "sentence-embedding")));
        if (!codeFirst)
            services.AddManagedTransformersEmbeddingGenerator(Demo.Embed);
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.That(provider.GetRequiredService<HostedPipeline<SentenceEmbeddingPipeline>>().Name, Is.EqualTo("demo-embed"));
        Assert.That(provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>(),
            Is.Not.SameAs(provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("search")));
    }

    [Test]
    public void Of_two_sections_with_a_model_of_one_task_neither_is_found_without_a_key()
    {
        using ServiceProvider provider = new ServiceCollection()
            .AddManagedTransformers(Section(("Models:a:Path", Demo.FillMask), ("Models:a:Task", "fill-mask")))
            .AddManagedTransformers(Section(("Models:b:Path", Demo.FillMask), ("Models:b:Task", "fill-mask")))
            .BuildServiceProvider();
        Assert.That(provider.GetService<HostedPipeline<FillMaskPipeline>>(), Is.Null);
        Assert.That(provider.GetRequiredKeyedService<HostedPipeline<FillMaskPipeline>>("A").Name, Is.EqualTo("a"));
        Assert.That(provider.GetRequiredKeyedService<HostedPipeline<FillMaskPipeline>>("B").Name, Is.EqualTo("b"));
    }

    private static IConfigurationRoot Section(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(one => KeyValuePair.Create(one.Key, (string?)one.Value))).Build();

    private static ServiceProvider Add(params (string Key, string Value)[] settings)
    {
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(one => KeyValuePair.Create(one.Key, (string?)one.Value))).Build();
        return new ServiceCollection().AddManagedTransformers(configuration.GetSection("MT")).BuildServiceProvider();
    }
}
