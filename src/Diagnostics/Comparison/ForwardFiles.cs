namespace ManagedTransformers.Diagnostics;

/// <summary>Runs a model on inputs from a safetensors file and gives back every output under the name that transformers' outputs have in such files.</summary>
public static class ForwardFiles
{
    /// <summary>Takes a model's inputs from a file's tensors; whatever else the file holds is left alone.</summary>
    /// <param name="tensors">input_ids [batch, sequence] or inputs_embeds [batch, sequence, hidden] and, where present, attention_mask, token_type_ids,
    /// position_ids, head_mask, labels, next_sentence_label.</param>
    /// <exception cref="ModelInputException">A shape or type does not fit, or there are neither ids nor embeddings.</exception>
    public static ModelInputs ReadInputs(IReadOnlyDictionary<string, Weight> tensors) => ReadInputs(tensors, past: 0);

    /// <summary>The same for tokens that follow others: attention_mask may speak of those, too, [batch, past + sequence].</summary>
    internal static ModelInputs ReadInputs(IReadOnlyDictionary<string, Weight> tensors, int past)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        if (!tensors.TryGetValue("input_ids", out Weight? shaped) && !tensors.TryGetValue("inputs_embeds", out shaped))
            throw new ModelInputException($"The inputs hold neither input_ids nor inputs_embeds; they hold {string.Join(", ", tensors.Keys.Take(20))}.");
        int[] shape = ShapeOf(shaped);
        if (shape.Length != (shaped.Name == "input_ids" ? 2 : 3))
            throw new ModelInputException($"{shaped.Name} is {shaped.ShapeText}; [batch, sequence]" +
                $"{(shaped.Name == "input_ids" ? "" : " with a vector each")} is needed.");

        (int batch, int sequence) = (shape[0], shape[1]);
        Weight? labels = tensors.GetValueOrDefault("labels");
        bool realLabels = labels is not null && IsReal(labels.Type);
        if (labels is not null)
            RequireRows(labels, batch);
        if (tensors.TryGetValue("next_sentence_label", out Weight? next))
            RequireRows(next, batch);
        return new ModelInputs(batch, sequence)
        {
            InputIds = PerToken(tensors, "input_ids", batch, sequence),
            InputsEmbeds = Reals(tensors, "inputs_embeds"),
            AttentionMask = PerToken(tensors, "attention_mask", batch,
                past > 0 && tensors.TryGetValue("attention_mask", out Weight? mask) && mask.Shape.SequenceEqual([batch, past + sequence])
                    ? past + sequence : sequence),
            TokenTypeIds = PerToken(tensors, "token_type_ids", batch, sequence),
            PositionIds = PerToken(tensors, "position_ids", batch, sequence),
            HeadMask = Reals(tensors, "head_mask"),
            Labels = realLabels || labels is null ? null : Integers(labels),
            LabelValues = realLabels ? labels!.ToSingle() : null,
            NextSentenceLabel = next is null ? null : Integers(next),
        };
    }

    /// <summary>Runs a model in a new session as transformers would, padding included, and returns every output.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <exception cref="ModelInputException">The inputs do not fit the model.</exception>
    public static IReadOnlyList<FloatTensor> Run(PretrainedModel model, ModelInputs inputs) => Run(model, inputs, next: null);

    /// <summary>The same; where there are next inputs, the outputs of a second call that follows the first one in the session's KV cache.</summary>
    internal static IReadOnlyList<FloatTensor> Run(PretrainedModel model, ModelInputs inputs, ModelInputs? next)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        int length = inputs.SequenceLength + (next?.SequenceLength ?? 0);
        var everything = new ForwardOptions { OutputHiddenStates = true, OutputAttentions = true, OutputPastKeyValues = true, ComputePadding = true };
        var fitting = new SessionOptions { BatchSize = inputs.BatchSize, MaxLength = Math.Min(length, model.Config.Positions.MostTokens) };
        model.CheckInputs(inputs, past: 0, everything);         // before a cache of the inputs' size is made
        using Session session = model.CreateSession(fitting);
        ModelOutput output = model.Forward(inputs, session, everything);
        return [.. (next is null ? output : model.Forward(next, session, everything)).NamedTensors()];
    }

    /// <summary>Writes tensors to a safetensors file.</summary>
    /// <param name="path">The file; an existing one is replaced once the new one is complete.</param>
    /// <param name="tensors">What to write.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<FloatTensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        TensorEntry[] entries = [.. tensors.Select(t => TensorEntry.Create(t.Name, [.. t.Shape.ToArray().Select(size => (long)size)], t.ToArray()))];
        SafetensorsWriter.Write(path, entries);
    }

    private static int[] ShapeOf(Weight weight) =>
        weight.Shape.All(size => size <= int.MaxValue)
            ? [.. weight.Shape.Select(size => (int)size)]
            : throw new ModelInputException($"{weight.Name} is {weight.ShapeText}; no axis may be longer than {int.MaxValue}.");

    /// <summary>Integers of a [batch, sequence] tensor; one row stands for all rows of the batch, as in PyTorch.</summary>
    private static int[]? PerToken(IReadOnlyDictionary<string, Weight> tensors, string name, int batch, int sequence)
    {
        if (!tensors.TryGetValue(name, out Weight? weight))
            return null;
        // As many numbers in another shape, such as [sequence, batch], would be read as other rows.
        bool oneForAll = weight.Shape is [1, _] && weight.Shape[1] == sequence;
        if (!oneForAll && !weight.Shape.SequenceEqual([batch, sequence]))
            throw new ModelInputException($"{name} is {weight.ShapeText}; the inputs' shape [{batch}, {sequence}], or [1, {sequence}] for all rows, " +
                "is needed.");
        int[] values = Integers(weight);
        return oneForAll ? [.. Enumerable.Repeat(values, batch).SelectMany(row => row)] : values;
    }

    /// <summary>Labels have a number or a row for each row of the batch.</summary>
    private static void RequireRows(Weight labels, int batch)
    {
        if (labels.Shape.Count is not (1 or 2) || labels.Shape[0] != batch)
            throw new ModelInputException($"{labels.Name} is {labels.ShapeText}; a first axis of {batch}, one for each row of the inputs, " +
                "and at most one more is needed.");
    }

    /// <summary>A tensor of integers.</summary>
    /// <exception cref="ModelInputException">It has another type, or a number that is no 32-bit one.</exception>
    internal static int[] Integers(Weight weight)
    {
        if (IsReal(weight.Type))
            throw new ModelInputException($"{weight.Name} has type {weight.Type}; an integer type, such as I64, is needed.");
        long[] wide;
        try
        {
            wide = weight.ToInt64();
        }
        catch (OverflowException e)
        {
            throw new ModelInputException($"{weight.Name} holds a U64 number over {long.MaxValue}; 32-bit numbers are needed.", e);
        }
        var values = new int[wide.Length];
        for (int i = 0; i < wide.Length; i++)
            values[i] = wide[i] is >= int.MinValue and <= int.MaxValue
                ? (int)wide[i]
                : throw new ModelInputException($"{weight.Name}[{i}] is {wide[i]}, which is no 32-bit number.");
        return values;
    }

    private static FloatTensor? Reals(IReadOnlyDictionary<string, Weight> tensors, string name) =>
        tensors.TryGetValue(name, out Weight? weight) ? new FloatTensor(weight.ToSingle(), name, ShapeOf(weight)) : null;

    internal static bool IsReal(ElementType type) =>
        type is ElementType.F64 or ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F8E4M3 or ElementType.F8E5M2;
}
