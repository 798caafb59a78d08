using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Sentence models and cross-encoders in the form in which they are published. What is expected is computed here from the last hidden states: the
/// pooling, the Dense layer and the length by hand, in doubles.</summary>
public sealed class PublishedCheckpointTests
{
    private const string Sentence = "Where does the TEXT begin, and who reads Ünïcode 日本語?";
    private const string Files = "config_sentence_transformers.json", Limits = "sentence_bert_config.json", Modules = "modules.json";
    private static readonly string[] s_sentenceModels =
    [
        "all-MiniLM-L6-v2", "all-mpnet-base-v2", "paraphrase-multilingual-MiniLM-L12-v2", "multilingual-e5-small", "bge-small-en-v1.5", "LaBSE",
    ];
    private static readonly string s_long = string.Join(' ', Enumerable.Range(0, 700).Select(i => $"word {i % 7}"));

    private string _directory = null!;

    [OneTimeSetUp]
    public void Make() => _directory = Directory.CreateTempSubdirectory("mt-published-").FullName;

    [OneTimeTearDown]
    public void Delete() => Directory.Delete(_directory, recursive: true);

    // max_seq_length of sentence_bert_config.json; pooling; what modules.json names after it.
    [TestCase("all-MiniLM-L6-v2", 256, Pooling.Mean, false, true)]
    [TestCase("all-mpnet-base-v2", 384, Pooling.Mean, false, true)]
    [TestCase("paraphrase-multilingual-MiniLM-L12-v2", 128, Pooling.Mean, false, false)]
    [TestCase("multilingual-e5-small", 512, Pooling.Mean, false, true)]
    [TestCase("bge-small-en-v1.5", 512, Pooling.Cls, false, true)]
    [TestCase("LaBSE", 256, Pooling.Cls, true, true)]
    public void Vectors_are_those_of_the_hidden_states_pooled_as_the_files_say(string name, int limit, Pooling pooling, bool dense, bool normalize)
    {
        string directory = PublishedCheckpoint.Write(name, _directory);
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(directory);
        Assert.That((pipeline.MaxTokens, pipeline.Dimensions, pipeline.Normalize, pipeline.SimilarityFunction),
            Is.EqualTo((limit, 32, normalize, SimilarityFunction.Cosine)));
        Assert.That((pipeline.Pooling, pipeline.Warnings), Is.EqualTo((new[] { pooling }, Array.Empty<string>())));
        Assert.That(pipeline.Prompts, Is.Empty);
        IReadOnlyList<float[]> vectors = pipeline.Embed([Sentence, s_long, ""]);
        foreach ((string text, float[] vector) in new[] { Sentence, s_long, "" }.Zip(vectors))
            Assert.That(vector, Is.EqualTo(ByHand(directory, text, limit, pooling, dense, normalize)).Within(1e-4), $"{text.Length} characters");
        Assert.That(vectors[0].Zip(vectors[1], (a, b) => Math.Abs(a - b)).Max(), Is.GreaterThan(0.01));
    }

    [Test]
    public void Strict_loading_takes_every_one_of_them()
    {
        var options = new PipelineOptions { Load = new LoadOptions { Strict = true } };
        foreach (string name in s_sentenceModels)
            SentenceEmbeddingPipeline.Load(PublishedCheckpoint.Write(name, Path.Combine(_directory, "strict")), options).Dispose();
        RerankPipeline.Load(PublishedCheckpoint.Write("reranker-5.4", Path.Combine(_directory, "strict")), options).Dispose();
    }

    [Test]
    public void The_prefixes_of_E5_are_the_callers()
    {
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(PublishedCheckpoint.Write("multilingual-e5-small", _directory));
        Assert.That(pipeline.DefaultPromptName, Is.Null);
        Assert.That(pipeline.Embed("sort a list", new EmbeddingOptions { Prompt = "query: " }), Is.EqualTo(pipeline.Embed("query: sort a list")));
        Assert.That(pipeline.Embed("query: sort a list"), Is.Not.EqualTo(pipeline.Embed("sort a list")));
    }

    [Test]
    public void The_Dense_module_of_LaBSE_is_the_same_from_PyTorchs_file()
    {
        string directory = PublishedCheckpoint.Write("LaBSE", Path.Combine(_directory, "torch"));
        float[] vector = Embedded();
        File.Delete(Path.Combine(directory, "2_Dense", "model.safetensors"));
        Assert.That(Embedded(), Is.EqualTo(vector));

        float[] Embedded()
        {
            using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(directory);
            return pipeline.Embed(Sentence);
        }
    }

    [Test]
    public void Lower_case_is_bges_own_and_LaBSEs_not()
    {
        using SentenceEmbeddingPipeline bge = SentenceEmbeddingPipeline.Load(PublishedCheckpoint.Write("bge-small-en-v1.5", _directory));
        Assert.That(bge.Embed("DEF ADD"), Is.EqualTo(bge.Embed("def add")));
    }

