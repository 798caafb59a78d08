namespace ManagedTransformers.Models;

/// <summary>BERT that classifies a text: classifier(pooler).</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForSequenceClassification.</remarks>
internal class BertForSequenceClassification : EncoderForSequenceClassification
{
    private readonly BertModel _bert;
    private readonly Linear _classifier;

    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal BertForSequenceClassification(BertConfig config, ModelSource source)
        : this(config, source, new BertModel(config, source, pooler: true, poolerIsNeeded: true))
    {
    }

    private BertForSequenceClassification(BertConfig config, ModelSource source, BertModel bert) : base(config, source, bert) =>
        (_bert, _classifier) = (bert, new Linear(source.Weights, "classifier", config.HiddenSize, config.NumLabels));

    /// <inheritdoc/>
    protected override Tensor Classify(Tensor x, Session session) => _classifier.Forward(_bert.Pool(x, session), session);
}
