using System.Text;
using ManagedTransformers.Models;
using Microsoft.Extensions.AI;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Whatever the files of a sentence-transformers checkpoint say is honoured, or named.</summary>
public sealed class SentenceFilesTests
{
    private const string Text = "def f(): pass";
    private const string Long = "def f(a, b, c, d): return a + b * c / d if a else None; x = 1; y = 2; z = 3";
    private const string ConfigFile = "config_sentence_transformers.json";
    private const string TransformerFile = "sentence_bert_config.json";

    private SentenceEmbeddingPipeline _plain = null!;

    [OneTimeSetUp]
    public void Load() => _plain = Open("st-old-pooling");

    [OneTimeTearDown]
    public void Dispose() => _plain.Dispose();

    [Test]
    public void The_pooling_mode_of_5_4_is_the_old_switch()
    {
        using SentenceEmbeddingPipeline pipeline = Open("st54-pooling");
        Assert.That(pipeline.Pooling, Is.EqualTo(new[] { Pooling.Mean }));
        Assert.That(pipeline.Embed(Text), Is.EqualTo(_plain.Embed(Text)));
        Assert.That(pipeline.Warnings, Is.Empty);
    }

    [TestCase("st-lasttoken", Pooling.LastToken)]
    [TestCase("st-mean_sqrt_len_tokens", Pooling.MeanSqrtLenTokens)]
    [TestCase("st-weightedmean_tokens", Pooling.WeightedMean)]
    public void The_other_modes_pool_as_their_formula_says(string name, Pooling mode)
    {
        using SentenceEmbeddingPipeline pipeline = Open(name);
        using FeatureExtractionPipeline features = FeatureExtractionPipeline.FromFiles(TestData.Case(name));
        FloatTensor hidden = features.Extract(Text);
        int n = hidden.Shape[1];
        double[] expected = [.. Enumerable.Range(0, 256).Select(i => mode switch
        {
            Pooling.LastToken => hidden[0, n - 1, i],
            Pooling.MeanSqrtLenTokens => Enumerable.Range(0, n).Sum(t => (double)hidden[0, t, i]) / Math.Sqrt(n),
            _ => Enumerable.Range(0, n).Sum(t => (t + 1) * (double)hidden[0, t, i]) / (n * (n + 1) / 2),
        })];
        Assert.That(pipeline.Embed(Text), Is.EqualTo(expected).Within(1e-4));
    }

