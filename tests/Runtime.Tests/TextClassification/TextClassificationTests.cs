using System.Text.Json;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class TextClassificationTests
{
    private TextClassificationPipeline _languages = null!;

    private static IEnumerable<TestCaseData> Rows() => TestData.Rows("demo/language-id.jsonl");

    [OneTimeSetUp]
    public void Load() => _languages = TextClassificationPipeline.Load(TestData.Model("demo-language-id"));

    [OneTimeTearDown]
    public void Dispose() => _languages.Dispose();

    [TestCaseSource(nameof(Rows))]
    public void Scores_of_all_languages_equal_the_reference(JsonElement row)
    {
        var scores = _languages.Classify(row.GetProperty("text").GetString()!);
        Assert.That(scores.Select(s => s.Score), Is.Ordered.Descending);
        Assert.That(scores, Has.Count.EqualTo(6));
        foreach (LabelScore score in scores)
            Assert.That(score.Score, Is.EqualTo(row.GetProperty("scores").GetProperty(score.Label).GetSingle()).Within(3e-6), score.Label);
    }

    [TestCase("\"id2label\": {", "\"id2label\": {\"0\": 0, \"1\": 1, \"2\": 2, \"3\": 3, \"4\": 4, \"5\": 5}, \"names\": {", "4",
        Description = "names that are numbers, transformers#15474")]
    [TestCase("{", "{\"metric_best\": Infinity, \"metric_worst\": NaN,", "python", Description = "as Python writes them, transformers#42959")]
    public void A_config_as_people_have_it_gives_the_label(string from, string to, string label)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Directory.GetFiles(TestData.Model("demo-language-id"))
            .ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
        string config = System.Text.Encoding.UTF8.GetString(files["config.json"].Span);
        int at = config.IndexOf(from, StringComparison.Ordinal);
        files["config.json"] = System.Text.Encoding.UTF8.GetBytes(config[..at] + to + config[(at + from.Length)..]);
        using TextClassificationPipeline pipeline = TextClassificationPipeline.FromFiles(files);
        Assert.That(pipeline.Classify("def f(x): return x")[0].Label, Is.EqualTo(label));
    }

    [Test]
    public void Top_2_are_the_first_2_of_all() =>
        Assert.That(_languages.Classify("echo 1;", options: new TextClassificationOptions { TopK = 2 }), Is.EqualTo(_languages.Classify("echo 1;").Take(2)));

    [Test]
    public void A_batch_gives_what_each_text_gives_alone()
    {
        string[] texts = ["def f(x):\n    return x**2", "echo $FOO;", "const foo = 'bar'"];
        var together = _languages.Classify(texts);
        for (int i = 0; i < texts.Length; i++)
        {
            var alone = _languages.Classify(texts[i]);
            Assert.That(together[i].Select(s => s.Label), Is.EqualTo(alone.Select(s => s.Label)));
            Assert.That(together[i].Select(s => s.Score), Is.EqualTo(alone.Select(s => s.Score)).Within(1e-5));
        }
    }

    [TestCase(null, 1, ClassificationFunction.Sigmoid)]
    [TestCase(null, 3, ClassificationFunction.Softmax)]
    [TestCase("single_label_classification", 3, ClassificationFunction.Softmax)]
    [TestCase("multi_label_classification", 3, ClassificationFunction.Sigmoid)]
    [TestCase("regression", 1, ClassificationFunction.None)]
    public void Function_follows_the_problem_type_and_the_number_of_labels(string? problem, int labels, ClassificationFunction expected)
    {
        BertConfig config = TestData.TinyBert(10, 64, [.. Enumerable.Range(0, labels).Select(i => $"L{i}")]) with { ProblemType = problem };
        Assert.That(TextClassificationPipeline.DefaultFunction(config), Is.EqualTo(expected));
    }

    [Test]
    public void One_label_scores_a_pair_with_the_sigmoid_of_its_logit_between_cls_and_sep()
    {
        using BertForSequenceClassification model = TestData.Tiny<BertForSequenceClassification>(8200, 64, "relevant");
        using TextClassificationPipeline pipeline = TextClassificationPipeline.Create(model, TestData.Tokenizer("digits-python-8k"));
        Tokenizer tokenizer = pipeline.Tokenizer;
        (int[] a, int[] b) = (tokenizer.Encode("import os", options: EncodeOptions.Plain).Ids, tokenizer.Encode("x = 12", options: EncodeOptions.Plain).Ids);
        (int cls, int sep) = (tokenizer.SpecialTokens.ClsTokenId!.Value, tokenizer.SpecialTokens.SepTokenId!.Value);
        int[] ids = [cls, .. a, sep, .. b, sep];
        var inputs =
            new ModelInputs(1, ids.Length) { InputIds = ids, TokenTypeIds = [.. Enumerable.Repeat(0, a.Length + 2), .. Enumerable.Repeat(1, b.Length + 1)] };
        using Session session = model.CreateSession();
        float logit = ((SequenceClassifierOutput)model.Forward(inputs, session)).Logits[0, 0];
        LabelScore score = pipeline.Classify("import os", "x = 12").Single();
        Assert.That(score.Label, Is.EqualTo("relevant"));
        Assert.That(score.Score, Is.EqualTo(1 / (1 + MathF.Exp(-logit))).Within(1e-6));
    }

    [Test]
    public void A_pair_too_long_is_refused_with_the_numbers_or_cut_to_fit()
    {
        using BertForSequenceClassification model = TestData.Tiny<BertForSequenceClassification>(8200, 16, "a", "b");
        using TextClassificationPipeline pipeline = TextClassificationPipeline.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
        string text = string.Concat(Enumerable.Repeat("if x ", 20));
        Assert.That(
            () => pipeline.Classify(text, "if"),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("44 tokens, 3 of them special").And.Message.Contains("at most 16"));
        Assert.That(pipeline.Classify(text, "if", new TextClassificationOptions { Truncation = true }), Has.Count.EqualTo(2));
    }

    [TestCase("", null)]
    [TestCase("x", "")]
    public void Empty_texts_are_refused(string text, string? pair) =>
        Assert.That(() => _languages.Classify(text, pair), Throws.TypeOf<ModelInputException>().With.Message.Contains("empty"));
}
