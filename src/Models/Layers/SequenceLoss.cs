namespace ManagedTransformers.Models;

/// <summary>The loss of sequence classification, whose kind the configuration names or the labels decide.</summary>
/// <remarks>transformers BertForSequenceClassification.forward: problem_type.</remarks>
internal static class SequenceLoss
{
    /// <summary>null without labels; regression with one label, cross-entropy with whole numbers, binary cross-entropy with real ones.</summary>
    /// <param name="logits">[batch, labels].</param>
    /// <param name="inputs">Labels or LabelValues.</param>
    /// <param name="config">problem_type and the number of labels.</param>
    /// <param name="session">The running session.</param>
    public static float? Compute(Tensor logits, ModelInputs inputs, PretrainedConfig config, Session session)
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
