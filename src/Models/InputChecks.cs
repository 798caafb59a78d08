namespace ManagedTransformers.Models;

/// <summary>Checks inputs against a configuration before anything is computed.</summary>
internal static class InputChecks
{
    /// <exception cref="ModelInputException">Something does not fit; the message says what, where, and what would.</exception>
    public static void Check(ModelInputs inputs, PretrainedConfig config, int past, ForwardOptions options)
    {
        int sequence = inputs.SequenceLength;
        if ((inputs.InputIds is null) == (inputs.InputsEmbeds is null))
            throw new ModelInputException("Exactly one of input_ids and inputs_embeds is needed.");
        CheckLength("input_ids", inputs.InputIds, inputs);
        int tokens = LongestText(inputs, config);
        if (past + tokens > config.Positions.MostTokens)
            throw new ModelInputException(TooLong(config, past, tokens));
        CheckIds("input_ids", inputs.InputIds, config.VocabSize, "vocab_size", sequence);
        CheckTokenTypes(inputs, config);
        CheckLength("position_ids", inputs.PositionIds, inputs);
        CheckIds("position_ids", inputs.PositionIds, Math.Max(config.Positions.Count, config.Positions.MostTokens), config.Positions.Key, sequence);
        CheckEmbeddings(inputs, config);
        CheckMask(inputs, past);
        CheckHeadMask(inputs.HeadMask, config);
        CheckPlaces(inputs, options);
    }

    /// <summary>The attention mask of the new tokens, [batch, sequence]; empty: all ones.</summary>
    public static ReadOnlySpan<int> NewTokensMask(ModelInputs inputs, int past)
    {
        if (inputs.AttentionMask is not int[] mask || mask.Length == inputs.BatchSize * inputs.SequenceLength)
            return inputs.AttentionMask;
        var newest = new int[inputs.BatchSize * inputs.SequenceLength];
        for (int row = 0; row < inputs.BatchSize; row++)
            mask.AsSpan(row * (past + inputs.SequenceLength) + past, inputs.SequenceLength).CopyTo(newest.AsSpan(row * inputs.SequenceLength));
        return newest;
    }

    /// <summary>Whether some row's first token is padding.</summary>
    public static bool HidesFirstColumn(ReadOnlySpan<int> mask, ModelInputs inputs)
    {
        for (int i = 0; i < mask.Length; i += inputs.SequenceLength)
        {
            if (mask[i] == 0)
                return true;
        }
        return false;
    }

