using System.Diagnostics;

namespace ManagedTransformers.Models;


/// <summary>
/// The inputs of a forward pass, under transformers' names. Integer arrays are [batch, sequence] in C order; what is null takes
/// the model's default.
/// </summary>
[DebuggerDisplay("{BatchSize} × {SequenceLength} tokens")]
public sealed class ModelInputs
{
    /// <summary>Inputs of a shape, to be filled by the initializer.</summary>
    /// <param name="batchSize">Rows, at least 1.</param>
    /// <param name="sequenceLength">Columns, at least 1.</param>
    /// <exception cref="ModelInputException">A size is below 1, or there are more tokens than an array holds.</exception>
    public ModelInputs(int batchSize, int sequenceLength)
    {
        if (batchSize < 1 || sequenceLength < 1)
            throw new ModelInputException($"Inputs of shape [{batchSize}, {sequenceLength}] hold no token. At least one row with one token is needed.");
        if ((long)batchSize * sequenceLength > Array.MaxLength)
            throw new ModelInputException($"Inputs of shape [{batchSize}, {sequenceLength}] are more than {Array.MaxLength} tokens. Run them in smaller " +
                "batches.");
        (BatchSize, SequenceLength) = (batchSize, sequenceLength);
    }

    private ModelInputs() => InputIds = [];

    /// <summary>No rows: a pass over them computes nothing and passes every place of the model.</summary>
    internal static ModelInputs None { get; } = new();

    /// <summary>Rows.</summary>
    public int BatchSize { get; }

    /// <summary>Columns.</summary>
    public int SequenceLength { get; }

    /// <summary>Tokens of each row where rows follow each other without padding (<see cref="OfRows"/>); null: all rows have <see cref="SequenceLength"/>
    /// places.</summary>
    internal int[]? RowLengths { get; private init; }

    /// <summary>Places of all rows.</summary>
    internal int Places => RowLengths?.Sum() ?? BatchSize * SequenceLength;

    /// <summary>Token ids, [batch, sequence]. Either these or <see cref="InputsEmbeds"/>.</summary>
    public int[]? InputIds { get; init; }

    /// <summary>Vectors in place of the token embeddings, [batch, sequence, hidden].</summary>
    public FloatTensor? InputsEmbeds { get; init; }

    /// <summary>1 for tokens, 0 for padding, [batch, sequence]; with a filled KV cache [batch, past + sequence] or, for the new tokens alone, [batch,
    /// sequence].</summary>
    public int[]? AttentionMask { get; init; }

    /// <summary>Segment ids, [batch, sequence]. CodeGen embeds them with the token table and adds them, as transformers does.</summary>
    public int[]? TokenTypeIds { get; init; }

    /// <summary>Positions, [batch, sequence].</summary>
    public int[]? PositionIds { get; init; }

    /// <summary>Factors of the attention heads, [heads] or [layers, heads].</summary>
    public FloatTensor? HeadMask { get; init; }

    /// <summary>Targets of the loss: [batch, sequence] for language models and token classification (−100: ignored), [batch] for sequence
    /// classification.</summary>
    public int[]? Labels { get; init; }

    /// <summary>Real-valued targets of sequence classification: [batch] or [batch, labels] for regression, [batch, labels] for several labels at
    /// once.</summary>
    public float[]? LabelValues { get; init; }

    /// <summary>0 where the second sentence follows the first, 1 where it is a random one, [batch].</summary>
    public int[]? NextSentenceLabel { get; init; }

    /// <summary>One sequence without padding.</summary>
    /// <exception cref="ModelInputException">There are no ids.</exception>
    public static ModelInputs Of(params ReadOnlySpan<int> inputIds) => new(1, inputIds.Length) { InputIds = inputIds.ToArray() };

    /// <summary>Sequences of different lengths, one after the other without padding. Outputs are [batch, longest row, …], zero behind the end of a
    /// row.</summary>
    /// <param name="rows">The sequences; each has at least one id.</param>
    /// <param name="tokenTypeIds">The segment of each token; null: none are given.</param>
    /// <exception cref="ModelInputException">There is no row, a row is empty, or segments are not as many as ids.</exception>
    public static ModelInputs OfRows(IReadOnlyList<int[]> rows, IReadOnlyList<int[]>? tokenTypeIds = null)
    {
        RequireTokens(rows);
        if (tokenTypeIds is not null && !rows.Select(row => row.Length).SequenceEqual(tokenTypeIds.Select(row => row.Length)))
            throw new ModelInputException("token_type_ids has rows of other lengths than input_ids; one segment for each token is needed.");
        return new ModelInputs(rows.Count, rows.Max(row => row.Length))
        {
            RowLengths = [.. rows.Select(row => row.Length)],
            InputIds = [.. rows.SelectMany(row => row)],
            TokenTypeIds = tokenTypeIds is null ? null : [.. tokenTypeIds.SelectMany(row => row)],
        };
    }