    [TestCase("""{"embedding_dimension": 256, "pooling_mode": ["weightedmean", "cls"]}""", Pooling.WeightedMean, Pooling.Cls)]
    [TestCase("""{"word_embedding_dimension": 256, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true, "pooling_mode_cls_token": true}""",
        Pooling.Cls, Pooling.Max, Pooling.Mean)]
    [TestCase("""{"word_embedding_dimension": 256, "pooling_mode": "max", "pooling_mode_mean_tokens": true}""", Pooling.Max)]
    [TestCase("""{"word_embedding_dimension": 256}""", Pooling.Mean)]
    public void Several_modes_are_joined_in_the_order_of_the_list_or_of_sentence_transformers(string config, params Pooling[] modes)
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-old-pooling", ("1_Pooling/config.json", config));
        Assert.That(pipeline.Pooling, Is.EqualTo(modes));
        Assert.That(pipeline.Dimensions, Is.EqualTo(256 * modes.Length));
        float[] expected = [.. modes.SelectMany(mode => _plain.Embed(Text, new EmbeddingOptions { Pooling = [mode] }))];
        Assert.That(pipeline.Embed(Text), Is.EqualTo(expected));
    }

    [TestCase("""{"word_embedding_dimension": 256, "pooling_mode": "median"}""",
        "pooling mode \"median\" is unknown; there are cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken")]
    [TestCase("""{"word_embedding_dimension": 256, "pooling_mode": ["mean", 3]}""", "pooling mode 3 is unknown")]
    [TestCase("""{"word_embedding_dimension": 256, "pooling_mode_median_tokens": true}""",
        "pooling_mode_median_tokens is unknown; there are pooling_mode_cls_token")]
    [TestCase("""{"word_embedding_dimension": 768, "pooling_mode": "mean"}""", "768 numbers; the model's have 256")]
    [TestCase("""{"pooling_mode_mean_tokens": 1}""", "true or false")]
    [TestCase("""{"word_embedding_dimension": 256, "pooling_mode": []}""",
        "pooling_mode is an empty list; cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken, or several of them, are needed")]
    public void A_pooling_that_cannot_be_is_refused_by_name(string config, string says) =>
        Assert.That(() => Open("st-old-pooling", ("1_Pooling/config.json", config)), Throws.TypeOf<ConfigException>().With.Message.Contains(says));

    [Test]
    public void The_default_prompt_stands_before_each_text_and_another_can_be_chosen()
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-prompt");
        Assert.That((pipeline.DefaultPromptName, pipeline.Prompts["passage"]), Is.EqualTo(("query", "passage: ")));
        Assert.That(pipeline.Embed(Text), Is.EqualTo(_plain.Embed($"query: {Text}")));
        Assert.That(pipeline.Embed(Text, new EmbeddingOptions { PromptName = "passage" }), Is.EqualTo(_plain.Embed($"passage: {Text}")));
        Assert.That(pipeline.Embed(Text, new EmbeddingOptions { Prompt = "code: " }), Is.EqualTo(_plain.Embed($"code: {Text}")));
        Assert.That(pipeline.Embed(Text, new EmbeddingOptions { Prompt = "" }), Is.EqualTo(_plain.Embed(Text)));
        Assert.That(pipeline.Embed(""), Is.EqualTo(_plain.Embed("query: ")), "an empty text is its prompt, as in sentence-transformers");
        Assert.That(() => pipeline.Embed(Text, new EmbeddingOptions { PromptName = "pasage" }),
            Throws.ArgumentException.With.Message.Contains("no prompt named pasage; it has query, passage"));
        Assert.That(() => pipeline.Embed(Text, new EmbeddingOptions { PromptName = "query", Prompt = "query: " }),
            Throws.ArgumentException.With.Message.Contains("both set"));
        Assert.That(() => _plain.Embed(Text, new EmbeddingOptions { PromptName = "query" }), Throws.ArgumentException.With.Message.Contains("it has none"));
    }

    [Test]
    public async Task Microsoft_Extensions_AI_gets_the_prompt_too()
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-prompt");
        IEmbeddingGenerator<string, Embedding<float>> generator = pipeline;
        Assert.That((await generator.GenerateAsync([Text]))[0].Vector.ToArray(), Is.EqualTo(_plain.Embed($"query: {Text}")));
        var passage = new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new EmbeddingOptions { PromptName = "passage" } };
        Assert.That((await generator.GenerateAsync([Text], passage))[0].Vector.ToArray(), Is.EqualTo(_plain.Embed($"passage: {Text}")));
    }

    [TestCase("mean")]
    [TestCase("max")]
    public void Without_include_prompt_its_tokens_are_read_and_not_pooled(string mode)
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-prompt",
            ("1_Pooling/config.json", $$"""{"embedding_dimension": 256, "pooling_mode": "{{mode}}", "include_prompt": false}"""));
        using FeatureExtractionPipeline features = FeatureExtractionPipeline.FromFiles(TestData.Case("st-prompt"));
        FloatTensor hidden = features.Extract($"query: {Text}");
        int[] ids = pipeline.Tokenizer.Encode($"query: {Text}").Ids, prompt = pipeline.Tokenizer.Encode("query:").Ids;
        int first = prompt.Length - 1;                      // <s> and the prompt's tokens; not </s>
        Assert.That(ids[..first], Is.EqualTo(prompt[..first]));
        float[][] rows = [.. Enumerable.Range(first, ids.Length - first).Select(t => Enumerable.Range(0, 256).Select(i => hidden[0, t, i]).ToArray())];
        float[] expected = [.. Enumerable.Range(0, 256).Select(i => mode == "mean" ? rows.Average(row => row[i]) : rows.Max(row => row[i]))];
        Assert.That(pipeline.Embed(Text), Is.EqualTo(expected).Within(1e-4));
        Assert.That(pipeline.Embed(Text, new EmbeddingOptions { Prompt = "" }),
            Is.EqualTo(_plain.Embed(Text, new EmbeddingOptions { Pooling = pipeline.Pooling })));
    }

    [Test]
    public void Texts_are_put_in_lower_case_where_the_file_says_so()
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-lower");
        Assert.That(pipeline.Embed("DEF F(): PASS"), Is.EqualTo(_plain.Embed("def f(): pass")));
        Assert.That(pipeline.Embed("ÄÖ İ"), Is.EqualTo(_plain.Embed("äö i\u0307")));
        Assert.That(pipeline.Embed(Text, new EmbeddingOptions { Prompt = "QUERY: " }), Is.EqualTo(_plain.Embed("query: def f(): pass")));
    }

    [TestCase("st-bert-config16")]
    [TestCase("st-roberta-config")]
    [TestCase("model-max-length")]
    public void The_smallest_limit_counts_wherever_it_stands(string name)
    {
        using SentenceEmbeddingPipeline control = Open("st-bert-config16"), pipeline = Open(name);
        Assert.That(pipeline.MaxTokens, Is.EqualTo(16));
        Assert.That(pipeline.Embed(Long), Is.EqualTo(control.Embed(Long)));
        Assert.That(pipeline.Embed(Long), Is.Not.EqualTo(_plain.Embed(Long)));
        Assert.That(() => pipeline.Embed(Long, new EmbeddingOptions { Truncation = false }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 16"));
    }

    [TestCase("distilbert")]
    [TestCase("camembert")]
    [TestCase("albert")]
    [TestCase("xlm-roberta")]
    [TestCase("xlnet")]
    public void Older_names_of_the_file_count_and_bert_first(string family)
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-old-pooling", ($"sentence_{family}_config.json", """{"max_seq_length": 20}"""));
        Assert.That(pipeline.MaxTokens, Is.EqualTo(20));
        using SentenceEmbeddingPipeline both = Open("st-old-pooling", ($"sentence_{family}_config.json", """{"max_seq_length": 20}"""),
            (TransformerFile, """{"max_seq_length": 30}"""));
        Assert.That(both.MaxTokens, Is.EqualTo(30));
    }

    [Test]
    public void Dense_and_Normalize_follow_the_pooling()
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-dense");
        Assert.That((pipeline.Dimensions, pipeline.Normalize), Is.EqualTo((8, true)));
        double[] dense = Dense(_plain.Embed(Text), Math.Tanh);
        Assert.That(pipeline.Embed(Text, new EmbeddingOptions { Normalize = false }), Is.EqualTo(dense).Within(1e-5));
        double length = Math.Sqrt(dense.Sum(x => x * x));
        Assert.That(pipeline.Embed(Text), Is.EqualTo(dense.Select(x => x / length)).Within(1e-5));
        Assert.That(((IEmbeddingGenerator)pipeline).GetService(typeof(EmbeddingGeneratorMetadata)), Has.Property("DefaultModelDimensions").EqualTo(8));
        Assert.That(() => pipeline.Embed(Text, new EmbeddingOptions { Pooling = [Pooling.Cls, Pooling.Mean] }),
            Throws.ArgumentException.With.Message.Contains("read the vectors of 1"));
    }

    [Test]
    public void Every_activation_of_Dense_is_the_one_that_the_file_names()
    {
        (string Name, Func<double, double> Function)[] known =
        [
            ("torch.nn.modules.linear.Identity", x => x), ("torch.nn.modules.activation.ReLU", x => Math.Max(x, 0)),
            ("torch.nn.modules.activation.Sigmoid", x => 1 / (1 + Math.Exp(-x))),
            ("torch.nn.modules.activation.SiLU", x => x / (1 + Math.Exp(-x))), ("torch.nn.modules.activation.Tanh", Math.Tanh),
        ];
        foreach ((string name, Func<double, double> function) in known)
        {
            using SentenceEmbeddingPipeline pipeline = Open("st-dense",
                ("2_Dense/config.json", $$"""{"in_features": 256, "out_features": 8, "bias": true, "activation_function": "{{name}}"}"""));
            Assert.That(pipeline.Embed(Text, new EmbeddingOptions { Normalize = false }), Is.EqualTo(Dense(_plain.Embed(Text), function)).Within(1e-5), name);
        }
    }

    [Test]
    public void Modules_in_the_middle_and_LayerNorm_run_in_the_order_of_the_file()
    {
        const string Modules = """
            [{"path": "", "type": "sentence_transformers.models.Transformer"}, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
             {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}, {"path": "3_Dropout", "type": "sentence_transformers.models.Dropout"},
             {"path": "2_Dense", "type": "sentence_transformers.base.modules.dense.Dense"},
             {"path": "4_LayerNorm", "type": "sentence_transformers.models.LayerNorm"}]
            """;
        Dictionary<string, ReadOnlyMemory<byte>> files = TestData.Case("st-dense");
        files["modules.json"] = Encoding.UTF8.GetBytes(Modules);
        files["4_LayerNorm/config.json"] = Encoding.UTF8.GetBytes("""{"dimension": 8}""");
        files["4_LayerNorm/model.safetensors"] = Weights(("norm.weight", [8], [1, 2, 1, 2, 1, 2, 1, 2]), ("norm.bias", [8], [0, 0, 0, 0, 1, 1, 1, 1]));
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.FromFiles(files);
        Assert.That(pipeline.Normalize, Is.False);
        double[] x = Dense(_plain.Embed(Text, new EmbeddingOptions { Normalize = true }), Math.Tanh);
        double mean = x.Average(), deviation = Math.Sqrt(x.Average(y => (y - mean) * (y - mean)) + 1e-5);
        Assert.That(pipeline.Embed(Text), Is.EqualTo(x.Select((y, i) => ((y - mean) / deviation * (1 + (i % 2))) + (i / 4))).Within(1e-4));
    }

    [Test]
    public void A_residual_is_added_to_Dense_through_its_matrix()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = TestData.Case("st-dense");
        files["2_Dense/config.json"] = Encoding.UTF8.GetBytes(
            """{"in_features": 256, "out_features": 8, "bias": true, "use_residual": true, "activation_function": "torch.nn.modules.activation.Tanh"}""");
        (float[] weight, float[] bias) = DenseWeights();
        float[] residual = [.. Enumerable.Range(0, 8 * 256).Select(i => i % 256 == i / 256 ? 2f : 0)];
        files["2_Dense/model.safetensors"] = Weights(("linear.weight", [8, 256], weight), ("linear.bias", [8], bias), ("residual.weight", [8, 256], residual));
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.FromFiles(files);
        float[] pooled = _plain.Embed(Text);
        Assert.That(pipeline.Embed(Text, new EmbeddingOptions { Normalize = false }),
            Is.EqualTo(Dense(pooled, Math.Tanh).Select((y, i) => y + (2 * pooled[i]))).Within(1e-5));
    }

    [TestCase("""{"in_features": 128, "out_features": 8}""", "needs it as [8, 128]")]
    [TestCase("""{"in_features": 256, "out_features": 16}""", "needs it as [16, 256]")]
    [TestCase("""{"in_features": 256}""", "out_features is missing")]
    [TestCase("""{"in_features": 256, "out_features": 8, "activation_function": "torch.nn.modules.activation.Mish"}""", "torch.nn.modules.activation.Mish")]
    [TestCase("""{"in_features": 256, "out_features": 8, "activation_function": "my.module.Tanh"}""", "my.module.Tanh")]
    [TestCase("""{"in_features": 256, "out_features": 8, "module_input_name": "token_embeddings"}""", "module_input_name is \"token_embeddings\"")]
    public void A_Dense_that_cannot_be_is_refused(string config, string says) =>
        Assert.That(() => Open("st-dense", ("2_Dense/config.json", config)), Throws.InstanceOf<Exception>().With.Message.Contains(says));

    [Test]
    public void A_Dense_of_another_width_than_the_pooling_is_refused() =>
        Assert.That(() => Open("st-dense", ("1_Pooling/config.json", """{"embedding_dimension": 256, "pooling_mode": ["mean", "max"]}""")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("in_features is 256; the vectors before it have 512 numbers"));

    [TestCase("cosine", 0.96)]
    [TestCase("dot", 24)]
    [TestCase("euclidean", -1.4142136)]
    [TestCase("manhattan", -2)]
    public void Vectors_are_compared_as_the_file_says(string name, double expected)
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-old-pooling", (ConfigFile, $$"""{"similarity_fn_name": "{{name}}"}"""));
        Assert.That(pipeline.SimilarityFunction.ToString(), Is.EqualTo(name).IgnoreCase);
        // 3 · 4 + 4 · 3 = 24, |a| = |b| = 5
        Assert.That(pipeline.Similarity([3, 4], [4, 3]), Is.EqualTo(expected).Within(1e-6));
        Assert.That(() => pipeline.Similarity([3, 4], [4]), Throws.ArgumentException.With.Message.Contains("2 numbers"));
    }

    [Test]
    public void Dimensions_are_cut_after_the_modules_where_the_file_says_so()
    {
        using SentenceEmbeddingPipeline pipeline = Open("st-dense", (ConfigFile, """{"truncate_dim": 3}""")), whole = Open("st-dense");
        Assert.That(pipeline.Dimensions, Is.EqualTo(3));
        Assert.That(pipeline.Embed(Text), Is.EqualTo(whole.Embed(Text)[..3]));
        float[] normalized = pipeline.Embed(Text, new EmbeddingOptions { Normalize = true });
        Assert.That(normalized.Sum(x => x * x), Is.EqualTo(1).Within(1e-5));
    }

    [TestCase(ConfigFile, """{"similarity_fn_name": "MaxSim"}""", "similarity_fn_name is MaxSim; there are cosine, dot, euclidean and manhattan")]
    [TestCase(ConfigFile, """{"model_type": "SparseEncoder"}""", "model_type is \"SparseEncoder\"")]
    [TestCase(ConfigFile, """{"prompts": {"query": "q"}, "default_prompt_name": "search"}""", "default_prompt_name is search; prompts has query")]
    [TestCase(ConfigFile, """{"prompts": {"query": 1}}""", "prompts.query is 1; a text")]
    [TestCase(ConfigFile, """{"prompts": ["query"]}""", "an object of texts")]
    [TestCase(ConfigFile, """{"truncate_dim": 0}""", "truncate_dim is 0")]
    [TestCase(TransformerFile, """{"transformer_task": "fill-mask"}""", "fill-mask")]
    [TestCase(TransformerFile, """{"do_lower_case": "yes"}""", "do_lower_case is \"yes\"")]
    [TestCase(TransformerFile, """{"modality_config": {"image": {"method": "get_image_features"}}}""", "modality_config")]
    public void What_the_files_ask_for_and_this_runtime_lacks_is_refused(string file, string json, string says) =>
        Assert.That(() => Open("st-old-pooling", (file, json)), Throws.TypeOf<ConfigException>().With.Message.Contains(says).And.Message.Contains(file));

    [Test]
    public void Keys_that_are_not_known_are_warned_of_by_name_and_refused_where_loading_is_strict()
    {
        (string, string) odd = (TransformerFile,
            """{"max_seq_length": 128, "do_lower_case": false, "model_args": {}, "query_length": null, "processing_kwargs": {"text": {"max_length": 8}}}""");
        var told = new List<string>();
        var options = new PipelineOptions { Load = new LoadOptions { OnWarning = told.Add } };
        using (SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.FromFiles(Files("st-old-pooling", odd), options))
            Assert.That(pipeline.Warnings, Is.EqualTo(new[] { $"{TransformerFile}: processing_kwargs is not known here and not used." }));
        Assert.That(told, Has.Count.EqualTo(1));
        options = new PipelineOptions { Load = new LoadOptions { Strict = true } };
        Assert.That(() => SentenceEmbeddingPipeline.FromFiles(Files("st-old-pooling", odd), options),
            Throws.TypeOf<ConfigException>().With.Message.Contains("processing_kwargs"));
        SentenceEmbeddingPipeline.FromFiles(Files("st-prompt"), options).Dispose();
    }

    private static SentenceEmbeddingPipeline Open(string name, params (string Name, string Json)[] changed) =>
        SentenceEmbeddingPipeline.FromFiles(Files(name, changed));

    private static Dictionary<string, ReadOnlyMemory<byte>> Files(string name, params (string Name, string Json)[] changed)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = TestData.Case(name);
        foreach ((string file, string json) in changed)
            files[file] = Encoding.UTF8.GetBytes(json);
        return files;
    }

    /// <summary>act(W x + b) of the case st-dense, in doubles.</summary>
    private static double[] Dense(float[] x, Func<double, double> activation)
    {
        (float[] weight, float[] bias) = DenseWeights();
        return [.. bias.Select((b, row) => activation(b + x.Select((value, i) => (double)value * weight[(row * x.Length) + i]).Sum()))];
    }

    private static (float[] Weight, float[] Bias) DenseWeights()
    {
        using SafetensorsFile file = SafetensorsFile.FromBytes(TestData.Case("st-dense")["2_Dense/model.safetensors"]);
        return (file.Weights["linear.weight"].ToSingle(), file.Weights["linear.bias"].ToSingle());
    }

    private static ReadOnlyMemory<byte> Weights(params (string Name, long[] Shape, float[] Values)[] tensors)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, [.. tensors.Select(tensor => TensorEntry.Create(tensor.Name, tensor.Shape, tensor.Values))]);
        return stream.ToArray();
    }
}