    /// <summary>Each id must be in 0 … size − 1.</summary>
    public static void CheckIds(string name, ReadOnlySpan<int> ids, int size, string sizeName, int sequence)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)size)
            {
                throw new ModelInputException(
                    $"{name}[{i / sequence}, {i % sequence}] is {ids[i]}; the model's {sizeName} is {size}, so 0 … {size - 1} is needed. Do tokenizer " +
                        "and model belong together?");
            }
        }
    }

    /// <summary>Rows that continue sequences: tokens and sequences must exist, each sequence once.</summary>
    public static void CheckAppend(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> lengths, ReadOnlySpan<int> sequences, KeyValueCache cache,
        PretrainedConfig config)
    {
        if (tokenIds.IsEmpty)
            throw new ModelInputException($"No tokens were given for {sequences.Length} sequences; at least one for each is needed.");
        if (lengths.IsEmpty ? tokenIds.Length != sequences.Length : lengths.Length != sequences.Length)
            throw new ModelInputException($"{tokenIds.Length} tokens in {(lengths.IsEmpty ? tokenIds.Length : lengths.Length)} rows were given for " +
                $"{sequences.Length} sequences; one row for each is needed.");
        long total = lengths.IsEmpty ? tokenIds.Length : 0;
        foreach (int length in lengths)
        {
            if (length < 1)
                throw new ModelInputException($"A row has {length} tokens; at least 1 is needed.");
            total += length;
        }
        if (total != tokenIds.Length)
            throw new ModelInputException($"The rows' lengths add up to {total}; {tokenIds.Length} tokens were given.");
        CheckIds("input_ids", tokenIds, config.VocabSize, "vocab_size", tokenIds.Length);
        CheckIds("sequences", sequences, cache.BatchSize, "session's BatchSize", sequences.Length);
        foreach (int sequence in sequences)
        {
            if (sequences.Count(sequence) > 1)
                throw new ModelInputException($"Sequence {sequence} was given twice; one row continues one sequence.");
        }
    }

    /// <summary>
    /// The tokens that count against the positions. Where padding has a position of its own, a padded batch may be as wide as the position table, and
    /// given position_ids (checked by themselves) may use all of it.
    /// </summary>
    private static int LongestText(ModelInputs inputs, PretrainedConfig config)
    {
        PositionLimit positions = config.Positions;
        if (positions.PaddingIdx is not int padding || inputs.RowLengths is not null
            || inputs.SequenceLength <= positions.MaxTokens || inputs.SequenceLength > positions.Count)
            return inputs.SequenceLength;
        if (inputs.PositionIds is not null)
            return 0;
        return inputs.InputIds is int[] ids ? ids.Chunk(inputs.SequenceLength).Max(row => row.Count(id => id != padding)) : inputs.SequenceLength;
    }

    private static string TooLong(PretrainedConfig config, int past, int sequence)
    {
        string cached = past > 0 ? $", {past} of them in the KV cache" : "";
        string advice = config.IsCausal ? "Drop tokens on the left." : "Truncate it or split it into windows.";
        return $"The text is {past + sequence} tokens{cached}; the model reads at most {config.Positions.MostTokens} ({config.Positions}). {advice}";
    }

    private static void CheckTokenTypes(ModelInputs inputs, PretrainedConfig config)
    {
        CheckLength("token_type_ids", inputs.TokenTypeIds, inputs);
        if (inputs.TokenTypeIds is null)
            return;
        if (config.TokenTypes is not (string key, int count))
            throw new ModelInputException($"token_type_ids were given; {config.ModelType} has no segments. Leave them out.");
        CheckIds("token_type_ids", inputs.TokenTypeIds, count, key, inputs.SequenceLength);
    }

    private static void CheckLength(string name, int[]? values, ModelInputs inputs)
    {
        if (values is not null && values.Length != inputs.Places)
            throw new ModelInputException($"{name} has {values.Length} numbers; the inputs' shape [{inputs.BatchSize}, {inputs.SequenceLength}] needs " +
                $"{inputs.Places}.");
    }

    private static void CheckEmbeddings(ModelInputs inputs, PretrainedConfig config)
    {
        if (inputs.InputsEmbeds is FloatTensor embeds && !embeds.Shape.SequenceEqual([inputs.BatchSize, inputs.SequenceLength, config.HiddenWidth]))
        {
            throw new ModelInputException(
                $"inputs_embeds is [{string.Join(", ", embeds.Shape.ToArray())}]; the model needs [{inputs.BatchSize}, {inputs.SequenceLength}, " +
                    $"{config.HiddenWidth}].");
        }
    }

    private static void CheckMask(ModelInputs inputs, int past)
    {
        if (inputs.AttentionMask is not int[] mask)
            return;
        int width = mask.Length / inputs.BatchSize;
        if (mask.Length % inputs.BatchSize != 0 || (width != inputs.SequenceLength && width != past + inputs.SequenceLength))
        {
            string alsoPast = past > 0 ? $" or [{inputs.BatchSize}, {past + inputs.SequenceLength}] with the {past} cached" : "";
            throw new ModelInputException($"attention_mask has {mask.Length} numbers; [{inputs.BatchSize}, {inputs.SequenceLength}]{alsoPast} is needed.");
        }
        for (int i = 0; i < mask.Length; i++)
        {
            if (mask[i] is not (0 or 1))
                throw new ModelInputException($"attention_mask[{i / width}, {i % width}] is {mask[i]}; 1 (a token) or 0 (padding) is needed.");
        }
        for (int row = 0; row < inputs.BatchSize; row++)
        {
            if (!mask.AsSpan(row * width, width).Contains(1))
                throw new ModelInputException($"Row {row} of attention_mask is all zeros: there is no token to attend to. Leave the row out.");
        }
    }

    private static void CheckHeadMask(FloatTensor? mask, PretrainedConfig config)
    {
        if (mask is null || mask.Shape.SequenceEqual([config.Heads]) || mask.Shape.SequenceEqual([config.Layers, config.Heads]))
            return;
        throw new ModelInputException($"head_mask is [{string.Join(", ", mask.Shape.ToArray())}]; the model needs [{config.Heads}] or [{config.Layers}, " +
            $"{config.Heads}].");
    }

    private static void CheckPlaces(ModelInputs inputs, ForwardOptions options)
    {
        if (options.LogitsAt is null)
            return;
        if (inputs.Labels is not null)
            throw new ModelInputException("ForwardOptions.LogitsAt and labels were both given; a loss needs the logits of all places. Drop one of them.");
        foreach ((int row, int column) in options.LogitsAt)
        {
            if ((uint)row >= (uint)inputs.BatchSize || (uint)column >= (uint)inputs.SequenceLength)
                throw new ModelInputException($"LogitsAt names row {row}, column {column}; the inputs are [{inputs.BatchSize}, {inputs.SequenceLength}].");
        }
    }
}
