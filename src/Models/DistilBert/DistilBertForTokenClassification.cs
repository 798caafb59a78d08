namespace ManagedTransformers.Models;

/// <summary>DistilBERT that labels every token.</summary>
/// <remarks>Sanh et al. 2019, arXiv:1910.01108; transformers DistilBertForTokenClassification.</remarks>
internal sealed class DistilBertForTokenClassification : EncoderForTokenClassification
{
    internal DistilBertForTokenClassification(DistilBertConfig config, ModelSource source) : base(config, source, new DistilBertModel(config, source))
    {
    }
}
