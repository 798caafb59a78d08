using System.Numerics;
using System.Runtime.CompilerServices;
using static ManagedTransformers.OptionRange;
using Group = ManagedTransformers.GenerationOptionGroup;

namespace ManagedTransformers;

/// <summary>Every option once: from here come the checks of the properties, JSON, merging, the command line's options with their help, and the tables of
/// docs/generation.md and docs/cli.md. A new option is a property of <see cref="GenerationOptions"/> and an entry here.</summary>
internal static class GenerationOptionTable
{
    /// <summary>transformers' default of top_k.</summary>
    public const int UsualTopK = 50;

    /// <summary>The longest match that prompt lookup looks for, where nobody says; transformers has 2.</summary>
    public const int UsualNgram = 8;

    /// <summary>New tokens where neither caller nor checkpoint says how many.</summary>
    public const int UsualNewTokens = 64;

    private static readonly List<GenerationOption> s_all = [];

    public static readonly GenerationOption<int?> MaxNewTokens = Add(
        "max_new_tokens", Group.Length, OptionKind.Whole(), o => o.MaxNewTokens, (o, v) => o with { MaxNewTokens = v },
        "The most new tokens.", AtLeast(1), @default: $"{UsualNewTokens}, or as many as still fit");

    public static readonly GenerationOption<int?> MaxLength = Add(
        "max_length", Group.Length, OptionKind.Whole(), o => o.MaxLength, (o, v) => o with { MaxLength = v },
        "The most tokens with those of the prompt; instead of max_new_tokens.", AtLeast(1));

    public static readonly GenerationOption<int?> MinNewTokens = Add(
        "min_new_tokens", Group.Length, OptionKind.Whole(), o => o.MinNewTokens, (o, v) => o with { MinNewTokens = v },
        "No end token before the text has N new tokens.", AtLeast(0), @default: "0");

    public static readonly GenerationOption<int?> MinLength = Add(
        "min_length", Group.Length, OptionKind.Whole(), o => o.MinLength, (o, v) => o with { MinLength = v },
        "No end token before there are N tokens with those of the prompt; min_new_tokens goes before it.", AtLeast(0), @default: "0");

    public static readonly GenerationOption<TimeSpan?> MaxTime = Add(
        "max_time", Group.Length, OptionKind.Seconds, o => o.MaxTime, (o, v) => o with { MaxTime = v },
        "No further token after this time.", new("a time above 0 is needed.", time => time > TimeSpan.Zero));

    public static readonly GenerationOption<IReadOnlyList<string>?> StopStrings = Add(
        "stop_strings", Group.Length, OptionKind.TextOrTexts("TEXT"), o => o.StopStrings, (o, v) => o with { StopStrings = v },
        "The text ends before this string, which may begin and end inside tokens.");

    public static readonly GenerationOption<IReadOnlyList<int>?> EosTokenId = Add(
        "eos_token_id", Group.Length, OptionKind.IdOrIds, o => o.EosTokenId, (o, v) => o with { EosTokenId = v },
        "The tokens that end a text; none: no token does.", @default: "the tokenizer's end token");

    public static readonly GenerationOption<int?> PadTokenId = Add(
        "pad_token_id", Group.Length, OptionKind.Token, o => o.PadTokenId, (o, v) => o with { PadTokenId = v },
        "What fills the shorter ones of sequences that are given as rows of one length.", AtLeast(0), @default: "the first end token");

    public static readonly GenerationOption<int?> BosTokenId = Add(
        "bos_token_id", Group.Length, OptionKind.Token, o => o.BosTokenId, (o, v) => o with { BosTokenId = v },
        "What an empty prompt begins with.", AtLeast(0), @default: "the tokenizer's beginning-of-text token");

    public static readonly GenerationOption<TruncationRecipe?> Truncation = Add(
        "truncation", Group.Length, OptionKind.Recipe, o => o.Truncation, (o, v) => o with { Truncation = v },
        "Cuts the text by a recipe, and ends it as soon as the cut is certain.", @default: "none",
        source: "Chen et al. 2021, arXiv:2107.03374; Nijkamp et al. 2022, arXiv:2203.13474", inTransformers: false);

