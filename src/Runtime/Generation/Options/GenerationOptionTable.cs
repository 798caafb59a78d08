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

    public static readonly GenerationOption<int?> MaxNewTokens = Add(new GenerationOption<int?>(
        "max_new_tokens", nameof(GenerationOptions.MaxNewTokens), Group.Length, OptionKind.Whole(),
        o => o.MaxNewTokens, (o, value) => o with { MaxNewTokens = value },
        "The most new tokens.")
    { Range = AtLeast(1), Default = $"{UsualNewTokens}, or as many as still fit" });

    public static readonly GenerationOption<int?> MaxLength = Add(new GenerationOption<int?>(
        "max_length", nameof(GenerationOptions.MaxLength), Group.Length, OptionKind.Whole(),
        o => o.MaxLength, (o, value) => o with { MaxLength = value },
        "The most tokens with those of the prompt; instead of max_new_tokens.")
    { Range = AtLeast(1) });

    public static readonly GenerationOption<int?> MinNewTokens = Add(new GenerationOption<int?>(
        "min_new_tokens", nameof(GenerationOptions.MinNewTokens), Group.Length, OptionKind.Whole(),
        o => o.MinNewTokens, (o, value) => o with { MinNewTokens = value },
        "No end token before the text has N new tokens.")
    { Range = AtLeast(0), Default = "0" });

    public static readonly GenerationOption<int?> MinLength = Add(new GenerationOption<int?>(
        "min_length", nameof(GenerationOptions.MinLength), Group.Length, OptionKind.Whole(),
        o => o.MinLength, (o, value) => o with { MinLength = value },
        "No end token before there are N tokens with those of the prompt; min_new_tokens goes before it.")
    { Range = AtLeast(0), Default = "0" });

    public static readonly GenerationOption<TimeSpan?> MaxTime = Add(new GenerationOption<TimeSpan?>(
        "max_time", nameof(GenerationOptions.MaxTime), Group.Length, OptionKind.Seconds,
        o => o.MaxTime, (o, value) => o with { MaxTime = value },
        "No further token after this time.")
    { Range = new("a time above 0 is needed.", time => time > TimeSpan.Zero) });

    public static readonly GenerationOption<IReadOnlyList<string>?> StopStrings = Add(new GenerationOption<IReadOnlyList<string>?>(
        "stop_strings", nameof(GenerationOptions.StopStrings), Group.Length, OptionKind.TextOrTexts("TEXT"),
        o => o.StopStrings, (o, value) => o with { StopStrings = value },
        "The text ends before this string, which may begin and end inside tokens."));

    public static readonly GenerationOption<IReadOnlyList<int>?> EosTokenId = Add(new GenerationOption<IReadOnlyList<int>?>(
        "eos_token_id", nameof(GenerationOptions.EosTokenId), Group.Length, OptionKind.IdOrIds,
        o => o.EosTokenId, (o, value) => o with { EosTokenId = value },
        "The tokens that end a text; none: no token does.")
    { Default = "the tokenizer's end token" });

    public static readonly GenerationOption<int?> PadTokenId = Add(new GenerationOption<int?>(
        "pad_token_id", nameof(GenerationOptions.PadTokenId), Group.Length, OptionKind.Token,
        o => o.PadTokenId, (o, value) => o with { PadTokenId = value },
        "What fills the shorter ones of sequences that are given as rows of one length.")
    { Range = AtLeast(0), Default = "the first end token" });

    public static readonly GenerationOption<int?> BosTokenId = Add(new GenerationOption<int?>(
        "bos_token_id", nameof(GenerationOptions.BosTokenId), Group.Length, OptionKind.Token,
        o => o.BosTokenId, (o, value) => o with { BosTokenId = value },
        "What an empty prompt begins with.")
    { Range = AtLeast(0), Default = "the tokenizer's beginning-of-text token" });

    public static readonly GenerationOption<TruncationRecipe?> Truncation = Add(new GenerationOption<TruncationRecipe?>(
        "truncation", nameof(GenerationOptions.Truncation), Group.Length, OptionKind.Recipe,
        o => o.Truncation, (o, value) => o with { Truncation = value },
        "Cuts the text by a recipe, and ends it as soon as the cut is certain.")
    { Default = "none", Source = "Chen et al. 2021, arXiv:2107.03374; Nijkamp et al. 2022, arXiv:2203.13474", InTransformers = false });

    public static readonly GenerationOption<IReadOnlyList<string>?> TruncateBeforePattern = Add(new GenerationOption<IReadOnlyList<string>?>(
        "truncate_before_pattern", nameof(GenerationOptions.TruncateBeforePattern), Group.Length, OptionKind.Texts("REGEX"),
        o => o.TruncateBeforePattern, (o, value) => o with { TruncateBeforePattern = value },
        "Cuts the text before the first match, and before a second top-level print or def. It is written when it is complete.")
    { Source = "Nijkamp et al. 2022, arXiv:2203.13474 (CodeGenTokenizer.decode)", InTransformers = false });

    public static readonly GenerationOption<bool?> TruncatePrompt = Add(new GenerationOption<bool?>(
        "truncate_prompt", nameof(GenerationOptions.TruncatePrompt), Group.Length, OptionKind.Switch,
        o => o.TruncatePrompt, (o, value) => o with { TruncatePrompt = value },
        "Drops the beginning of a prompt that leaves no room, instead of refusing it.")
    { InTransformers = false });

    public static readonly GenerationOption<bool?> DoSample = Add(new GenerationOption<bool?>(
        "do_sample", nameof(GenerationOptions.DoSample), Group.Sampling, OptionKind.Switch,
        o => o.DoSample, (o, value) => o with { DoSample = value },
        "Draws each token at random by its probability, instead of taking the likeliest.")
    { IsNeutral = draws => draws == false, Source = "Gumbel 1954; Steele et al. 2014 (SplitMix64)" });

    public static readonly GenerationOption<double?> Temperature = Add(new GenerationOption<double?>(
        "temperature", nameof(GenerationOptions.Temperature), Group.Sampling, OptionKind.Number("X"),
        o => o.Temperature, (o, value) => o with { Temperature = value },
        "Divides the scores: below 1 likely tokens become likelier.")
    {
        Range = Above0 with { Needed = "a number above 0 is needed. For the most probable token, switch do_sample off." },
        IsNeutral = x => x == 1, Default = "1", Source = "Ackley et al. 1985",
    });

    public static readonly GenerationOption<int?> TopK = Add(new GenerationOption<int?>(
        "top_k", nameof(GenerationOptions.TopK), Group.Sampling, OptionKind.Whole(),
        o => o.TopK, (o, value) => o with { TopK = value },
        "Draws from the N likeliest tokens; 0: from all.")
    { Range = AtLeast(0), IsNeutral = n => n is 0 or UsualTopK, Default = $"{UsualTopK}", Source = "Fan et al. 2018, arXiv:1805.04833" });

    public static readonly GenerationOption<double?> TopP = Add(new GenerationOption<double?>(
        "top_p", nameof(GenerationOptions.TopP), Group.Sampling, OptionKind.Number("P"),
        o => o.TopP, (o, value) => o with { TopP = value },
        "Draws from the fewest likeliest tokens that have probability P together.")
    { Range = From0To1, IsNeutral = p => p == 1, Default = "1", Source = "Holtzman et al. 2020, arXiv:1904.09751" });

    public static readonly GenerationOption<double?> MinP = Add(new GenerationOption<double?>(
        "min_p", nameof(GenerationOptions.MinP), Group.Sampling, OptionKind.Number("P"),
        o => o.MinP, (o, value) => o with { MinP = value },
        "Draws from tokens with at least P times the likeliest one's probability.")
    { Range = From0To1, IsNeutral = p => p == 0, Default = "0", Source = "Nguyen et al. 2024, arXiv:2407.01082" });

    public static readonly GenerationOption<double?> TypicalP = Add(new GenerationOption<double?>(
        "typical_p", nameof(GenerationOptions.TypicalP), Group.Sampling, OptionKind.Number("P"),
        o => o.TypicalP, (o, value) => o with { TypicalP = value },
        "Draws from the most typical tokens that have probability P together.")
    {
        Range = new("a number above 0 and up to 1 is needed.", p => p is > 0 and <= 1),
        IsNeutral = p => p == 1, Default = "1", Source = "Meister et al. 2022, arXiv:2202.00666",
    });

    public static readonly GenerationOption<double?> EpsilonCutoff = Add(new GenerationOption<double?>(
        "epsilon_cutoff", nameof(GenerationOptions.EpsilonCutoff), Group.Sampling, OptionKind.Number("P"),
        o => o.EpsilonCutoff, (o, value) => o with { EpsilonCutoff = value },
        "Draws from tokens of at least probability P.")
    { Range = From0Below1, IsNeutral = p => p == 0, Default = "0", Source = "Hewitt et al. 2022, arXiv:2210.15191" });

    public static readonly GenerationOption<double?> EtaCutoff = Add(new GenerationOption<double?>(
        "eta_cutoff", nameof(GenerationOptions.EtaCutoff), Group.Sampling, OptionKind.Number("P"),
        o => o.EtaCutoff, (o, value) => o with { EtaCutoff = value },
        "The same with a bound that falls with the entropy.")
    { Range = From0Below1, IsNeutral = p => p == 0, Default = "0", Source = "Hewitt et al. 2022, arXiv:2210.15191" });

    public static readonly GenerationOption<long?> Seed = Add(new GenerationOption<long?>(
        "seed", nameof(GenerationOptions.Seed), Group.Sampling, OptionKind.Long,
        o => o.Seed, (o, value) => o with { Seed = value },
        "Where the random numbers start: the same seed gives the same text.")
    { Default = "another one every time", InTransformers = false });

    public static readonly GenerationOption<double?> RepetitionPenalty = Add(new GenerationOption<double?>(
        "repetition_penalty", nameof(GenerationOptions.RepetitionPenalty), Group.Scores, OptionKind.Number("X"),
        o => o.RepetitionPenalty, (o, value) => o with { RepetitionPenalty = value },
        "Above 1: tokens of prompt and text become less likely.")
    { Range = Above0, Default = "1", Source = "Keskar et al. 2019, arXiv:1909.05858 (CTRL)" });

    public static readonly GenerationOption<int?> NoRepeatNgramSize = Add(new GenerationOption<int?>(
        "no_repeat_ngram_size", nameof(GenerationOptions.NoRepeatNgramSize), Group.Scores, OptionKind.Whole(),
        o => o.NoRepeatNgramSize, (o, value) => o with { NoRepeatNgramSize = value },
        "No sequence of N tokens comes twice; 0: any may.")
    { Range = AtLeast(0), Default = "0", Source = "Paulus et al. 2017, arXiv:1705.04304; fairseq" });

    public static readonly GenerationOption<IReadOnlyList<IReadOnlyList<int>>?> BadWordsIds = Add(new GenerationOption<IReadOnlyList<IReadOnlyList<int>>?>(
        "bad_words_ids", nameof(GenerationOptions.BadWordsIds), Group.Scores, OptionKind.Sequences,
        o => o.BadWordsIds, (o, value) => o with { BadWordsIds = value },
        "Never these tokens one after the other."));

    public static readonly GenerationOption<IReadOnlyList<SequenceBias>?> SequenceBias = Add(new GenerationOption<IReadOnlyList<SequenceBias>?>(
        "sequence_bias", nameof(GenerationOptions.SequenceBias), Group.Scores, OptionKind.Biases,
        o => o.SequenceBias, (o, value) => o with { SequenceBias = value },
        "Added to the score of the last token where the others stand before it; -Infinity forbids it."));

    public static readonly GenerationOption<IReadOnlyList<int>?> SuppressTokens = Add(new GenerationOption<IReadOnlyList<int>?>(
        "suppress_tokens", nameof(GenerationOptions.SuppressTokens), Group.Scores, OptionKind.Ids,
        o => o.SuppressTokens, (o, value) => o with { SuppressTokens = value },
        "Never these tokens."));

    public static readonly GenerationOption<IReadOnlyList<int>?> BeginSuppressTokens = Add(new GenerationOption<IReadOnlyList<int>?>(
        "begin_suppress_tokens", nameof(GenerationOptions.BeginSuppressTokens), Group.Scores, OptionKind.Ids,
        o => o.BeginSuppressTokens, (o, value) => o with { BeginSuppressTokens = value },
        "Not these tokens as the first."));

    public static readonly GenerationOption<IReadOnlyList<int>?> ForcedEosTokenId = Add(new GenerationOption<IReadOnlyList<int>?>(
        "forced_eos_token_id", nameof(GenerationOptions.ForcedEosTokenId), Group.Scores, OptionKind.IdOrIds,
        o => o.ForcedEosTokenId, (o, value) => o with { ForcedEosTokenId = value },
        "A text of the greatest length ends with one of these tokens."));

    public static readonly GenerationOption<bool?> RenormalizeLogits = Add(new GenerationOption<bool?>(
        "renormalize_logits", nameof(GenerationOptions.RenormalizeLogits), Group.Scores, OptionKind.Switch,
        o => o.RenormalizeLogits, (o, value) => o with { RenormalizeLogits = value },
        "Makes the scores log probabilities again after all processors."));

    public static readonly GenerationOption<int?> NumBeams = Add(new GenerationOption<int?>(
        "num_beams", nameof(GenerationOptions.NumBeams), Group.Beams, OptionKind.Whole(),
        o => o.NumBeams, (o, value) => o with { NumBeams = value },
        "Keeps the N best continuations at every step; with do_sample, draws them without replacement.")
    { Range = AtLeast(1), Default = "1", Source = "Wu et al. 2016, arXiv:1609.08144; Kool et al. 2019, arXiv:1903.06059" });

    public static readonly GenerationOption<double?> LengthPenalty = Add(new GenerationOption<double?>(
        "length_penalty", nameof(GenerationOptions.LengthPenalty), Group.Beams, OptionKind.Number("X"),
        o => o.LengthPenalty, (o, value) => o with { LengthPenalty = value },
        "The exponent of the length that divides a beam's score: above 0 prefers longer texts, below 0 shorter ones.")
    { Range = new("a finite number is needed.", x => double.IsFinite(x!.Value)), IsNeutral = x => x == 1, Default = "1" });

    public static readonly GenerationOption<EarlyStopping?> EarlyStopping = Add(new GenerationOption<EarlyStopping?>(
        "early_stopping", nameof(GenerationOptions.EarlyStopping), Group.Beams, OptionKind.EarlyStopping,
        o => o.EarlyStopping, (o, value) => o with { EarlyStopping = value },
        "When beam search ends: with enough finished texts (true), when better ones are unlikely (false), or impossible (never).")
    { Range = Defined<EarlyStopping>(), IsNeutral = word => word == ManagedTransformers.EarlyStopping.False, Default = "false" });

    public static readonly GenerationOption<int?> NumReturnSequences = Add(new GenerationOption<int?>(
        "num_return_sequences", nameof(GenerationOptions.NumReturnSequences), Group.Several, OptionKind.Whole(),
        o => o.NumReturnSequences, (o, value) => o with { NumReturnSequences = value },
        "Writes N texts for each prompt: draws, or the best beams.")
    { Range = AtLeast(1), Default = "1" });

    public static readonly GenerationOption<int?> PromptLookupNumTokens = Add(new GenerationOption<int?>(
        "prompt_lookup_num_tokens", nameof(GenerationOptions.PromptLookupNumTokens), Group.Drafts, OptionKind.Whole(),
        o => o.PromptLookupNumTokens, (o, value) => o with { PromptLookupNumTokens = value },
        "Copies up to N tokens from where the last ones stood before, and checks them in one pass.")
    { Range = AtLeast(1), Source = "Saxena 2023, prompt lookup decoding" });

    public static readonly GenerationOption<int?> MaxMatchingNgramSize = Add(new GenerationOption<int?>(
        "max_matching_ngram_size", nameof(GenerationOptions.MaxMatchingNgramSize), Group.Drafts, OptionKind.Whole(),
        o => o.MaxMatchingNgramSize, (o, value) => o with { MaxMatchingNgramSize = value },
        "How many last tokens prompt_lookup_num_tokens looks for, at most.")
    { Range = AtLeast(1), Default = $"{UsualNgram} (transformers: 2)" });

    public static readonly GenerationOption<WeightType?> KeyValueType = Add(new GenerationOption<WeightType?>(
        "key_value_type", nameof(GenerationOptions.KeyValueType), Group.Cache, OptionKind.Stored,
        o => o.KeyValueType, (o, value) => o with { KeyValueType = value },
        "How keys and values of what was read are kept: f16 and bf16 take half the memory and are faster behind long texts, but round, " +
        "so that a text may change.")
    { Range = Defined<WeightType>(), Default = "f32", InTransformers = false });

    public static readonly GenerationOption<int?> TopLogProbabilities = Add(new GenerationOption<int?>(
        "top_log_probabilities", nameof(GenerationOptions.TopLogProbabilities), Group.Report, OptionKind.Whole("K"),
        o => o.TopLogProbabilities, (o, value) => o with { TopLogProbabilities = value },
        "Tells the log probability of every new token, and the K likeliest tokens at its position.")
    { Range = AtLeast(0), InTransformers = false });

    /// <summary>All of them.</summary>
    public static IReadOnlyList<GenerationOption> All => s_all;

    private static GenerationOption<T> Add<T>(GenerationOption<T> option)
    {
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

    public static OptionRange<int?> AtLeast(int least) => new($"at least {least} is needed.", n => n >= least);

    public static OptionRange<T?> Defined<T>() where T : struct, Enum =>
        new($"one of {string.Join(", ", Enum.GetNames<T>())} is needed.", value => Enum.IsDefined(value!.Value));
}