    [TestCase("ms-marco-MiniLM-L-6-v2", 512, false)]
    [TestCase("ms-marco-MiniLM-L-6-v2-2021", 512, true)]
    [TestCase("reranker-5.4", 48, false)]
    public void Cross_encoders_score_as_their_files_say(string name, int limit, bool sigmoid)
    {
        string directory = PublishedCheckpoint.Write(name, _directory);
        string[] documents = ["def sub(a, b):", "RETURN a + b", s_long];
        using RerankPipeline pipeline = RerankPipeline.Load(directory);
        Assert.That((pipeline.MaxTokens, pipeline.Warnings), Is.EqualTo((limit, Array.Empty<string>())));
        double[] expected = [.. documents.Select(document => Score(directory, "how to ADD", document, limit, sigmoid))];
        IReadOnlyList<RerankScore> ranked = pipeline.Rank("how to ADD", documents, truncation: true);
        Assert.That(ranked.OrderBy(one => one.Index).Select(one => one.Score), Is.EqualTo(expected).Within(1e-4));
        Assert.That(ranked.Select(one => one.Index), Is.EqualTo(Enumerable.Range(0, 3).OrderByDescending(i => expected[i])));
        Assert.That(expected.Distinct().Count(), Is.EqualTo(3));
    }

    [TestCase(Files, """{"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.activation.Tanh"}""",
        "config_sentence_transformers.json: activation_fn is torch.nn.modules.activation.Tanh")]
    [TestCase(Files, """{"model_type": "SparseEncoder"}""", "model_type is \"SparseEncoder\"")]
    [TestCase(Files, """{"model_type": "CrossEncoder", "prompts": {"query": "Q: "}, "default_prompt_name": "query"}""",
        "default_prompt_name is query, which puts \"Q: \" before texts")]
    [TestCase(Limits, """{"transformer_task": "text-generation"}""", "this runtime has sequence-classification only")]
    [TestCase(Modules, """[{"path": "1_LogitScore", "type": "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"}]""",
        "names the module sentence_transformers.cross_encoder.modules.logit_score.LogitScore")]
    [TestCase(Modules, """[{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}]""", "names 1 Transformers, in [\"0_Transformer\"]")]
    public void A_cross_encoder_that_asks_for_more_is_refused_by_name(string file, string json, string says)
    {
        string directory = PublishedCheckpoint.Write("reranker-5.4", Path.Combine(_directory, "refused"));
        File.WriteAllText(Path.Combine(directory, file), json);
        Assert.That(() => RerankPipeline.Load(directory), Throws.TypeOf<ConfigException>().With.Message.Contains(says));
    }

    [Test]
    public void Keys_of_a_cross_encoders_files_that_are_not_honoured_are_named_and_strictly_refused()
    {
        string directory = PublishedCheckpoint.Write("reranker-5.4", Path.Combine(_directory, "odd"));
        File.WriteAllText(Path.Combine(directory, Files), """{"model_type": "CrossEncoder", "prompts": {"query": "Q: "}, "temperature": 2}""");
        var told = new List<string>();
        using (RerankPipeline pipeline = RerankPipeline.Load(directory, new PipelineOptions { Load = new LoadOptions { OnWarning = told.Add } }))
            Assert.That(pipeline.Warnings, Is.EqualTo(new[] { $"{Files}: prompts, temperature are not known here and not used." }).And.EqualTo(told));
        Assert.That(() => RerankPipeline.Load(directory, new PipelineOptions { Load = new LoadOptions { Strict = true } }),
            Throws.TypeOf<ConfigException>().With.Message.Contains("temperature"));
    }

    private static double[] ByHand(string directory, string text, int limit, Pooling pooling, bool dense, bool normalize)
    {
        bool lower = directory.EndsWith("bge-small-en-v1.5", StringComparison.Ordinal);
        Tokenizer tokenizer = Tokenizer.Load(directory);
        TokenEncoding row = tokenizer.Encode(lower ? text.ToLowerInvariant() : text, pair: null,
            new EncodeOptions { Truncation = new Truncation(limit), Padding = Padding.None });
        Assert.That(row.Length, text == s_long ? Is.EqualTo(limit) : Is.LessThan(40));
        using IBaseModel model = PretrainedModels.Load<IBaseModel>(directory, Reference);
        using Session session = model.CreateSession();
        FloatTensor hidden = model.Forward(ModelInputs.Of(row.Ids), session).LastHiddenState;
        double[] vector = [.. Enumerable.Range(0, 32).Select(i => pooling == Pooling.Cls
            ? hidden[0, 0, i]
            : Enumerable.Range(0, row.Length).Sum(t => (double)hidden[0, t, i]) / row.Length)];
        if (dense)
        {
            using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, "2_Dense", "model.safetensors"));
            (float[] weight, float[] bias) = (file.Weights["linear.weight"].ToSingle(), file.Weights["linear.bias"].ToSingle());
            vector = [.. bias.Select((b, n) => Math.Tanh(b + vector.Select((x, i) => x * weight[(n * 32) + i]).Sum()))];
        }
        double length = normalize ? Math.Sqrt(vector.Sum(x => x * x)) : 1;
        return [.. vector.Select(x => x / length)];
    }

    private static double Score(string directory, string query, string document, int limit, bool sigmoid)
    {
        bool lower = directory.EndsWith("5.4", StringComparison.Ordinal);
        TokenEncoding pair = Tokenizer.Load(directory).Encode(lower ? query.ToLowerInvariant() : query, lower ? document.ToLowerInvariant() : document,
            new EncodeOptions { Truncation = new Truncation(limit) });
        using ISequenceClassifier model = PretrainedModels.Load<ISequenceClassifier>(directory, Reference);
        using Session session = model.CreateSession();
        double logit = model.Forward(new ModelInputs(1, pair.Length) { InputIds = pair.Ids, TokenTypeIds = pair.TypeIds }, session).Logits[0, 0];
        return sigmoid ? 1 / (1 + Math.Exp(-logit)) : logit;
    }

    private static LoadOptions Reference => new() { Kernels = new KernelOptions { Level = KernelLevel.Reference } };
}
