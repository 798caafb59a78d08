namespace ManagedTransformers.Models;

/// <summary>RoBERTa without a head: BERT's layers; positions count from the padding token's number on (<see cref="RobertaConfig"/>).</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaModel.</remarks>
internal class RobertaModel : BertModel
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal RobertaModel(RobertaConfig config, ModelSource source) : base(config, source)
    {
    }
}
