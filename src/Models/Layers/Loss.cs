using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>The losses that transformers' heads compute when labels are given.</summary>
internal static class Loss
{
    /// <summary>What PyTorch's CrossEntropyLoss ignores (ignore_index).</summary>
    public const int Ignored = -100;

    /// <summary>Mean of −log softmax(logits)[label] over the rows whose label is not −100; NaN where all are.</summary>
    /// <param name="logits">[rows, classes]; row i is scored by <paramref name="labels"/>[i].</param>
    /// <param name="labels">A class or −100 for each row.</param>
    /// <param name="options">Kernel level.</param>
    /// <exception cref="ModelInputException">A label is no class.</exception>
    public static float CrossEntropy(FloatTensor logits, ReadOnlySpan<int> labels, KernelOptions options) =>
        CrossEntropy(logits, labels, rowsPerSequence: labels.Length, shift: 0, options);

    /// <summary>The loss of a causal language model: the logits after token i are scored by the label of token i + 1.</summary>
    /// <param name="logits">[batch, sequence, vocab_size].</param>
    /// <param name="labels">[batch, sequence].</param>
    /// <param name="options">Kernel level.</param>
    public static float CausalCrossEntropy(FloatTensor logits, ReadOnlySpan<int> labels, KernelOptions options) =>
        CrossEntropy(logits, labels, logits.Shape[1], shift: 1, options);

    private static float CrossEntropy(FloatTensor logits, ReadOnlySpan<int> labels, int rowsPerSequence, int shift, KernelOptions options)
    {
        (double sum, int count, int classes) = (0, 0, logits.Shape[^1]);
        if (labels.Length != logits.Length / classes)
            throw new ModelInputException($"labels has {labels.Length} numbers; {logits.Name} needs {logits.Length / classes}, one for each row of scores.");
        for (int i = 0; i < labels.Length; i++)
        {
            if (i % rowsPerSequence < shift || labels[i] == Ignored)
                continue;
            if ((uint)labels[i] >= (uint)classes)
                throw new ModelInputException($"labels[{i}] is {labels[i]}; a class in 0 … {classes - 1} or −100 (ignored) is needed.");
            ReadOnlySpan<float> row = logits.Row(i - shift);
            sum += Softmax.LogSumExp(row, options) - row[labels[i]];
            count++;
        }
        return (float)(sum / count);
    }

    /// <summary>Mean squared error of regression.</summary>
    public static float MeanSquaredError(ReadOnlySpan<float> logits, ReadOnlySpan<float> targets)
    {
        double sum = 0;
        for (int i = 0; i < logits.Length; i++)
            sum += (logits[i] - (double)targets[i]) * (logits[i] - (double)targets[i]);
        return (float)(sum / logits.Length);
    }

    /// <summary>Mean binary cross-entropy of sigmoid(logits): several labels at once (BCEWithLogitsLoss).</summary>
    public static float BinaryCrossEntropy(ReadOnlySpan<float> logits, ReadOnlySpan<float> targets)
    {
        double sum = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            double x = logits[i];
            // max(x, 0) − x·t + log(1 + e^−|x|): −t·log σ(x) − (1 − t)·log(1 − σ(x)) without overflow
            sum += Math.Max(x, 0) - x * targets[i] + Math.Log(1 + Math.Exp(-Math.Abs(x)));
        }
        return (float)(sum / logits.Length);
    }
}

/// <summary>The loss of sequence classification, whose kind the configuration names or the labels decide.</summary>
/// <remarks>transformers BertForSequenceClassification.forward: problem_type.</remarks>
internal static class SequenceLoss
{
    /// <summary>null without labels; regression with one label, cross-entropy with whole numbers, binary cross-entropy with real ones.</summary>
    /// <param name="logits">[batch, labels].</param>
    /// <param name="inputs">Labels or LabelValues.</param>
    /// <param name="config">problem_type and the number of labels.</param>
    /// <param name="session">The running session.</param>
    public static float? Compute(FloatTensor logits, ModelInputs inputs, PretrainedConfig config, Session session)
    {
        if (inputs.Labels is null && inputs.LabelValues is null)
            return null;
        string kind = config.ProblemType
            ?? (config.NumLabels == 1 ? "regression" : inputs.Labels is not null ? "single_label_classification" : "multi_label_classification");
        if (kind == "single_label_classification")
        {
            CheckCount(inputs.Labels?.Length ?? -1, logits.Shape[0], kind, "whole numbers, one per row");
            return Loss.CrossEntropy(logits, inputs.Labels, session.Kernels);
        }
        float[] targets = inputs.LabelValues ?? [.. inputs.Labels!.Select(label => (float)label)];
        CheckCount(targets.Length, logits.Length, kind, "one number per logit");
        return kind == "regression" ? Loss.MeanSquaredError(logits.Span, targets) : Loss.BinaryCrossEntropy(logits.Span, targets);
    }

    private static void CheckCount(int found, int needed, string kind, string what)
    {
        if (found != needed)
            throw new ModelInputException($"{kind} needs {needed} labels ({what}); {(found < 0 ? "real-valued ones were" : $"{found} were")} given.");
    }
}
