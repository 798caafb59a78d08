using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>When a row of a batch ends: at an end token, or after so many tokens.</summary>
/// <remarks>transformers' EosTokenCriteria and MaxLengthCriteria.</remarks>
/// <param name="MaxNewTokens">Most tokens per row.</param>
/// <param name="EosTokenId">End tokens.</param>
internal sealed record StoppingCriteria(int MaxNewTokens, IReadOnlyList<int> EosTokenId)
{
    private const int UsualNewTokens = 64;

    /// <summary>Settles the limits of a call.</summary>
    /// <param name="options">What the caller asked for.</param>
    /// <param name="defaults">What the checkpoint says.</param>
    /// <param name="config">The model's configuration.</param>
    /// <param name="promptLength">Tokens of the longest prompt.</param>
    /// <exception cref="ModelInputException">The prompt leaves no room, or less than was asked for; or the options contradict each other.</exception>
    public static StoppingCriteria Of(GenerationOptions options, GenerationOptions defaults, CodeGenConfig config, int promptLength)
    {
        IReadOnlyList<int> eosTokenId = options.EosTokenId ?? defaults.EosTokenId ?? config.EosTokenId;
        options.Validate(defaults, config.VocabSize, eosTokenId);
        int room = config.NPositions - promptLength;
        if (room < 1)
            throw new ModelInputException($"The prompt is {promptLength} tokens; the model reads at most {config.NPositions} (n_positions), " +
                "and at least one must be left to generate. Drop tokens at the prompt's beginning.");
        int limit = Limit(options, defaults, config, promptLength, room);
        options.RequireMinimaWithin(promptLength, limit);
        return new StoppingCriteria(limit, eosTokenId);
    }

    public bool IsDone(int newTokens, int lastToken) => newTokens >= MaxNewTokens || EosTokenId.Contains(lastToken);

    private static int Limit(GenerationOptions options, GenerationOptions defaults, CodeGenConfig config, int promptLength, int room)
    {
        if (options.MaxNewTokens is int tokens)
        {
            return tokens <= room
                ? tokens
                : throw new ModelInputException($"The prompt is {promptLength} tokens and MaxNewTokens is {tokens}, " +
                    $"together {(long)promptLength + tokens}; the model reads at most {config.NPositions} (n_positions). Ask for at most {room}, " +
                    "or drop tokens at the prompt's beginning.");
        }
        if (options.MaxLength is int asked && (asked > config.NPositions || asked <= promptLength))
        {
            throw new ModelInputException(asked <= promptLength
                ? $"The prompt is {promptLength} tokens and MaxLength is {asked}, which leaves none to generate. Raise MaxLength, or give MaxNewTokens, " +
                    "which does not count the prompt."
                : $"MaxLength is {asked}; the model reads at most {config.NPositions} (n_positions).");
        }
        // The checkpoint's own limits are wishes: they give way to what fits.
        int? byLength = (options.MaxLength ?? (defaults.MaxNewTokens is null ? defaults.MaxLength : null)) - promptLength;
        return byLength >= 1 ? Math.Min(byLength.Value, room) : Math.Min(defaults.MaxNewTokens ?? UsualNewTokens, room);
    }
}
