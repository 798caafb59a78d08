using System.Text.Json.Nodes;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Checkpoints as people publish them, whose tokenizer and model do not agree; each case stands for a kind of file (tests/data/cases).</summary>
public sealed class FoundFilesTests
{
    [Test]
    public void Tokens_beyond_the_embedding_are_refused_in_a_text_and_not_before()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Files("demo-language-id");
        JsonObject tokenizer = JsonNode.Parse(files["tokenizer.json"].Span)!.AsObject();
        foreach ((int id, string content) in ((int, string)[])[(8192, "<|translate|>"), (8193, "<|nocaptions|>")])
            tokenizer["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = id, ["content"] = content, ["special"] = true });
        files["tokenizer.json"] = System.Text.Encoding.UTF8.GetBytes(tokenizer.ToJsonString());
        using TextClassificationPipeline pipeline = TextClassificationPipeline.FromFiles(files);
        Assert.That(pipeline.Classify("echo $FOO")[0].Label, Is.EqualTo("php"));
        Assert.That(
            () => pipeline.Classify("echo <|nocaptions|>"),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("\"<|nocaptions|>\" with id 8193")
                .And.Message.Contains("vocab_size is 8192, the tokenizer has 8194 tokens"));
    }

    [Test]
    public void A_special_token_beyond_the_embedding_that_a_pipeline_would_add_is_refused_at_once()
    {
        using BertForMaskedLM model = TestData.Tiny<BertForMaskedLM>(vocabSize: 8000);
        Assert.That(
            () => FillMaskPipeline.Create(model, TestData.Tokenizer("digits-python-8k")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("bos_token <|endoftext|> is 8188").And.Message.Contains("0 … 7999"));
    }

    [Test]
    public void The_model_max_length_of_the_tokenizer_limits_a_text_where_it_is_the_smallest()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Files("demo-fill-mask");
        string text = "import numpy <mask> np" + string.Concat(Enumerable.Repeat("\nx = 1", 20));
        using (FillMaskPipeline pipeline = FillMaskPipeline.FromFiles(files))
            Assert.That(pipeline.MaxTokens, Is.EqualTo(256));
        files["tokenizer_config.json"] = File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "data", "cases", "model-max-length", "tokenizer_config.json"));
        using FillMaskPipeline limited = FillMaskPipeline.FromFiles(files);
        Assert.That(limited.MaxTokens, Is.EqualTo(16));
        Assert.That(
            () => limited.Predict(text),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 16 (model_max_length of tokenizer_config.json)"));
        Assert.That(limited.Predict(text, new FillMaskOptions { Truncation = true })[0].TokenText, Is.EqualTo(" as"));
    }

    [Test]
    public void StarPIIs_spans_begin_with_the_space_of_their_first_token_as_in_transformers_unless_they_are_trimmed()
    {
        string tokenizer = Path.Combine(TestData.Root, "..", "shared", "tokenizers", "starencoder");
        if (!Directory.Exists(tokenizer))
            Assert.Ignore("starencoder may not be redistributed and is not next to the repository.");
        var config = (BertConfig)ConfigJson.Parse(File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "data", "cases", "ner-starpii", "config.json")));
        using BertForTokenClassification model = PretrainedModels.FromConfig<BertForTokenClassification>(config, seed: 1);
        using TokenClassificationPipeline tagger = TokenClassificationPipeline.Create(model, Tokenizer.Load(tokenizer));
        var everyToken = new TokenClassificationOptions { Aggregation = AggregationStrategy.None, IgnoreLabels = [] };
        Entity second = tagger.Tag("mail ada@example.org", everyToken)[1];
        Entity trimmed = tagger.Tag("mail ada@example.org", everyToken with { TrimOffsets = true })[1];
        Assert.That((second.Start, second.Text[0]), Is.EqualTo((4, ' ')));
        Assert.That((trimmed.Start, trimmed.CodePointStart, trimmed.Text), Is.EqualTo((5, 5, second.Text[1..])));
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> Files(string model) =>
        Directory.GetFiles(TestData.Model(model)).ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
}