    /// <summary>Sequences of different lengths, padded to the longest, with the attention mask that says so.</summary>
    /// <param name="rows">The sequences; each has at least one id.</param>
    /// <param name="padTokenId">The id to fill with.</param>
    /// <param name="padLeft">Pad on the left, as decoders want it.</param>
    /// <exception cref="ModelInputException">There is no row, or a row is empty.</exception>
    public static ModelInputs OfBatch(IReadOnlyList<int[]> rows, int padTokenId = 0, bool padLeft = false)
    {
        RequireTokens(rows);
        int width = rows.Max(row => row.Length);
        var (ids, mask) = (new int[rows.Count * width], new int[rows.Count * width]);
        Array.Fill(ids, padTokenId);
        for (int r = 0; r < rows.Count; r++)
        {
            int start = r * width + (padLeft ? width - rows[r].Length : 0);
            rows[r].CopyTo(ids, start);
            mask.AsSpan(start, rows[r].Length).Fill(1);
        }
        return new ModelInputs(rows.Count, width) { InputIds = ids, AttentionMask = mask };
    }

    private static void RequireTokens(IReadOnlyList<int[]> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            throw new ModelInputException("The batch has no rows; at least one sequence is needed.");
        for (int r = 0; r < rows.Count; r++)
        {
            if (rows[r].Length == 0)
                throw new ModelInputException($"Row {r} of the batch is empty; every row needs at least one token.");
        }
    }
}

/// <summary>What a forward pass gives back; the properties have transformers' names and the tensors belong to the caller.</summary>
[DebuggerDisplay("{DebuggerText,nq}")]
public abstract class ModelOutput
{
    /// <summary>The loss, where labels were given. NaN where every label is −100, as in transformers.</summary>
    public float? Loss { get; init; }

    /// <summary>The embeddings' output and each layer's, [batch, sequence, hidden]; with <see cref="ForwardOptions.OutputHiddenStates"/>.</summary>
    public IReadOnlyList<FloatTensor>? HiddenStates { get; internal set; }

    /// <summary>Each layer's attention probabilities, [batch, heads, sequence, past + sequence]; with <see cref="ForwardOptions.OutputAttentions"/>.</summary>
    public IReadOnlyList<FloatTensor>? Attentions { get; internal set; }

    /// <summary>Each layer's keys and values, [batch, heads, past + sequence, head_dim]; with <see cref="ForwardOptions.OutputPastKeyValues"/>.</summary>
    public IReadOnlyList<(FloatTensor Key, FloatTensor Value)>? PastKeyValues { get; internal set; }

    /// <summary>Every tensor under the name that it has in a file of reference outputs: <c>hidden_states.0</c>, <c>logits</c>, <c>loss</c>, …</summary>
    public IEnumerable<FloatTensor> NamedTensors()
    {
        foreach (FloatTensor tensor in HeadTensors())
            yield return tensor;
        foreach (FloatTensor tensor in (HiddenStates ?? []).Concat(Attentions ?? []))
            yield return tensor;
        foreach ((FloatTensor key, FloatTensor value) in PastKeyValues ?? [])
        {
            yield return key;
            yield return value;
        }
        if (Loss is float loss)
            yield return new FloatTensor([loss], "loss", 1);
    }

    private protected abstract IEnumerable<FloatTensor> HeadTensors();

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
public sealed class BaseModelOutput(FloatTensor lastHiddenState, FloatTensor? poolerOutput) : ModelOutput
{
    /// <summary>The last layer's output, [batch, sequence, hidden].</summary>
    public FloatTensor LastHiddenState { get; } = lastHiddenState;

    /// <summary>tanh(dense(first token)), [batch, hidden]; null where the checkpoint has no pooler.</summary>
    public FloatTensor? PoolerOutput { get; } = poolerOutput;

    private protected override IEnumerable<FloatTensor> HeadTensors() => PoolerOutput is null ? [LastHiddenState] : [LastHiddenState, PoolerOutput];
}

/// <summary>The output of a model whose head gives one tensor of scores.</summary>
public abstract class LogitsOutput(FloatTensor logits) : ModelOutput
{
    /// <summary>The scores before softmax; the derived classes say their shape.</summary>
    public FloatTensor Logits { get; } = logits;

    private protected override IEnumerable<FloatTensor> HeadTensors() => [Logits];
}

/// <summary>transformers' MaskedLMOutput: logits are [batch, sequence, vocab_size], or [places, vocab_size] with
/// <see cref="ForwardOptions.LogitsAt"/>.</summary>
public class MaskedLMOutput(FloatTensor logits) : LogitsOutput(logits);

/// <summary>transformers' CausalLMOutputWithPast: logits are [batch, sequence, vocab_size], or [places, vocab_size] with
/// <see cref="ForwardOptions.LogitsAt"/>.</summary>
public sealed class CausalLMOutput(FloatTensor logits) : LogitsOutput(logits);

/// <summary>transformers' SequenceClassifierOutput: logits are [batch, labels].</summary>
public sealed class SequenceClassifierOutput(FloatTensor logits) : LogitsOutput(logits);

/// <summary>transformers' TokenClassifierOutput: logits are [batch, sequence, labels].</summary>
public sealed class TokenClassifierOutput(FloatTensor logits) : LogitsOutput(logits);

/// <summary>Both heads of BERT's pre-training: transformers' BertForPreTrainingOutput. The logits are those of the masked language model,
/// prediction_logits.</summary>
public sealed class PreTrainingOutput(FloatTensor predictionLogits, FloatTensor seqRelationshipLogits) : MaskedLMOutput(predictionLogits)
{
    /// <summary>Scores of "the second sentence follows" and "it does not", [batch, 2].</summary>
    public FloatTensor SeqRelationshipLogits { get; } = seqRelationshipLogits;

    private protected override IEnumerable<FloatTensor> HeadTensors() => [Logits, SeqRelationshipLogits];
}