    public static readonly GenerationOption<IReadOnlyList<string>?> TruncateBeforePattern = Add(
        "truncate_before_pattern", Group.Length, OptionKind.Texts("REGEX"), o => o.TruncateBeforePattern, (o, v) => o with { TruncateBeforePattern = v },
        "Cuts the text before the first match, and before a second top-level print or def. It is written when it is complete.",
        source: "Nijkamp et al. 2022, arXiv:2203.13474 (CodeGenTokenizer.decode)", inTransformers: false);

    public static readonly GenerationOption<bool?> TruncatePrompt = Add(
        "truncate_prompt", Group.Length, OptionKind.Switch, o => o.TruncatePrompt, (o, v) => o with { TruncatePrompt = v },
        "Drops the beginning of a prompt that leaves no room, instead of refusing it.", inTransformers: false);

    public static readonly GenerationOption<bool?> DoSample = Add(
        "do_sample", Group.Sampling, OptionKind.Switch, o => o.DoSample, (o, v) => o with { DoSample = v },
        "Draws each token at random by its probability, instead of taking the likeliest.", isNeutral: draws => draws == false,
        source: "Gumbel 1954; Steele et al. 2014 (SplitMix64)");

    public static readonly GenerationOption<double?> Temperature = Add(
        "temperature", Group.Sampling, OptionKind.Number("X"), o => o.Temperature, (o, v) => o with { Temperature = v },
        "Divides the scores: below 1 likely tokens become likelier.",
        Above0 with { Needed = "a number above 0 is needed. For the most probable token, switch do_sample off." }, isNeutral: x => x == 1, @default: "1",
        source: "Ackley et al. 1985");

    public static readonly GenerationOption<int?> TopK = Add(
        "top_k", Group.Sampling, OptionKind.Whole(), o => o.TopK, (o, v) => o with { TopK = v },
        "Draws from the N likeliest tokens; 0: from all.", AtLeast(0), isNeutral: n => n is 0 or UsualTopK, @default: $"{UsualTopK}",
        source: "Fan et al. 2018, arXiv:1805.04833");

    public static readonly GenerationOption<double?> TopP = Add(
        "top_p", Group.Sampling, OptionKind.Number("P"), o => o.TopP, (o, v) => o with { TopP = v },
        "Draws from the fewest likeliest tokens that have probability P together.", From0To1, isNeutral: p => p == 1, @default: "1",
        source: "Holtzman et al. 2020, arXiv:1904.09751");

    public static readonly GenerationOption<double?> MinP = Add(
        "min_p", Group.Sampling, OptionKind.Number("P"), o => o.MinP, (o, v) => o with { MinP = v },
        "Draws from tokens with at least P times the likeliest one's probability.", From0To1, isNeutral: p => p == 0, @default: "0",
        source: "Nguyen et al. 2024, arXiv:2407.01082");

    public static readonly GenerationOption<double?> TypicalP = Add(
        "typical_p", Group.Sampling, OptionKind.Number("P"), o => o.TypicalP, (o, v) => o with { TypicalP = v },
        "Draws from the most typical tokens that have probability P together.", new("a number above 0 and up to 1 is needed.", p => p is > 0 and <= 1),
        isNeutral: p => p == 1, @default: "1", source: "Meister et al. 2022, arXiv:2202.00666");

    public static readonly GenerationOption<double?> EpsilonCutoff = Add(
        "epsilon_cutoff", Group.Sampling, OptionKind.Number("P"), o => o.EpsilonCutoff, (o, v) => o with { EpsilonCutoff = v },
        "Draws from tokens of at least probability P.", From0Below1, isNeutral: p => p == 0, @default: "0", source: "Hewitt et al. 2022, arXiv:2210.15191");

    public static readonly GenerationOption<double?> EtaCutoff = Add(
        "eta_cutoff", Group.Sampling, OptionKind.Number("P"), o => o.EtaCutoff, (o, v) => o with { EtaCutoff = v },
        "The same with a bound that falls with the entropy.", From0Below1, isNeutral: p => p == 0, @default: "0",
        source: "Hewitt et al. 2022, arXiv:2210.15191");

    public static readonly GenerationOption<long?> Seed = Add(
        "seed", Group.Sampling, OptionKind.Long, o => o.Seed, (o, v) => o with { Seed = v },
        "Where the random numbers start: the same seed gives the same text.", @default: "another one every time", inTransformers: false);

