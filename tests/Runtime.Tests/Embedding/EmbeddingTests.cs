using System.Text;
using ManagedTransformers.Models;
using Microsoft.Extensions.AI;

namespace ManagedTransformers.Runtime.Tests;

public sealed class EmbeddingTests
{
    private static readonly string[] Texts = ["def add(a, b):", "import os", "for i in range(10):\n    print(i)\n"];

    private BertModel _model = null!;
    private SentenceEmbeddingPipeline _pipeline = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _model = TestData.Tiny<BertModel>(8200, 32);
        _pipeline = SentenceEmbeddingPipeline.Create(_model, TestData.Tokenizer("wordpiece-code-4k"));
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _pipeline.Dispose();
        _model.Dispose();
    }

    [TestCase("pooling.cls", Pooling.Cls, false)]
    [TestCase("pooling.mean", Pooling.Mean, false)]
    [TestCase("pooling.max", Pooling.Max, false)]
    [TestCase("pooling.mean.normalized", Pooling.Mean, true)]
    public void Pooled_hidden_states_equal_the_reference(string name, Pooling pooling, bool normalize)
    {
        string directory = TestData.Reference("models/bert-embed");
        using SafetensorsFile expected = SafetensorsFile.Open(Path.Combine(directory, "expected.safetensors"));
        using BertModel model = PretrainedModels.Load<BertModel>(directory);
        using Session session = model.CreateSession();
        (int[] ids, int[] mask) = (Longs(expected, "input_ids"), Longs(expected, "attention_mask"));
        var inputs = new ModelInputs(3, ids.Length / 3) { InputIds = ids, AttentionMask = mask };
        FloatTensor hidden = model.Forward(inputs, session).LastHiddenState;
        float[] reference = Floats(expected, name);
        for (int row = 0; row < 3; row++)
        {
            int tokens = mask.Skip(row * inputs.SequenceLength).Take(inputs.SequenceLength).Sum();
            float[] vector = SentencePooling.Pool(hidden.Span.Slice(row * inputs.SequenceLength * 32, tokens * 32), 32, [pooling]);
            if (normalize)
                SentencePooling.Normalize(vector);
            Assert.That(vector, Is.EqualTo(reference[(row * 32)..((row + 1) * 32)]).Within(1e-5), $"row {row}");
        }
    }

    [Test]
    public void Two_tokens_become_one_vector_by_every_mode()
    {
        float[] hidden = [1, 5, -2, 3, 1, 4];
        Assert.That(SentencePooling.Pool(hidden, 3, [Pooling.Cls]), Is.EqualTo(new[] { 1f, 5, -2 }));
        Assert.That(SentencePooling.Pool(hidden, 3, [Pooling.Mean]), Is.EqualTo(new[] { 2f, 3, 1 }));
        Assert.That(SentencePooling.Pool(hidden, 3, [Pooling.Max]), Is.EqualTo(new[] { 3f, 5, 4 }));
        Assert.That(SentencePooling.Pool(hidden, 3, [Pooling.LastToken]), Is.EqualTo(new[] { 3f, 1, 4 }));
        // sums 4, 6, 2, divided by √2
        Assert.That(SentencePooling.Pool(hidden, 3, [Pooling.MeanSqrtLenTokens]), Is.EqualTo(new[] { 2.828427f, 4.242641f, 1.414214f }).Within(1e-6));
        // (1 · 1 + 2 · 3) / 3, (1 · 5 + 2 · 1) / 3, (1 · −2 + 2 · 4) / 3
        Assert.That(SentencePooling.Pool(hidden, 3, [Pooling.WeightedMean]), Is.EqualTo(new[] { 7 / 3f, 7 / 3f, 2 }).Within(1e-6));
        Assert.That(SentencePooling.Pool(hidden, 3, [Pooling.Max, Pooling.Cls]), Is.EqualTo(new[] { 3f, 5, 4, 1, 5, -2 }));
    }

    [Test]
    public void Tokens_of_a_prompt_are_left_out_and_keep_the_places_of_the_others()
    {
        float[] hidden = [9, 9, 1, 5, 3, 1];
        Assert.That(SentencePooling.Pool(hidden, 2, [Pooling.Mean, Pooling.Max], first: 1), Is.EqualTo(new[] { 2f, 3, 3, 5 }));
        // (2 · 1 + 3 · 3) / 5, (2 · 5 + 3 · 1) / 5
        Assert.That(SentencePooling.Pool(hidden, 2, [Pooling.WeightedMean], first: 1), Is.EqualTo(new[] { 2.2f, 2.6f }).Within(1e-6));
        Assert.That(SentencePooling.Pool(hidden, 2, [Pooling.Cls, Pooling.LastToken], first: 1), Is.EqualTo(new[] { 9f, 9, 3, 1 }));
    }

    [Test]
    public void A_normalised_vector_has_length_1_and_zero_stays_zero()
    {
        float[] vector = [3, 4], zero = [0, 0];
        SentencePooling.Normalize(vector);
        SentencePooling.Normalize(zero);
        Assert.That(vector, Is.EqualTo(new[] { 0.6f, 0.8f }).Within(1e-7));
        Assert.That(zero, Is.EqualTo(new[] { 0f, 0f }));
    }

    [Test]
    public void Mean_of_the_features_is_the_embedding()
    {
        using FeatureExtractionPipeline features = FeatureExtractionPipeline.Create(_model, _pipeline.Tokenizer);
        FloatTensor hidden = features.Extract(Texts[0]);
        int tokens = _pipeline.Tokenizer.Encode(Texts[0]).Length;
        Assert.That(hidden.Shape.ToArray(), Is.EqualTo(new[] { 1, tokens, 16 }));
        float[] mean = [.. Enumerable.Range(0, 16).Select(i => Enumerable.Range(0, tokens).Average(t => hidden[0, t, i]))];
        Assert.That(_pipeline.Embed(Texts[0]), Is.EqualTo(mean).Within(1e-5));
    }

    [Test]
    public void A_batch_gives_what_each_text_gives_alone()
    {
        IReadOnlyList<float[]> together = _pipeline.Embed(Texts);
        for (int i = 0; i < Texts.Length; i++)
            Assert.That(together[i], Is.EqualTo(_pipeline.Embed(Texts[i])).Within(1e-5));
    }

    [Test]
    public void Modules_json_decides_pooling_normalisation_and_length()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = SentenceTransformer("pooling_mode_max_tokens", normalize: true, maxSeqLength: 8);
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.FromFiles(files);
        Assert.That(pipeline.Pooling, Is.EqualTo(new[] { Pooling.Max }));
        Assert.That((pipeline.Normalize, pipeline.MaxTokens), Is.EqualTo((true, 8)));
        float[] vector = pipeline.Embed("import os");
        Assert.That(vector.Sum(x => x * x), Is.EqualTo(1).Within(1e-5));
        Assert.That(vector, Is.EqualTo(_pipeline.Embed("import os", new EmbeddingOptions { Pooling = [Pooling.Max], Normalize = true })).Within(1e-6));
        Assert.That(() => pipeline.Embed(Texts[2], new EmbeddingOptions { Truncation = false }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 8 (max_seq_length)"));
        Assert.That(() => pipeline.Embed(Texts[2]), Throws.Nothing);
    }

    [Test]
    public void The_older_layout_with_the_model_in_a_folder_is_read()
    {
        var files = SentenceTransformer("pooling_mode_cls_token", normalize: false, maxSeqLength: null)
            .ToDictionary(file => file.Key is "modules.json" or "1_Pooling/config.json" ? file.Key : $"0_Transformer/{file.Key}", file => file.Value);
        files["modules.json"] = Encoding.UTF8.GetBytes("""
            [{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
             {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
            """);
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.FromFiles(files);
        Assert.That(pipeline.Embed(Texts[0]), Is.EqualTo(_pipeline.Embed(Texts[0], new EmbeddingOptions { Pooling = [Pooling.Cls] })).Within(1e-6));
    }

    [TestCase("""[{"path": "../elsewhere", "type": "sentence_transformers.models.Pooling"}]""", "../elsewhere")]
    [TestCase("""[{"path": "/etc", "type": "sentence_transformers.models.Pooling"}]""", "/etc")]
    [TestCase("""[{"path": "", "type": "sentence_transformers.models.Transformer"}]""", "a Transformer, a Pooling")]
    [TestCase("""[{"path": "0_WordEmbeddings", "type": "sentence_transformers.models.WordEmbeddings"}]""", "sentence_transformers.models.WordEmbeddings")]
    [TestCase("""[{"path": "", "type": "sentence_transformers.models.BoW"}]""", "BoW")]
    [TestCase("""[{"path": "", "type": "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"}]""", "StaticEmbedding")]
    [TestCase("""[{"path": "", "type": "custom_st.Transformer"}]""", "custom_st.Transformer")]
    [TestCase("""[{"path": "9_Pooling", "type": "sentence_transformers.models.Pooling"}]""", "names the modules [Pooling]; a Transformer")]
    [TestCase("""[{"path": ""}]""", "type")]
    [TestCase("""{}""", "Array")]
    [TestCase("""[{""", "modules.json cannot be read")]
    public void Bad_modules_are_refused(string modules, string message)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = SentenceTransformer("pooling_mode_mean_tokens", normalize: false, maxSeqLength: null);
        files["modules.json"] = Encoding.UTF8.GetBytes(modules);
        Assert.That(() => SentenceEmbeddingPipeline.FromFiles(files), Throws.TypeOf<ConfigException>().With.Message.Contains(message));
    }

    [TestCase("Transformer: Pooling:9_Pooling", "9_Pooling/config.json")]
    [TestCase("Transformer: Pooling:1_Pooling Dense:2_Dense", "2_Dense/config.json, which is missing")]
    [TestCase("Transformer: Pooling:1_Pooling Dense:2_Dense Dense:2_Dense/", "the folder \"2_Dense/\" twice")]
    public void Modules_without_a_folder_of_their_own_are_refused(string modules, string message)
    {
        string json = string.Join(", ", modules.Split(' ').Select(module => module.Split(':'))
            .Select(module => $$"""{"type": "sentence_transformers.models.{{module[0]}}", "path": "{{module[1]}}"}"""));
        Bad_modules_are_refused($"[{json}]", message);
    }

    [Test]
    public void At_most_32_modules_are_read()
    {
        string modules = string.Join(", ", Enumerable.Repeat("""{"path": "", "type": "sentence_transformers.models.Dropout"}""", 33));
        Bad_modules_are_refused($"[{modules}]", "33 modules; at most 32");
    }

    [Test]
    public void A_modules_folder_that_links_out_of_the_directory_is_not_read()
    {
        string root = Directory.CreateTempSubdirectory("mt-test-").FullName;
        try
        {
            string checkpoint = Directory.CreateDirectory(Path.Combine(root, "checkpoint")).FullName;
            Directory.CreateDirectory(Path.Combine(root, "outside"));
            File.WriteAllText(Path.Combine(root, "outside", "config.json"), """{"pooling_mode_cls_token": true}""");
            Directory.CreateSymbolicLink(Path.Combine(checkpoint, "1_Pooling"), Path.Combine(root, "outside"));
            File.WriteAllText(Path.Combine(checkpoint, "modules.json"), """
                [{"path": "", "type": "sentence_transformers.models.Transformer"},
                 {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
                """);
            Assert.That(() => SentenceEmbeddingPipeline.Load(checkpoint), Throws.TypeOf<CheckpointException>().With.Message.Contains("outside"));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Test]
    public void A_masked_language_model_and_a_decoder_give_features_of_their_body()
    {
        using FeatureExtractionPipeline roberta = FeatureExtractionPipeline.Load(TestData.Model("demo-fill-mask"));
        using FeatureExtractionPipeline codegen = FeatureExtractionPipeline.Load(TestData.Model("demo-codegen"));
        int special = roberta.Tokenizer.CountSpecialTokens(pair: false);
        Assert.That(special, Is.EqualTo(2));
        foreach (FeatureExtractionPipeline pipeline in new[] { roberta, codegen })
        {
            IReadOnlyList<FloatTensor> together = pipeline.Extract(Texts);
            for (int i = 0; i < Texts.Length; i++)
            {
                FloatTensor alone = pipeline.Extract(Texts[i]);
                Assert.That(alone.Shape.ToArray(), Is.EqualTo(new[] { 1, pipeline.Tokenizer.Encode(Texts[i]).Length, 256 }));
                Assert.That(together[i].ToArray(), Is.EqualTo(alone.ToArray()).Within(2e-4));
            }
        }
    }

    [Test]
    public async Task Microsoft_Extensions_AI_gets_the_same_vectors()
    {
        IEmbeddingGenerator<string, Embedding<float>> generator = _pipeline;
        GeneratedEmbeddings<Embedding<float>> embeddings = await generator.GenerateAsync(Texts);
        Assert.That(embeddings.Select(e => e.Vector.ToArray()), Is.EqualTo(_pipeline.Embed(Texts)));
        Assert.That(generator.GetService<EmbeddingGeneratorMetadata>()?.DefaultModelDimensions, Is.EqualTo(16));
    }

    [Test]
    public void No_pooling_at_all_is_refused()
    {
        Assert.That(() => SentenceEmbeddingPipeline.Create(_model, _pipeline.Tokenizer, []),
            Throws.ArgumentException.With.Message.Contains("one mode at least"));
        Assert.That(() => _pipeline.Embed(Texts[0], new EmbeddingOptions { Pooling = [] }),
            Throws.ArgumentException.With.Message.Contains("one mode at least"));
    }

    [Test]
    public void Of_a_model_with_a_head_the_part_below_is_used()
    {
        using BertForMaskedLM model = TestData.Tiny<BertForMaskedLM>(8200);
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Create(model, _pipeline.Tokenizer);
        Assert.That((pipeline.Model.Architecture, pipeline.Embed(Texts[0]).Length), Is.EqualTo(("BertModel", 16)));
    }

    private Dictionary<string, ReadOnlyMemory<byte>> SentenceTransformer(string mode, bool normalize, int? maxSeqLength)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = TestData.Files(_model, "wordpiece-code-4k");
        string last = normalize ? """, {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}""" : "";
        files["modules.json"] = Encoding.UTF8.GetBytes($$"""
            [{"path": "", "type": "sentence_transformers.models.Transformer"},
             {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}{{last}}]
            """);
        files["1_Pooling/config.json"] = Encoding.UTF8.GetBytes($$"""{"word_embedding_dimension": 16, "pooling_mode_cls_token": false, "{{mode}}": true}""");
        if (maxSeqLength is int length)
            files["sentence_bert_config.json"] = Encoding.UTF8.GetBytes($$"""{"max_seq_length": {{length}}, "do_lower_case": false}""");
        return files;
    }

    private static int[] Longs(SafetensorsFile file, string name) =>
        [.. System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(file.Weights[name].Bytes).ToArray().Select(x => (int)x)];

    private static float[] Floats(SafetensorsFile file, string name) =>
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Weights[name].Bytes).ToArray();
}
