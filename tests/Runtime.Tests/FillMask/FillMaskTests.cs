using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class FillMaskTests
{
    private FillMaskPipeline _fillMask = null!;

    private static IEnumerable<TestCaseData> Rows() => TestData.Rows("demo/fill-mask.jsonl");

    [OneTimeSetUp]
    public void Load() => _fillMask = FillMaskPipeline.Load(TestData.Model("demo-fill-mask"));

    [OneTimeTearDown]
    public void Dispose() => _fillMask.Dispose();

    [TestCaseSource(nameof(Rows))]
    public void Top_5_of_every_mask_equal_the_reference(JsonElement row)
    {
        var masks = Masks(row.GetProperty("text").GetString()!);
        JsonElement[] expected = [.. row.GetProperty("masks").EnumerateArray()];
        Assert.That(masks, Has.Count.EqualTo(expected.Length));
        for (int m = 0; m < expected.Length; m++)
        {
            JsonElement[] top = [.. expected[m].EnumerateArray()];
            float[] scores = [.. top.Select(candidate => candidate.GetProperty("score").GetSingle())];
            // Printed with 6 digits, from a float32 sum that loses the tail of the vocabulary (up to 4e-6 of the mass).
            Assert.That(masks[m].Predictions.Select(p => p.Score), Is.EqualTo(scores).Within(1e-5));
            for (int i = 0; i < top.Length; i++)
            {
                // Where two candidates print the same score either may come first.
                if (scores.Count(score => score == scores[i]) > 1)
                    continue;
                Assert.That(masks[m].Predictions[i].TokenId, Is.EqualTo(top[i].GetProperty("token").GetInt32()));
                Assert.That(masks[m].Predictions[i].TokenText, Is.EqualTo(top[i].GetProperty("token_str").GetString()));
            }
        }
    }

    [Test]
    public void One_mask_gives_the_filled_text_without_special_tokens()
    {
        FillMaskPrediction best = _fillMask.Predict("import numpy <mask> np")[0];
        Assert.That(best,
            Has.Property("Token").EqualTo("Ġas").And.Property("TokenText").EqualTo(" as").And.Property("Sequence").EqualTo("import numpy as np"));
    }

    [Test]
    public void Two_masks_leave_the_other_mask_and_the_special_tokens_in_the_sequence()
    {
        var masks = Masks("import numpy <mask> np<mask>", new FillMaskOptions { TopK = 1 });
        Assert.That(masks.Select(mask => (mask.Start, mask.End)), Is.EqualTo(new[] { (13, 19), (22, 28) }));
        Assert.That(masks[0].Predictions.Single().Sequence, Is.EqualTo("<s>import numpy as np<mask></s>"));
    }

    [Test]
    public void Targets_are_the_only_candidates_and_keep_their_probability()
    {
        const string text = "import numpy <mask> np";
        var all = _fillMask.Predict(text, new FillMaskOptions { TopK = 8192 });
        var two = _fillMask.Predict(text, new FillMaskOptions { Targets = [" in", "Ġas", " in"] });
        Assert.That(two.Select(p => p.TokenText), Is.EqualTo(new[] { " as", " in" }));
        Assert.That(two.Select(p => p.Score), Is.EqualTo(two.Select(p => all.Single(q => q.TokenId == p.TokenId).Score)).Within(1e-7));
        Assert.That(all.Sum(p => p.Score), Is.EqualTo(1).Within(1e-4));
    }

    [Test]
    public void A_batch_of_texts_gives_what_each_gives_alone()
    {
        string[] texts = ["import numpy <mask> np", "if err != <mask> {\n\treturn err\n}", "while <mask>:\n    pass", "public <mask> function <mask>($x) {"];
        var reports = new List<int>();
        var together = _fillMask.PredictMasks(texts, options: null, new Reports(reports));
        for (int i = 0; i < texts.Length; i++)
        {
            var alone = Masks(texts[i]);
            Assert.That((together[i].Text, together[i].Masks.Count), Is.EqualTo((texts[i], alone.Count)));
            for (int m = 0; m < alone.Count; m++)
            {
                Assert.That(together[i].Masks[m].Predictions.Select(p => p.TokenId), Is.EqualTo(alone[m].Predictions.Select(p => p.TokenId)));
                Assert.That(together[i].Masks[m].Predictions.Select(p => p.Score), Is.EqualTo(alone[m].Predictions.Select(p => p.Score)).Within(1e-5));
            }
        }
        Assert.That(reports, Is.EqualTo(new[] { 4 }));
    }

    [Test]
    public void Text_without_a_mask_is_refused_and_the_mask_named() =>
        Assert.That(
            () => _fillMask.Predict("import numpy as np"),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("no mask").And.Message.Contains("<mask>"));

    [Test]
    public void Two_masks_are_refused_where_one_is_needed() =>
        Assert.That(
            () => _fillMask.Predict("<mask> and <mask>"),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("2 masks").And.Message.Contains("PredictMasks"));

    [Test]
    public void Empty_text_is_refused() => Assert.That(() => _fillMask.Predict(""), Throws.TypeOf<ModelInputException>().With.Message.Contains("empty"));

    [Test]
    public void Too_long_a_text_is_refused_with_the_numbers_and_truncation_reads_its_beginning()
    {
        string text = "import numpy <mask> np" + string.Concat(Enumerable.Repeat("\nx = 1", 400));
        Assert.That(
            () => _fillMask.Predict(text),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 256").And.Message.Contains("max_position_embeddings 258")
                .And.Message.Contains("Truncation"));
        Assert.That(_fillMask.Predict(text, new FillMaskOptions { Truncation = true })[0].TokenText, Is.EqualTo(" as"));
    }

    [Test]
    public void A_mask_that_truncation_cuts_off_is_reported() =>
        Assert.That(
            () => _fillMask.Predict(string.Concat(Enumerable.Repeat("x = 1\n", 400)) + "<mask>", new FillMaskOptions { Truncation = true }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("first 254"));

    [Test]
    public void A_target_of_several_tokens_is_refused() =>
        Assert.That(
            () => _fillMask.Predict("<mask>", new FillMaskOptions { Targets = ["a b c"] }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("3 tokens"));

    [Test]
    public void Top_k_below_1_is_refused() =>
        Assert.That(() => new FillMaskOptions { TopK = 0 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("TopK is 0"));

    [Test]
    public void A_generator_checkpoint_is_refused() =>
        Assert.That(() => FillMaskPipeline.Load(TestData.Model("demo-codegen")), Throws.TypeOf<ConfigException>().With.Message.Contains("CodeGenForCausalLM"));

    [Test]
    public void A_tokenizer_with_more_tokens_than_the_model_runs_until_a_text_or_target_has_one_of_them()
    {
        using BertForMaskedLM model = TestData.Tiny<BertForMaskedLM>(vocabSize: 600);
        using FillMaskPipeline pipeline = FillMaskPipeline.Create(model, TestData.Tokenizer("roberta-code-8k"));
        Assert.That(pipeline.Predict("x = <mask>"), Has.Count.EqualTo(5));
        Assert.That(
            () => pipeline.Predict("import <mask>_numpy"),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("vocab_size is 600, the tokenizer has 8192 tokens"));
        Assert.That(
            () => pipeline.Predict("x = <mask>", new FillMaskOptions { Targets = [" numpy"] }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("vocab_size is 600"));
    }

    [Test]
    public void A_missing_directory_is_reported() =>
        Assert.That(() => FillMaskPipeline.Load("/no/such/place"), Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("/no/such/place"));

    [Test]
    public void Files_in_memory_give_what_the_directory_gives()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Directory.GetFiles(TestData.Model("demo-fill-mask"))
            .ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
        using FillMaskPipeline pipeline = FillMaskPipeline.FromFiles(files);
        Assert.That(pipeline.Predict("from os <mask> path"), Is.EqualTo(_fillMask.Predict("from os <mask> path")));
    }

    [Test]
    public void Threads_that_share_a_pipeline_get_what_one_gets()
    {
        string[] texts = [.. Enumerable.Range(0, 24).Select(i => $"x{i} = <mask>\nfor i in range({i}):\n    print(i)")];
        var alone = texts.Select(text => _fillMask.Predict(text)).ToArray();
        var together = new IReadOnlyList<FillMaskPrediction>[texts.Length];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => together[i] = _fillMask.Predict(texts[i]));
        Assert.That(together, Is.EqualTo(alone));
    }

    [Test]
    public void A_cancelled_token_ends_a_batch() =>
        Assert.That(
            () => _fillMask.PredictMasks(["<mask>"], cancellationToken: new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());

    [Test]
    public void A_disposed_pipeline_is_refused()
    {
        FillMaskPipeline pipeline = FillMaskPipeline.Load(TestData.Model("demo-fill-mask"));
        pipeline.Dispose();
        Assert.That(() => pipeline.Predict("<mask>"), Throws.TypeOf<ObjectDisposedException>());
    }

    private IReadOnlyList<FilledMask> Masks(string text, FillMaskOptions? options = null) => _fillMask.PredictMasks([text], options)[0].Masks;

    private sealed class Reports(List<int> list) : IProgress<int>
    {
        public void Report(int value) => list.Add(value);
    }
}
