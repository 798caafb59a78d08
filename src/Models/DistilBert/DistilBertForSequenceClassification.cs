using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>DistilBERT that classifies a text: classifier(relu(pre_classifier(first token))).</summary>
/// <remarks>Sanh et al. 2019, arXiv:1910.01108; transformers DistilBertForSequenceClassification.</remarks>
internal sealed class DistilBertForSequenceClassification : EncoderForSequenceClassification
{
    private readonly Linear _preClassifier;
    private readonly Linear _classifier;

    internal DistilBertForSequenceClassification(DistilBertConfig config, ModelSource source) : base(config, source, new DistilBertModel(config, source))
    {
        _preClassifier = new Linear(source.Weights, "pre_classifier", config.Dim, config.Dim);
        _classifier = new Linear(source.Weights, "classifier", config.Dim, config.NumLabels);
    }

    /// <inheritdoc/>
    protected override Tensor Classify(Tensor x, Session session)
    {
        Tensor hidden = _preClassifier.Forward(SelectedRows.First(x, session), session, ActivationFunction.Relu);       // [batch, dim]
        return _classifier.Forward(hidden, session);                                                                    // [batch, labels]
    }
}