    public static readonly GenerationOption<double?> RepetitionPenalty = Add(
        "repetition_penalty", Group.Scores, OptionKind.Number("X"), o => o.RepetitionPenalty, (o, v) => o with { RepetitionPenalty = v },
        "Above 1: tokens of prompt and text become less likely.", Above0, @default: "1", source: "Keskar et al. 2019, arXiv:1909.05858 (CTRL)");

    public static readonly GenerationOption<int?> NoRepeatNgramSize = Add(
        "no_repeat_ngram_size", Group.Scores, OptionKind.Whole(), o => o.NoRepeatNgramSize, (o, v) => o with { NoRepeatNgramSize = v },
        "No sequence of N tokens comes twice; 0: any may.", AtLeast(0), @default: "0", source: "Paulus et al. 2017, arXiv:1705.04304; fairseq");

    public static readonly GenerationOption<IReadOnlyList<IReadOnlyList<int>>?> BadWordsIds = Add(
        "bad_words_ids", Group.Scores, OptionKind.Sequences, o => o.BadWordsIds, (o, v) => o with { BadWordsIds = v },
        "Never these tokens one after the other.");

    public static readonly GenerationOption<IReadOnlyList<SequenceBias>?> SequenceBias = Add(
        "sequence_bias", Group.Scores, OptionKind.Biases, o => o.SequenceBias, (o, v) => o with { SequenceBias = v },
        "Added to the score of the last token where the others stand before it; -Infinity forbids it.");

    public static readonly GenerationOption<IReadOnlyList<int>?> SuppressTokens = Add(
        "suppress_tokens", Group.Scores, OptionKind.Ids, o => o.SuppressTokens, (o, v) => o with { SuppressTokens = v },
        "Never these tokens.");

    public static readonly GenerationOption<IReadOnlyList<int>?> BeginSuppressTokens = Add(
        "begin_suppress_tokens", Group.Scores, OptionKind.Ids, o => o.BeginSuppressTokens, (o, v) => o with { BeginSuppressTokens = v },
        "Not these tokens as the first.");

    public static readonly GenerationOption<IReadOnlyList<int>?> ForcedEosTokenId = Add(
        "forced_eos_token_id", Group.Scores, OptionKind.IdOrIds, o => o.ForcedEosTokenId, (o, v) => o with { ForcedEosTokenId = v },
        "A text of the greatest length ends with one of these tokens.");

    public static readonly GenerationOption<bool?> RenormalizeLogits = Add(
        "renormalize_logits", Group.Scores, OptionKind.Switch, o => o.RenormalizeLogits, (o, v) => o with { RenormalizeLogits = v },
        "Makes the scores log probabilities again after all processors.");

    public static readonly GenerationOption<int?> NumBeams = Add(
        "num_beams", Group.Beams, OptionKind.Whole(), o => o.NumBeams, (o, v) => o with { NumBeams = v },
        "Keeps the N best continuations at every step; with do_sample, draws them without replacement.", AtLeast(1), @default: "1",
        source: "Wu et al. 2016, arXiv:1609.08144; Kool et al. 2019, arXiv:1903.06059");

    public static readonly GenerationOption<double?> LengthPenalty = Add(
        "length_penalty", Group.Beams, OptionKind.Number("X"), o => o.LengthPenalty, (o, v) => o with { LengthPenalty = v },
        "The exponent of the length that divides a beam's score: above 0 prefers longer texts, below 0 shorter ones.",
        new("a finite number is needed.", x => double.IsFinite(x!.Value)), isNeutral: x => x == 1, @default: "1");

    public static readonly GenerationOption<EarlyStopping?> EarlyStopping = Add(
        "early_stopping", Group.Beams, OptionKind.EarlyStopping, o => o.EarlyStopping, (o, v) => o with { EarlyStopping = v },
        "When beam search ends: with enough finished texts (true), when better ones are unlikely (false), or impossible (never).", Defined<EarlyStopping>(),
        isNeutral: word => word == ManagedTransformers.EarlyStopping.False, @default: "false");

