using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Checkpoints that load and yet cannot answer: an exception, never an answer by accident.</summary>
public sealed class BadCheckpointTests
{
    private const string Text = "def f(): return [MASK]";

    private static readonly Tokenizer WordPiece = TestData.Tokenizer("wordpiece-code-4k");

    private static IEnumerable<TestCaseData> Tasks()
    {
        yield return Case<BertForMaskedLM>("score of token", m => FillMaskPipeline.Create(m, WordPiece).PredictMasks([Text]));
        yield return Case<BertForSequenceClassification>("score of label", m => TextClassificationPipeline.Create(m, WordPiece).Classify(Text));
        yield return Case<BertForTokenClassification>("score of label", m => TokenClassificationPipeline.Create(m, WordPiece).Tag(Text));
        yield return Case<BertForPreTraining>("score of class", m => NextSentencePipeline.Create(m, WordPiece).Score(Text, Text));
        yield return Case<BertModel>("vector's component", m => SentenceEmbeddingPipeline.Create(m, WordPiece).Embed(Text));
    }

    [TestCaseSource(nameof(Tasks))]
    public void An_answer_of_NaN_is_refused(Func<object> answer, string says) =>
        Assert.That(answer, Throws.TypeOf<CheckpointException>().With.Message.Contains($"{says} 0 is NaN"));

    [Test]
    public void A_next_token_of_NaN_is_refused()
    {
        var config = new CodeGenConfig { VocabSize = 20, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4, NPositions = 8 };
        using CodeGenForCausalLM model = WithNaN(PretrainedModels.FromConfig<CodeGenForCausalLM>(config));
        Assert.That(() => model.Generate([[1, 2]]), Throws.TypeOf<CheckpointException>().With.Message.Contains("score of token 0 is NaN"));
    }

    [TestCase(float.NaN, "score of token 0 is NaN")]
    [TestCase(float.PositiveInfinity, "score of token 0 is +∞")]
    [TestCase(float.NegativeInfinity, "score of token 0 is −∞")]
    public void A_probability_from_scores_that_are_not_finite_is_refused(float bias, string says)
    {
        var config = new CodeGenConfig { VocabSize = 20, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4, NPositions = 8 };
        using CodeGenForCausalLM model = With(bias, "lm_head.bias", PretrainedModels.FromConfig<CodeGenForCausalLM>(config));
        Assert.That(() => model.LogProbabilities([1, 2]), Throws.TypeOf<CheckpointException>().With.Message.Contains(says));
    }

    [Test]
    public void A_model_without_room_for_a_text_is_refused()
    {
        using var model = TestData.Tiny<BertForMaskedLM>(8200, maxTokens: 2);
        Assert.That(() => FillMaskPipeline.Create(model, WordPiece),
            Throws.TypeOf<ConfigException>().With.Message.Contains("at most 2 tokens").And.Message.Contains("2 special ones"));
    }

    [Test]
    public void A_model_without_room_for_a_token_of_each_text_refuses_pairs()
    {
        using var model = TestData.Tiny<BertForSequenceClassification>(8200, maxTokens: 4);
        using TextClassificationPipeline pipeline = TextClassificationPipeline.Create(model, WordPiece);
        Assert.That(() => pipeline.Classify(Text, Text, new TextClassificationOptions { Truncation = true }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("no room"));
    }

    [TestCase("sentence_bert_config.json", """{"max_seq_length": 2}""", "max_seq_length")]
    [TestCase("modules.json", """[{"type": "\ud800"}]""", "half a surrogate pair")]
    [TestCase("modules.json", """[{"type": "x.Transformer", "path": "a\u0000b"}]""", "leads out")]
    [TestCase("generation_config.json", """{"\udc00": 1}""", "half a surrogate pair")]
    [TestCase("modules.json", "[\"\u00FF\"]", "UTF-8")]
    public void A_bad_file_next_to_the_weights_is_refused(string file, string json, string says)
    {
        bool generates = file == "generation_config.json";
        Dictionary<string, ReadOnlyMemory<byte>> files = generates ? DemoFiles("demo-codegen") : DemoFiles("demo-fill-mask");
        files[file] = System.Text.Encoding.Latin1.GetBytes(json);
        Assert.That(() => generates ? (IDisposable)TextGenerator.FromFiles(files) : SentenceEmbeddingPipeline.FromFiles(files),
            Throws.TypeOf<ConfigException>().With.Message.Contains(says));
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> DemoFiles(string name) =>
        Directory.GetFiles(TestData.Model(name)).ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));

    private static TestCaseData Case<T>(string says, Func<T, object> answer) where T : PretrainedModel => new TestCaseData(() =>
    {
        using T model = WithNaN(TestData.Tiny<T>(8200));
        return answer(model);
    }, says).SetArgDisplayNames(typeof(T).Name);

    /// <summary>A copy whose first LayerNorm gains are NaN.</summary>
    private static T WithNaN<T>(T model) where T : PretrainedModel => With(float.NaN, model is CodeGenForCausalLM ? "ln_1.weight" : "LayerNorm.weight", model);

    /// <summary>A copy in which all numbers of a weight are <paramref name="value"/>: of the first whose name ends so.</summary>
    private static T With<T>(float value, string nameEnd, T model) where T : PretrainedModel
    {
        Dictionary<string, ReadOnlyMemory<byte>> files;
        using (model)
        {
            Weight changed = model.Weights.First(weight => weight.Name.EndsWith(nameEnd, StringComparison.Ordinal));
            TensorEntry[] tensors = [.. model.Weights.Select(weight => weight == changed
                ? TensorEntry.Create(weight.Name, weight.Shape, Enumerable.Repeat(value, (int)weight.ElementCount).ToArray())
                : TensorEntry.Create(weight))];
            using var written = new MemoryStream();
            SafetensorsWriter.Write(written, tensors);
            files = new() { ["config.json"] = ConfigJson.Write(model.Config), [Checkpoint.SingleFileName] = written.ToArray() };
        }
        return PretrainedModels.FromBytes<T>(files);
    }
}
