namespace ManagedTransformers.Models;

/// <summary>BERT that labels every token.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForTokenClassification.</remarks>
internal class BertForTokenClassification : EncoderForTokenClassification
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal BertForTokenClassification(BertConfig config, ModelSource source) : base(config, source, new BertModel(config, source, pooler: false))
    {
    }
}