    public static readonly GenerationOption<int?> NumReturnSequences = Add(
        "num_return_sequences", Group.Several, OptionKind.Whole(), o => o.NumReturnSequences, (o, v) => o with { NumReturnSequences = v },
        "Writes N texts for each prompt: draws, or the best beams.", AtLeast(1), @default: "1");

    public static readonly GenerationOption<int?> PromptLookupNumTokens = Add(
        "prompt_lookup_num_tokens", Group.Drafts, OptionKind.Whole(), o => o.PromptLookupNumTokens, (o, v) => o with { PromptLookupNumTokens = v },
        "Copies up to N tokens from where the last ones stood before, and checks them in one pass.", AtLeast(1), source: "Saxena 2023, prompt lookup decoding");

    public static readonly GenerationOption<int?> MaxMatchingNgramSize = Add(
        "max_matching_ngram_size", Group.Drafts, OptionKind.Whole(), o => o.MaxMatchingNgramSize, (o, v) => o with { MaxMatchingNgramSize = v },
        "How many last tokens prompt_lookup_num_tokens looks for, at most.", AtLeast(1), @default: $"{UsualNgram} (transformers: 2)");

    public static readonly GenerationOption<WeightType?> KeyValueType = Add(
        "key_value_type", Group.Cache, OptionKind.Stored, o => o.KeyValueType, (o, v) => o with { KeyValueType = v },
        "How keys and values of what was read are kept: f16 and bf16 take half the memory and are faster behind long texts, but round, " +
        "so that a text may change.", Defined<WeightType>(), @default: "f32", inTransformers: false);

    public static readonly GenerationOption<int?> TopLogProbabilities = Add(
        "top_log_probabilities", Group.Report, OptionKind.Whole("K"), o => o.TopLogProbabilities, (o, v) => o with { TopLogProbabilities = v },
        "Tells the log probability of every new token, and the K likeliest tokens at its position.", AtLeast(0), inTransformers: false);

    public static IReadOnlyList<GenerationOption> All => s_all;

    // The property has the name of the field.
    private static GenerationOption<T> Add<T>(
        string name, Group group, OptionKind<T> kind, Func<GenerationOptions, T> get, Func<GenerationOptions, T, GenerationOptions> set,
        string help, OptionRange<T>? range = null, Func<T, bool>? isNeutral = null, string @default = "", string source = "", bool inTransformers = true,
        [CallerMemberName] string property = "")
    {
        var option = new GenerationOption<T>(name, property, group, kind, get, set, help)
        {
            Range = range, IsNeutral = isNeutral ?? (_ => false), Default = @default, Source = source, InTransformers = inTransformers,
        };
        s_all.Add(option);
        return option;
    }
}

/// <summary>Ranges that several options have.</summary>
internal static class OptionRange
{
    // Scores are 32-bit: what is 0 or infinite as such a number would make all of them infinite or NaN.
    public static OptionRange<double?> Above0 { get; } =
        new("a number above 0 is needed, which a 32-bit number can hold.", x => (float)x!.Value > 0 && float.IsFinite((float)x.Value));

    public static OptionRange<double?> From0To1 { get; } = new("a number from 0 to 1 is needed.", p => p is >= 0 and <= 1);
    public static OptionRange<double?> From0Below1 { get; } = new("a number from 0 and below 1 is needed.", p => p is >= 0 and < 1);

    /// <summary>A value for a property's init accessor.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below <paramref name="least"/>.</exception>
    public static T Least<T>(T least, T value, [CallerMemberName] string property = "") where T : struct, IBinaryInteger<T> => value >= least
        ? value
        : throw new ArgumentOutOfRangeException(nameof(value), $"{property} is {value}; at least {least} is needed.");

    /// <inheritdoc cref="Least{T}(T, T, string)"/>
    public static T? Least<T>(T least, T? value, [CallerMemberName] string property = "") where T : struct, IBinaryInteger<T> =>
        value is T given ? Least(least, given, property) : null;

    public static OptionRange<int?> AtLeast(int least) => new($"at least {least} is needed.", n => n >= least);

    public static OptionRange<T?> Defined<T>() where T : struct, Enum =>
        new($"one of {string.Join(", ", Enum.GetNames<T>())} is needed.", value => Enum.IsDefined(value!.Value));
}
