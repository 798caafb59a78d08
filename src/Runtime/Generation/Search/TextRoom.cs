namespace ManagedTransformers;

/// <summary>How many tokens a text may have, and what that leaves for its prompt and for new ones.</summary>
internal sealed class TextRoom
{
    private readonly int _tokens;
    private readonly string _limit;            // who sets it, for messages

    /// <summary>All that a model reads, or what a session holds, which may be less.</summary>
    public TextRoom(PretrainedConfig config, KeyValueCache? cache) => (_tokens, _limit) = cache is null || cache.MaxLength == config.MaxTokens
        ? (config.MaxTokens, $"the model reads at most {config.MaxTokens} (n_positions)")
        : (cache.MaxLength, $"the session holds at most {cache.MaxLength} (SessionOptions.MaxLength)");

    /// <summary>The most new tokens after a prompt.</summary>
    /// <exception cref="ModelInputException">None, or fewer than was asked for.</exception>
    public int NewTokens(GenerationOptions options, GenerationOptions defaults, int promptLength)
    {
        int room = _tokens - promptLength;
        if (room < 1)
            throw new ModelInputException($"The prompt is {promptLength} tokens; {_limit}, " +
                "and at least one must be left to generate. Drop tokens at the prompt's beginning, or set TruncatePrompt.");
        if (options.MaxNewTokens is int tokens)
        {
            return tokens <= room
                ? tokens
                : throw new ModelInputException($"The prompt is {promptLength} tokens and MaxNewTokens is {tokens}, " +
                    $"together {(long)promptLength + tokens}; {_limit}. Ask for at most {room}, " +
                    "drop tokens at the prompt's beginning, or set TruncatePrompt.");
        }
        if (options.MaxLength is int asked && (asked > _tokens || asked <= promptLength))
        {
            throw new ModelInputException(asked <= promptLength
                ? $"The prompt is {promptLength} tokens and MaxLength is {asked}, which leaves none to generate. Raise MaxLength, or give MaxNewTokens, " +
                    "which does not count the prompt."
                : $"MaxLength is {asked}; {_limit}.");
        }
        // The checkpoint's own limits are wishes: they give way to what fits.
        int? byLength = (options.MaxLength ?? (defaults.MaxNewTokens is null ? defaults.MaxLength : null)) - promptLength;
        return byLength >= 1 ? Math.Min(byLength.Value, room) : Math.Min(defaults.MaxNewTokens ?? GenerationOptionTable.UsualNewTokens, room);
    }

    /// <summary>The most tokens that a prompt keeps: all, unless the options ask to drop what leaves no room for new ones.</summary>
    public int PromptTokens(GenerationOptions options, GenerationOptions defaults)
    {
        if (options.Over(defaults).TruncatePrompt != true)
            return int.MaxValue;
        if (options.MaxLength is int length)
            return Math.Max(1, Math.Min(length, _tokens) - 1);
        return Math.Max(1, _tokens - (options.MaxNewTokens ?? defaults.MaxNewTokens ?? GenerationOptionTable.UsualNewTokens));
    }
}
