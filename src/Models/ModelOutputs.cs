using System.Diagnostics;

namespace ManagedTransformers.Models;

/// <summary>What a forward pass gives back; the properties have transformers' names and the tensors belong to the caller.</summary>
[DebuggerDisplay("{DebuggerText,nq}")]
public abstract class ModelOutput
{
    /// <summary>The loss, where labels were given. NaN where every label is −100, as in transformers.</summary>
    public float? Loss { get; init; }

    /// <summary>The embeddings' output and each layer's, [batch, sequence, hidden]; with <see cref="ForwardOptions.OutputHiddenStates"/>.</summary>
    public IReadOnlyList<Tensor>? HiddenStates { get; internal set; }

    /// <summary>Each layer's attention probabilities, [batch, heads, sequence, past + sequence]; with <see cref="ForwardOptions.OutputAttentions"/>.</summary>
    public IReadOnlyList<Tensor>? Attentions { get; internal set; }

    /// <summary>Each layer's keys and values, [batch, heads, past + sequence, head_dim]; with <see cref="ForwardOptions.OutputPastKeyValues"/>.</summary>
    public IReadOnlyList<(Tensor Key, Tensor Value)>? PastKeyValues { get; internal set; }

    /// <summary>Every tensor under the name that it has in a file of reference outputs: <c>hidden_states.0</c>, <c>logits</c>, <c>loss</c>, …</summary>
    public IEnumerable<Tensor> NamedTensors()
    {
        foreach (Tensor tensor in HeadTensors())
            yield return tensor;
        foreach (Tensor tensor in (HiddenStates ?? []).Concat(Attentions ?? []))
            yield return tensor;
        foreach ((Tensor key, Tensor value) in PastKeyValues ?? [])
        {
            yield return key;
            yield return value;
        }
        if (Loss is float loss)
            yield return new Tensor([loss], "loss", 1);
    }

    private protected abstract IEnumerable<Tensor> HeadTensors();

    private string DebuggerText
    {
        get
        {
            IEnumerable<string> parts = HeadTensors().Select(tensor => $"{tensor.Name} {tensor.ShapeText}");
            if (HiddenStates is not null)
                parts = parts.Append($"{HiddenStates.Count} hidden states");
            if (Attentions is not null)
                parts = parts.Append($"{Attentions.Count} attentions");
            if (Loss is float loss)
                parts = parts.Append(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"loss {loss:G4}"));
            return string.Join(", ", parts);
        }
    }
}

/// <summary>The body of a model: transformers' BaseModelOutputWithPooling and BaseModelOutputWithPast.</summary>
public sealed class BaseModelOutput(Tensor lastHiddenState, Tensor? poolerOutput) : ModelOutput
{
    /// <summary>The last layer's output, [batch, sequence, hidden].</summary>
    public Tensor LastHiddenState { get; } = lastHiddenState;

    /// <summary>tanh(dense(first token)), [batch, hidden]; null where the checkpoint has no pooler.</summary>
    public Tensor? PoolerOutput { get; } = poolerOutput;

    private protected override IEnumerable<Tensor> HeadTensors() => PoolerOutput is null ? [LastHiddenState] : [LastHiddenState, PoolerOutput];
}

/// <summary>The output of a model whose head gives one tensor of scores.</summary>
public abstract class LogitsOutput(Tensor logits) : ModelOutput
{
    /// <summary>The scores before softmax; the derived classes say their shape.</summary>
    public Tensor Logits { get; } = logits;

    private protected override IEnumerable<Tensor> HeadTensors() => [Logits];
}

/// <summary>transformers' MaskedLMOutput: logits are [batch, sequence, vocab_size], or [places, vocab_size] with
/// <see cref="ForwardOptions.LogitsAt"/>.</summary>
public class MaskedLMOutput(Tensor logits) : LogitsOutput(logits);

/// <summary>transformers' CausalLMOutputWithPast: logits are [batch, sequence, vocab_size], or [places, vocab_size] with
/// <see cref="ForwardOptions.LogitsAt"/>.</summary>
public sealed class CausalLMOutput(Tensor logits) : LogitsOutput(logits);

/// <summary>transformers' SequenceClassifierOutput: logits are [batch, labels].</summary>
public sealed class SequenceClassifierOutput(Tensor logits) : LogitsOutput(logits);

/// <summary>transformers' TokenClassifierOutput: logits are [batch, sequence, labels].</summary>
public sealed class TokenClassifierOutput(Tensor logits) : LogitsOutput(logits);

/// <summary>Both heads of BERT's pre-training: transformers' BertForPreTrainingOutput. The logits are those of the masked language model,
/// prediction_logits.</summary>
public sealed class PreTrainingOutput(Tensor predictionLogits, Tensor seqRelationshipLogits) : MaskedLMOutput(predictionLogits)
{
    /// <summary>Scores of "the second sentence follows" and "it does not", [batch, 2].</summary>
    public Tensor SeqRelationshipLogits { get; } = seqRelationshipLogits;

    private protected override IEnumerable<Tensor> HeadTensors() => [Logits, SeqRelationshipLogits];
}
