using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>Runs a model on inputs from a safetensors file and gives back every output under the name that transformers' outputs have in such files.</summary>
public static class ForwardFiles
{
    /// <summary>Takes a model's inputs from a file's tensors; whatever else the file holds is left alone.</summary>
    /// <param name="tensors">
    /// input_ids [batch, sequence] or inputs_embeds [batch, sequence, hidden] and, where present, attention_mask, token_type_ids,
    /// position_ids, head_mask, labels, next_sentence_label.
    /// </param>
    /// <exception cref="ModelInputException">A shape or type does not fit, or there are neither ids nor embeddings.</exception>
    public static ModelInputs ReadInputs(IReadOnlyDictionary<string, Weight> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        if (!tensors.TryGetValue("input_ids", out Weight? shaped) && !tensors.TryGetValue("inputs_embeds", out shaped))
            throw new ModelInputException($"The inputs hold neither input_ids nor inputs_embeds; they hold {string.Join(", ", tensors.Keys.Take(20))}.");
        int[] shape = ShapeOf(shaped);
        if (shape.Length != (shaped.Name == "input_ids" ? 2 : 3))
            throw new ModelInputException($"{shaped.Name} is {shaped.ShapeText}; [batch, sequence]{(shaped.Name == "input_ids" ? "" : " with a vector each")} is needed.");

        (int batch, int sequence) = (shape[0], shape[1]);
        Weight? labels = tensors.GetValueOrDefault("labels");
        bool realLabels = labels is not null && IsReal(labels.Type);
        return new ModelInputs(batch, sequence)
        {
            InputIds = Integers(tensors, "input_ids", batch),
            InputsEmbeds = Reals(tensors, "inputs_embeds"),
            AttentionMask = Integers(tensors, "attention_mask", batch),
            TokenTypeIds = Integers(tensors, "token_type_ids", batch),
            PositionIds = Integers(tensors, "position_ids", batch),
            HeadMask = Reals(tensors, "head_mask"),
            Labels = realLabels ? null : Integers(tensors, "labels", batch),
            LabelValues = realLabels ? labels!.ToSingle() : null,
            NextSentenceLabel = Integers(tensors, "next_sentence_label", batch),
        };
    }

    /// <summary>Runs a model in a new session as transformers would, padding included, and returns every output.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <exception cref="ModelInputException">The inputs do not fit the model.</exception>
    public static IReadOnlyList<Tensor> Run(PretrainedModel model, ModelInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        var fitting = new SessionOptions { BatchSize = inputs.BatchSize, MaxLength = Math.Min(inputs.SequenceLength, model.Config.MaxTokens) };
        using Session session = model.CreateSession(fitting);
        var everything = new ForwardOptions { OutputHiddenStates = true, OutputAttentions = true, OutputPastKeyValues = true, ComputePadding = true };
        return [.. model.Forward(inputs, session, everything).NamedTensors()];
    }

    /// <summary>Writes tensors to a safetensors file.</summary>
    /// <param name="path">The file; an existing one is replaced once the new one is complete.</param>
    /// <param name="tensors">What to write.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<Tensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        TensorEntry[] entries = [.. tensors.Select(t => TensorEntry.Create(t.Name, [.. t.Shape.ToArray().Select(size => (long)size)], t.ToArray()))];
        SafetensorsWriter.Write(path, entries);
    }

    private static int[] ShapeOf(Weight weight) =>
        weight.Shape.All(size => size <= int.MaxValue)
            ? [.. weight.Shape.Select(size => (int)size)]
            : throw new ModelInputException($"{weight.Name} is {weight.ShapeText}; no axis may be longer than {int.MaxValue}.");

    /// <summary>Integers of a tensor; one row stands for all rows of the batch, as in PyTorch.</summary>
    private static int[]? Integers(IReadOnlyDictionary<string, Weight> tensors, string name, int batch)
    {
        if (!tensors.TryGetValue(name, out Weight? weight))
            return null;
        if (IsReal(weight.Type))
            throw new ModelInputException($"{name} has type {weight.Type}; an integer type, such as I64, is needed.");
        long[] wide = weight.ToInt64();
        var values = new int[wide.Length];
        for (int i = 0; i < wide.Length; i++)
            values[i] = wide[i] is >= int.MinValue and <= int.MaxValue ? (int)wide[i] : throw new ModelInputException($"{name}[{i}] is {wide[i]}, which is no 32-bit number.");
        bool oneForAll = batch > 1 && weight.Shape.Count == 2 && weight.Shape[0] == 1;
        return oneForAll ? [.. Enumerable.Repeat(values, batch).SelectMany(row => row)] : values;
    }

    private static Tensor? Reals(IReadOnlyDictionary<string, Weight> tensors, string name) =>
        tensors.TryGetValue(name, out Weight? weight) ? new Tensor(weight.ToSingle(), name, ShapeOf(weight)) : null;

    private static bool IsReal(ElementType type) => type is ElementType.F64 or ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F8E4M3 or ElementType.F8E5M2;
}
