using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models.Tests;

public sealed class LossTests
{
    private static readonly KernelOptions Options = KernelOptions.Default;

    [Test]
    public void Cross_entropy_of_equal_logits_is_the_logarithm_of_the_number_of_classes() =>
        Assert.That(Loss.CrossEntropy(new FloatTensor("logits", 3, 4), [0, 3, 2], Options), Is.EqualTo(Math.Log(4)).Within(1e-6));

    [Test]
    public void Labels_of_minus_100_do_not_count()
    {
        // −log softmax([0, ln 3])[1] = −log(3/4) = 0.28768
        var logits = new FloatTensor([0, MathF.Log(3), 9, 9], "logits", 2, 2);
        Assert.That(Loss.CrossEntropy(logits, [1, -100], Options), Is.EqualTo(0.28768).Within(1e-5));
        Assert.That(Loss.CrossEntropy(logits, [-100, -100], Options), Is.NaN);
    }

    [Test]
    public void A_causal_loss_scores_each_token_by_the_label_of_the_next()
    {
        // Row 0 is scored by label 1, row 2 by label 3; labels 0 and 2 start sequences and have nothing before them.
        var logits = new FloatTensor([0, MathF.Log(3), 5, 5, MathF.Log(3), 0, 7, 7], "logits", 2, 2, 2);
        Assert.That(Loss.CausalCrossEntropy(logits, [0, 1, 1, 0], Options), Is.EqualTo(0.28768).Within(1e-5));
    }

    [Test]
    public void Regression_is_the_mean_of_squares() => Assert.That(Loss.MeanSquaredError([1, 3], [0, 1]), Is.EqualTo(2.5));

    [Test]
    public void Binary_cross_entropy_of_logit_0_is_ln_2_and_does_not_overflow_at_1000()
    {
        Assert.That(Loss.BinaryCrossEntropy([0], [1]), Is.EqualTo(Math.Log(2)).Within(1e-6));
        Assert.That(Loss.BinaryCrossEntropy([1000, -1000], [0, 1]), Is.EqualTo(1000).Within(1e-3));
    }

    [TestCase(null, 1, new[] { 2f }, 1f)]                       // one label: regression, (3 − 2)²
    [TestCase("regression", 1, new[] { 5f }, 4f)]
    public void One_label_means_regression(string? problemType, int labels, float[] targets, float loss)
    {
        using var model = PretrainedModels.FromConfig<BertForSequenceClassification>(Config(labels, problemType));
        using Session session = model.CreateSession();
        var inputs = new ModelInputs(1, 2) { InputIds = [1, 2], LabelValues = targets };
        float? found = SequenceLoss.Compute(new FloatTensor([3], "logits", 1, 1), inputs, model.Config, session);
        Assert.That(found, Is.EqualTo(loss).Within(1e-6));
    }

    [Test]
    public void Real_valued_labels_of_several_classes_mean_several_labels_at_once()
    {
        using var model = PretrainedModels.FromConfig<BertForSequenceClassification>(Config(2, problemType: null));
        using Session session = model.CreateSession();
        var inputs = new ModelInputs(1, 2) { InputIds = [1, 2], LabelValues = [1, 0] };
        Assert.That(SequenceLoss.Compute(new FloatTensor("logits", 1, 2), inputs, model.Config, session), Is.EqualTo(Math.Log(2)).Within(1e-6));
        var single = new ModelInputs(1, 2) { InputIds = [1, 2], Labels = [1, 0] };
        Assert.That(() => SequenceLoss.Compute(new FloatTensor("logits", 1, 2), single, model.Config, session), Throws.TypeOf<ModelInputException>());
    }

    private static BertConfig Config(int labels, string? problemType) => new()
    {
        VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 6, ProblemType = problemType,
        Id2Label = Enumerable.Range(0, labels).ToDictionary(i => $"{i}", i => $"LABEL_{i}"),
    };
}
