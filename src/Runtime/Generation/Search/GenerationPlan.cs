using System.Security.Cryptography;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>What a call's options come to, over the checkpoint's: limits settled, contradictions refused, processors and criteria made.</summary>
internal sealed class GenerationPlan
{
    private const int UsualNewTokens = 64;
    private readonly Tokenizer? _tokenizer;
    private readonly Dictionary<int, LogitsProcessor[]> _processors = [];
    private readonly Dictionary<int, StoppingCriterion[]> _criteria = [];
    private readonly long? _seed;

    /// <summary>Settles a call.</summary>
    /// <param name="options">What the caller asks for.</param>
    /// <param name="defaults">What the checkpoint says.</param>
    /// <param name="config">The model's configuration.</param>
    /// <param name="tokenizer">Decodes for criteria that look at text; null where there is none.</param>
    /// <param name="promptLength">Tokens of the longest prompt, padding included where the caller gave some.</param>
    /// <exception cref="ModelInputException">The options contradict each other, or the prompt leaves no room, or less than was asked for.</exception>
    public GenerationPlan(GenerationOptions options, GenerationOptions defaults, CodeGenConfig config, Tokenizer? tokenizer, int promptLength)
    {
        Options = options.Over(defaults);
        EosTokenId = Options.EosTokenId ?? config.EosTokenId;
        options.Validate(defaults, config.VocabSize, EosTokenId);
        _tokenizer = tokenizer;
        if (tokenizer is null && Options.StopStrings is { Count: > 0 } strings)
            throw new ModelInputException($"StopStrings asks for the text (\"{strings[0]}\"), and a model alone has no tokenizer. Generate with TextGenerator, or leave it out.");
        MaxNewTokens = Limit(options, defaults, config, promptLength);
        options.RequireMinimaWithin(promptLength, MaxNewTokens);
        if (Options.DoSample == true)
            _seed = Options.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
    }

    /// <summary>The caller's options over the checkpoint's.</summary>
    public GenerationOptions Options { get; }

    /// <summary>Most new tokens of a text.</summary>
    public int MaxNewTokens { get; }

    /// <summary>End tokens.</summary>
    public IReadOnlyList<int> EosTokenId { get; }

    /// <summary>Texts per prompt.</summary>
    public int Sequences => Options.NumReturnSequences ?? 1;

    /// <summary>Beams.</summary>
    public int Beams => Options.NumBeams ?? 1;

    /// <summary>Tokens to name beside each chosen one; null where probabilities are not wanted.</summary>
    public int? TopLogProbabilities => Options.TopLogProbabilities;

    /// <summary>The processors of a row whose prompt has so many tokens; rows share them.</summary>
    public LogitsProcessor[] ProcessorsFor(int promptLength) => _processors.TryGetValue(promptLength, out LogitsProcessor[]? known)
        ? known
        : _processors[promptLength] = LogitsProcessors.For(Options, promptLength, promptLength + MaxNewTokens, EosTokenId);

    /// <summary>The criteria of a row whose prompt has so many tokens; an end token counts before anything else.</summary>
    public StoppingCriterion[] CriteriaFor(int promptLength) => _criteria.TryGetValue(promptLength, out StoppingCriterion[]? known)
        ? known
        : _criteria[promptLength] =
            [.. StoppingCriterion.For(Options, promptLength + MaxNewTokens, EosTokenId).OrderBy(one => one is not EosTokenCriteria)];

    /// <summary>The randomness of a prompt's text; null where nothing is drawn.</summary>
    public TokenNoise? NoiseFor(int number) => _seed is long seed ? new TokenNoise(seed, number) : null;

    /// <summary>What decodes a row for its criteria; null where there is no tokenizer.</summary>
    public GeneratedText? NewText() => _tokenizer is null ? null : new GeneratedText(_tokenizer);

    /// <summary>What guesses ahead, where the options ask for it; null: nothing.</summary>
    /// <param name="rows">The texts.</param>
    public Drafter? NewDrafter(IReadOnlyList<SearchRow> rows)
    {
        const int UsualNgram = 8;
        if (Options.AssistantModel is TextGenerator assistant)
        {
            int longest = rows.Max(row => row.Prompt.Tokens.Length) + MaxNewTokens;
            return new DraftModel(assistant.CausalLM, Math.Min(rows.Count, MatMul.StreamedRows), longest);
        }
        return Options.PromptLookupNumTokens is int tokens ? new PromptLookup(tokens, Options.MaxMatchingNgramSize ?? UsualNgram) : null;
    }

    /// <summary>The tokens that can be generated after a prompt.</summary>
    /// <exception cref="ModelInputException">None, or fewer than was asked for.</exception>
    private static int Limit(GenerationOptions options, GenerationOptions defaults, CodeGenConfig config, int promptLength)
    {
        int room = config.NPositions - promptLength;
        if (room < 1)
            throw new ModelInputException($"The prompt is {promptLength} tokens; the model reads at most {config.NPositions} (n_positions), " +
                "and at least one must be left to generate. Drop tokens at the prompt's beginning, or set TruncatePrompt.");
        if (options.MaxNewTokens is int tokens)
        {
            return tokens <= room
                ? tokens
                : throw new ModelInputException($"The prompt is {promptLength} tokens and MaxNewTokens is {tokens}, " +
                    $"together {(long)promptLength + tokens}; the model reads at most {config.NPositions} (n_positions). Ask for at most {room}, " +
                    "drop tokens at the prompt's beginning, or set TruncatePrompt.");
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

    /// <summary>The most tokens of a prompt that leave room for what is asked for.</summary>
    public static int PromptRoom(GenerationOptions options, GenerationOptions defaults, CodeGenConfig config)
    {
        if (options.MaxLength is int length)
            return Math.Max(1, Math.Min(length, config.NPositions) - 1);
        int tokens = options.MaxNewTokens ?? defaults.MaxNewTokens ?? UsualNewTokens;
        return Math.Max(1, config.NPositions - tokens);
    }
}
