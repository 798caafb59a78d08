using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class RerankTests
{
    private const string Query = "how to read a file", WordPiece = "wordpiece-code-4k";

    private static readonly string[] Documents = ["import os", "with open(path) as f:\n    return f.read()", "return 1", "def add(a, b):\n    return a + b"];

    [TestCase("{}", true)]
    [TestCase("""{"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "4.1.0"}}""", true)]
    [TestCase("""{"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}""", false)]
    [TestCase("""{"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}""", false)]
    [TestCase("""{"sbert_ce_default_activation_function": null}""", true)]
    public void Scores_are_logits_of_pairs_or_their_sigmoid_best_first(string keys, bool sigmoid)
    {
        using BertForSequenceClassification model = CrossEncoder(keys);
        using RerankPipeline pipeline = RerankPipeline.Create(model, TestData.Tokenizer(WordPiece));
        float[] expected = [.. Documents.Select(document => Logit(model, pipeline.Tokenizer, document))];
        if (sigmoid)
            expected = [.. expected.Select(x => 1 / (1 + MathF.Exp(-x)))];

        var done = new List<int>();
        IReadOnlyList<RerankScore> ranked = pipeline.Rank(Query, Documents, progress: new Progress(done));
        Assert.That(ranked.Select(one => one.Index), Is.EqualTo(Enumerable.Range(0, 4).OrderByDescending(i => expected[i])));
        Assert.That(ranked.Select(one => one.Document), Is.EqualTo(ranked.Select(one => Documents[one.Index])));
        Assert.That(ranked.Select(one => one.Score), Is.EqualTo(ranked.Select(one => expected[one.Index])).Within(1e-5));
        Assert.That(done[^1], Is.EqualTo(4));
        Assert.That(pipeline.Rank(Query, Documents, topN: 2), Is.EqualTo(ranked.Take(2)));
    }

    [Test]
    public void XLM_RoBERTa_reads_a_pair_without_segments()
    {
        var config = new XLMRobertaConfig
        {
            VocabSize = 8200, HiddenSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 2, IntermediateSize = 32, MaxPositionEmbeddings = 64,
            TypeVocabSize = 1, InitializerRange = 0.3, Id2Label = new Dictionary<string, string> { ["0"] = "LABEL_0" },
        };
        using var model = PretrainedModels.FromConfig<XLMRobertaForSequenceClassification>(config, seed: 5);
        using RerankPipeline pipeline = RerankPipeline.Create(model, TestData.Tokenizer("roberta-code-8k"));
        TokenEncoding pair = pipeline.Tokenizer.Encode(Query, Documents[1]);
        using Session session = model.CreateSession();
        float logit = model.Forward(ModelInputs.Of(pair.Ids), session).Logits[0, 0];
        Assert.That(pipeline.Rank(Query, [Documents[1]])[0].Score, Is.EqualTo(1 / (1 + MathF.Exp(-logit))).Within(1e-5));
    }

    [Test]
    public void Equal_scores_keep_the_order_of_the_documents_and_no_documents_give_none()
    {
        using BertForSequenceClassification model = CrossEncoder("{}");
        using RerankPipeline pipeline = RerankPipeline.Create(model, TestData.Tokenizer(WordPiece));
        Assert.That(pipeline.Rank(Query, ["x", "x", "x"]).Select(one => one.Index), Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(pipeline.Rank(Query, []), Is.Empty);
    }

    [Test]
    public void Files_with_an_activation_that_is_neither_are_refused_by_name()
    {
        using BertForSequenceClassification model = CrossEncoder("""{"sbert_ce_default_activation_function": "torch.nn.modules.activation.Tanh"}""");
        Assert.That(() => RerankPipeline.FromFiles(TestData.Files(model, WordPiece)), Throws.TypeOf<ConfigException>()
            .With.Message.Contains("sbert_ce_default_activation_function is torch.nn.modules.activation.Tanh").And.Message.Contains("Identity is needed"));
    }

    [Test]
    public void A_classifier_of_several_labels_and_a_model_of_another_task_are_refused()
    {
        Assert.That(() => RerankPipeline.Load(TestData.Model("demo-language-id")), Throws.TypeOf<ConfigException>().With.Message.Contains("has 6 labels"));
        Assert.That(() => RerankPipeline.Load(TestData.Model("demo-fill-mask")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("does not score pairs of texts"));
    }

    [Test]
    public void A_document_that_is_empty_or_too_long_is_named_and_truncation_cuts_it()
    {
        using BertForSequenceClassification model = CrossEncoder("{}");
        using RerankPipeline pipeline = RerankPipeline.Create(model, TestData.Tokenizer(WordPiece));
        string lengthy = string.Concat(Enumerable.Repeat("return x ", 100));
        Assert.That(() => pipeline.Rank(Query, ["x", ""]), Throws.TypeOf<ModelInputException>().With.Message.Contains("document 1: The text is empty"));
        Assert.That(() => pipeline.Rank(Query, ["x", lengthy]), Throws.TypeOf<ModelInputException>().With.Message.Contains("document 1: The two texts are"));
        Assert.That(pipeline.Rank(Query, ["x", lengthy], truncation: true), Has.Count.EqualTo(2));
        Assert.That(() => pipeline.Rank(Query, ["x"], topN: 0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => pipeline.Rank(Query, ["x"], cancellationToken: new CancellationToken(canceled: true)), Throws.TypeOf<OperationCanceledException>());
    }

    private static BertForSequenceClassification CrossEncoder(string keys)
    {
        BertConfig config = TestData.TinyBert(4200, 64, "LABEL_0");
        foreach (System.Text.Json.JsonProperty key in System.Text.Json.JsonDocument.Parse(keys).RootElement.EnumerateObject())
            config.OtherKeys[key.Name] = key.Value.Clone();
        return PretrainedModels.FromConfig<BertForSequenceClassification>(config, seed: 5);
    }

    private static float Logit(BertForSequenceClassification model, Tokenizer tokenizer, string document)
    {
        TokenEncoding pair = tokenizer.Encode(Query, document);
        using Session session = model.CreateSession();
        return model.Forward(new ModelInputs(1, pair.Length) { InputIds = pair.Ids, TokenTypeIds = pair.TypeIds }, session).Logits[0, 0];
    }

    private sealed class Progress(List<int> done) : IProgress<int>
    {
        public void Report(int value) => done.Add(value);
    }
}
