namespace ManagedTransformers.Diagnostics;

/// <summary>What reference files hold besides plain outputs: chosen rows of large tensors, best tokens, pooled states, greedy continuations.</summary>
internal sealed class DerivedOutputs(
    PretrainedModel model, ModelInputs inputs, IReadOnlyDictionary<string, Weight> reference, IReadOnlyDictionary<string, FloatTensor> outputs)
{
    /// <summary>Names that say what to derive and are no outputs themselves.</summary>
    public static bool IsInput(string name) => name is "rows" or "greedy.input_ids";

    /// <summary>The tensor of that name, or null where it cannot be derived.</summary>
    public FloatTensor? Compute(string name)
    {
        if (name == "greedy.sequences")
            return Greedy(name);
        if (name.StartsWith("pooling.", StringComparison.Ordinal))
            return Pool(name);
        int cut = name.IndexOf(".rows", StringComparison.Ordinal);
        if (cut < 0 || !outputs.TryGetValue(name[..cut], out FloatTensor? whole) || !reference.TryGetValue("rows", out Weight? rows))
            return null;
        int[] chosen = Chosen(rows, whole);
        return name[(cut + ".rows".Length)..] switch
        {
            "" => Rows(name, whole, chosen, whole.Shape[^1]),
            ".first_512" => Rows(name, whole, chosen, Math.Min(512, whole.Shape[^1])),
            ".top_values" => Top(name, whole, chosen, best => best.Value),
            ".top_ids" => Top(name, whole, chosen, best => best.Id),
            _ => null,
        };
    }

    private static int[] Chosen(Weight rows, FloatTensor whole)
    {
        int[] numbers = ForwardFiles.Integers(rows);
        int count = whole.Rank == 0 ? 0 : whole.Length / whole.Shape[^1];
        foreach (int number in numbers)
        {
            if ((uint)number >= (uint)count)
                throw new ModelInputException($"rows in {rows.File} names row {number}; {whole.Name} is {TensorComparison.Describe(whole.Shape)} and has " +
                    $"{count} rows.");
        }
        return numbers;
    }

    private static FloatTensor Rows(string name, FloatTensor whole, int[] rows, int width)
    {
        var chosen = new FloatTensor(name, rows.Length, width);
        for (int i = 0; i < rows.Length; i++)
            whole.Row(rows[i])[..width].CopyTo(chosen.Row(i));
        return chosen;
    }

    /// <summary>The 50 best of each row, in falling order.</summary>
    private static FloatTensor Top(string name, FloatTensor whole, int[] rows, Func<(int Id, float Value), float> take)
    {
        const int Best = 50;
        var top = new FloatTensor(name, rows.Length, Best);
        for (int i = 0; i < rows.Length; i++)
        {
            float[] values = whole.Row(rows[i]).ToArray();
            IEnumerable<(int Id, float Value)> best = values.Select((value, id) => (id, value)).OrderByDescending(pair => pair.value).Take(Best);
            best.Select(take).ToArray().CopyTo(top.Row(i));
        }
        return top;
    }

    /// <summary>Pooled last hidden states: pooling.cls, .mean, .max, and .mean.normalized.</summary>
    private FloatTensor? Pool(string name)
    {
        if (!outputs.TryGetValue("last_hidden_state", out FloatTensor? states))
            return null;
        Pooling? pooling = name switch
        {
            "pooling.cls" => Pooling.Cls,
            "pooling.max" => Pooling.Max,
            "pooling.mean" or "pooling.mean.normalized" => Pooling.Mean,
            _ => null,
        };
        if (pooling is not Pooling kind)
            return null;
        (int batch, int sequence, int hidden) = (states.Shape[0], states.Shape[1], states.Shape[2]);
        var pooled = new FloatTensor(name, batch, hidden);
        for (int row = 0; row < batch; row++)
        {
            IEnumerable<int> real = Enumerable.Range(0, sequence).Where(column => inputs.AttentionMask?[row * sequence + column] != 0);
            int[] tokens = kind == Pooling.Cls ? [0] : [.. real];
            float[] visible = [.. tokens.SelectMany(column => states.Row(row * sequence + column).ToArray())];
            SentencePooling.Pool(visible, hidden, [kind]).CopyTo(pooled.Row(row));
            if (name == "pooling.mean.normalized")
                SentencePooling.Normalize(pooled.Row(row));
        }
        return pooled;
    }

    private FloatTensor? Greedy(string name)
    {
        if (model is not ICausalLM decoder || !reference.TryGetValue("greedy.input_ids", out Weight? prompt))
            return null;
        List<int> sequence = [.. ForwardFiles.Integers(prompt)];
        Weight expected = reference[name];
        if (expected.Shape is not [1, _] || expected.Shape[1] <= sequence.Count || expected.Shape[1] > decoder.Config.MaxTokens)
            throw new ModelInputException($"{name} in {expected.File} is {expected.ShapeText}; [1, length] is needed, " +
                $"longer than the {sequence.Count} tokens of greedy.input_ids and at most {decoder.Config.MaxTokens} ({decoder.Config.Positions}).");
        int length = (int)expected.Shape[1];
        var toTheEnd = new GenerationOptions { MaxNewTokens = length - sequence.Count, EosTokenId = [] };
        sequence.AddRange(decoder.Generate([[.. sequence]], toTheEnd)[0]);
        return new FloatTensor([.. sequence.Select(id => (float)id)], name, 1, length);
    }
}
