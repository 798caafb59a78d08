namespace ManagedTransformers;

/// <content>Options over defaults.</content>
public sealed partial record GenerationOptions
{
    /// <summary>These options, with those of others where they are null.</summary>
    /// <param name="defaults">Such as what a checkpoint says (<see cref="TextGenerator.Defaults"/>).</param>
    /// <remarks>One limit given here beats both of the defaults: they limit the same thing, in two ways of counting. So do the minima.</remarks>
    public GenerationOptions Over(GenerationOptions defaults)
    {
        ArgumentNullException.ThrowIfNull(defaults);
        bool limited = MaxNewTokens is not null || MaxLength is not null, atLeast = MinNewTokens is not null || MinLength is not null;
        return defaults with
        {
            MaxNewTokens = limited ? MaxNewTokens : defaults.MaxNewTokens,
            MaxLength = limited ? MaxLength : defaults.MaxLength,
            MinNewTokens = atLeast ? MinNewTokens : defaults.MinNewTokens,
            MinLength = atLeast ? MinLength : defaults.MinLength,
            DoSample = DoSample ?? defaults.DoSample,
            Seed = Seed ?? defaults.Seed,
            NumBeams = NumBeams ?? defaults.NumBeams,
            NumReturnSequences = NumReturnSequences ?? defaults.NumReturnSequences,
            LengthPenalty = LengthPenalty ?? defaults.LengthPenalty,
            EarlyStopping = EarlyStopping ?? defaults.EarlyStopping,
            PromptLookupNumTokens = PromptLookupNumTokens ?? defaults.PromptLookupNumTokens,
            MaxMatchingNgramSize = MaxMatchingNgramSize ?? defaults.MaxMatchingNgramSize,
            AssistantModel = AssistantModel ?? defaults.AssistantModel,
            EosTokenId = EosTokenId ?? defaults.EosTokenId,
            PadTokenId = PadTokenId ?? defaults.PadTokenId,
            StopStrings = StopStrings ?? defaults.StopStrings,
            MaxTime = MaxTime ?? defaults.MaxTime,
            TruncatePrompt = TruncatePrompt ?? defaults.TruncatePrompt,
            TopLogProbabilities = TopLogProbabilities ?? defaults.TopLogProbabilities,
            KeyValueType = KeyValueType ?? defaults.KeyValueType,
            TruncateBeforePattern = TruncateBeforePattern ?? defaults.TruncateBeforePattern,
            LogitsProcessors = LogitsProcessors ?? defaults.LogitsProcessors,
            StoppingCriteria = StoppingCriteria ?? defaults.StoppingCriteria,
            Temperature = Temperature ?? defaults.Temperature,
            TopK = TopK ?? defaults.TopK,
            TopP = TopP ?? defaults.TopP,
            MinP = MinP ?? defaults.MinP,
            TypicalP = TypicalP ?? defaults.TypicalP,
            EpsilonCutoff = EpsilonCutoff ?? defaults.EpsilonCutoff,
            EtaCutoff = EtaCutoff ?? defaults.EtaCutoff,
            RepetitionPenalty = RepetitionPenalty ?? defaults.RepetitionPenalty,
            NoRepeatNgramSize = NoRepeatNgramSize ?? defaults.NoRepeatNgramSize,
            BadWordsIds = BadWordsIds ?? defaults.BadWordsIds,
            SequenceBias = SequenceBias ?? defaults.SequenceBias,
            SuppressTokens = SuppressTokens ?? defaults.SuppressTokens,
            BeginSuppressTokens = BeginSuppressTokens ?? defaults.BeginSuppressTokens,
            ForcedEosTokenId = ForcedEosTokenId ?? defaults.ForcedEosTokenId,
            RenormalizeLogits = RenormalizeLogits ?? defaults.RenormalizeLogits,
        };
    }
}
