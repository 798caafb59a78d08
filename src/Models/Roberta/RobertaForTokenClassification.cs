namespace ManagedTransformers.Models;

/// <summary>RoBERTa that labels every token.</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForTokenClassification.</remarks>
internal class RobertaForTokenClassification : BertForTokenClassification
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal RobertaForTokenClassification(RobertaConfig config, ModelSource source) : base(config, source)
    {
    }
}
