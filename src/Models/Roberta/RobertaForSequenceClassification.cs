using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>RoBERTa that classifies a text: out_proj(tanh(dense(first token))).</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForSequenceClassification and RobertaClassificationHead.</remarks>
public sealed class RobertaForSequenceClassification : PretrainedModel
{
    private const string Classifier = "classifier";

    private readonly BertEncoder _roberta;
    private readonly Linear _dense;
    private readonly Linear _outProj;

    internal RobertaForSequenceClassification(RobertaConfig config, ModelSource source) : base(config, source)
    {
        _roberta = new BertEncoder(config, source.Weights, pooler: false);
        _dense = new Linear(source.Weights, "classifier.dense", config.HiddenSize, config.HiddenSize);
        _outProj = new Linear(source.Weights, "classifier.out_proj", config.HiddenSize, config.NumLabels);
    }

    internal override bool ReadsFirstToken => true;

    internal override bool ReadsLabelValues => true;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static RobertaForSequenceClassification Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<RobertaForSequenceClassification>(directory, options);

    /// <inheritdoc/>
    public override SequenceClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _roberta.Forward(inputs, session);                            // [tokens, hidden]
        Tensor first = BertEncoder.FirstTokens(x, session);                      // [batch, hidden]
        Tensor scores = _outProj.Forward(_dense.Forward(first, session, ActivationFunction.Tanh), session);
        Tensor logits = session.Tap(Classifier, scores).Copy("logits");
        float? loss = SequenceLoss.Compute(logits, inputs, Config, session);
        return EndPass(new SequenceClassifierOutput(logits) { Loss = loss }, session);
    }

    private protected override IEnumerable<string> ListActivations() => [.. _roberta.ActivationNames, _dense.Name, _outProj.Name, Classifier];
}
