using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>RoBERTa that classifies a text: out_proj(tanh(dense(first token))).</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForSequenceClassification and RobertaClassificationHead.</remarks>
internal class RobertaForSequenceClassification : EncoderForSequenceClassification
{
    private readonly Linear _dense;
    private readonly Linear _outProj;

    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal RobertaForSequenceClassification(RobertaConfig config, ModelSource source)
        : base(config, source, new BertModel(config, source, pooler: false))
    {
        _dense = new Linear(source.Weights, "classifier.dense", config.HiddenSize, config.HiddenSize);
        _outProj = new Linear(source.Weights, "classifier.out_proj", config.HiddenSize, config.NumLabels);
    }

    /// <inheritdoc/>
    protected override Tensor Classify(Tensor x, Session session)
    {
        Tensor hidden = _dense.Forward(SelectedRows.First(x, session), session, ActivationFunction.Tanh);      // [batch, hidden]
        return session.Tap("classifier", _outProj.Forward(hidden, session));                                   // [batch, labels]
    }
}
