using System.Security.Cryptography;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>What a call's options come to, over the checkpoint's: limits settled, contradictions refused, processors and criteria made.</summary>
internal sealed class GenerationPlan
{
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
    /// <param name="room">How long a text may become; null: as long as the model reads.</param>
    /// <exception cref="ModelInputException">The options contradict each other, or the prompt leaves no room, or less than was asked for.</exception>
    public GenerationPlan(GenerationOptions options, GenerationOptions defaults, CodeGenConfig config, Tokenizer? tokenizer, int promptLength, TextRoom? room = null)
    {
        Options = options.Over(defaults);
        EosTokenId = Options.EosTokenId ?? config.EosTokenId;
        options.Validate(defaults, config.VocabSize, EosTokenId);
        _tokenizer = tokenizer;
        if (tokenizer is null && Options.StopStrings is { Count: > 0 } strings)
            throw new ModelInputException($"StopStrings asks for the text (\"{strings[0]}\"), and a model alone has no tokenizer. Generate with TextGenerator, or leave it out.");
        MaxNewTokens = (room ?? TextRoom.Of(config)).NewTokens(options, defaults, promptLength);
        options.RequireMinimaWithin(promptLength, MaxNewTokens);
        if (Options.DoSample == true)
            _seed = Options.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
    }

    /// <summary>Settles a call for its prompts, which must be the model's.</summary>
    /// <inheritdoc cref="GenerationPlan(GenerationOptions, GenerationOptions, CodeGenConfig, Tokenizer?, int, TextRoom?)"/>
    public static GenerationPlan For(
        IReadOnlyList<SearchPrompt> prompts, GenerationOptions options, GenerationOptions defaults, CodeGenConfig config, Tokenizer? tokenizer, TextRoom? room = null)
    {
        SearchPrompt.RequireIds(prompts, config.VocabSize);
        return new GenerationPlan(options, defaults, config, tokenizer, prompts.Max(prompt => prompt.InputIds.Length), room);
    }

    /// <summary>The caller's options over the checkpoint's.</summary>
    public GenerationOptions Options { get; }

    /// <summary>Decodes for criteria that look at text, and for debugger views; null where there is none.</summary>
    public Tokenizer? Tokenizer => _tokenizer;

    /// <summary>Most new tokens of a text.</summary>
    public int MaxNewTokens { get; }

    /// <summary>End tokens.</summary>
    public IReadOnlyList<int> EosTokenId { get; }

    /// <summary>Texts per prompt.</summary>
    public int Sequences => Options.NumReturnSequences ?? 1;

    /// <summary>Beams.</summary>
    public int Beams => Options.NumBeams ?? 1;

    /// <summary>How keys and values are kept.</summary>
    public WeightType KeyValueType => Options.KeyValueType ?? WeightType.F32;

    /// <summary>This plan, if it is for one text that is chosen token by token.</summary>
    /// <exception cref="ModelInputException">It is for several, or for beams.</exception>
    public GenerationPlan RequireOneText() => Beams == 1 && Sequences == 1
        ? this
        : throw new ModelInputException($"NumBeams is {Beams} and NumReturnSequences is {Sequences}; one text that is chosen token by token can be streamed. Set both to 1, or generate without streaming.");

    /// <summary>Tokens to name beside each chosen one; null where probabilities are not wanted.</summary>
    public int? TopLogProbabilities => Options.TopLogProbabilities;

    /// <summary>The processors of a row whose prompt has so many tokens; rows share them.</summary>
    public LogitsProcessor[] ProcessorsFor(int promptLength) => _processors.TryGetValue(promptLength, out LogitsProcessor[]? known)
        ? known
        : _processors[promptLength] = LogitsProcessors.For(Options, promptLength, promptLength + MaxNewTokens, EosTokenId);

    /// <summary>The criteria of a row whose prompt has so many tokens. What the text says ends it before any limit does: the last token that
    /// there is room for may complete a stop string.</summary>
    public StoppingCriterion[] CriteriaFor(int promptLength) => _criteria.TryGetValue(promptLength, out StoppingCriterion[]? known)
        ? known
        : _criteria[promptLength] =
            [.. StoppingCriterion.For(Options, promptLength + MaxNewTokens, EosTokenId).OrderBy(Rank)];

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
            return new DraftModel(assistant.CausalLM, Math.Min(rows.Count, MatMul.StreamedRows), longest, this);
        }
        return Options.PromptLookupNumTokens is int tokens ? new PromptLookup(tokens, Options.MaxMatchingNgramSize ?? UsualNgram) : null;
    }

    private static int Rank(StoppingCriterion criterion) => criterion switch
    {
        EosTokenCriteria => 0,
        StopStringCriteria => 1,
        MaxLengthCriteria => 3,
        MaxTimeCriteria => 4,
        _ => 2,
    };
}
