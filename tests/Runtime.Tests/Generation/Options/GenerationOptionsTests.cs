using System.Reflection;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Runtime.Tests;

public sealed class GenerationOptionsTests
{
    private static readonly GenerationOptions Everything = new()
    {
        MaxNewTokens = 9, MinNewTokens = 1, DoSample = true, Seed = 7, NumBeams = 3, NumReturnSequences = 2, LengthPenalty = -0.5,
        EarlyStopping = EarlyStopping.Never,
        PromptLookupNumTokens = 4, MaxMatchingNgramSize = 3, EosTokenId = [1], PadTokenId = 0, StopStrings = ["\n"],
        MaxTime = TimeSpan.FromSeconds(2), TruncatePrompt = true,
        TopLogProbabilities = 5, TruncateBeforePattern = ["^#"], LogitsProcessors = [new OnlyEvenTokens()], StoppingCriteria = [new EosTokenCriteria([2])],
        Temperature = 0.2, TopK = 5, TopP = 0.9, MinP = 0.1, TypicalP = 0.8, EpsilonCutoff = 0.01, EtaCutoff = 0.02,
        RepetitionPenalty = 1.1, NoRepeatNgramSize = 2,
        BadWordsIds = [[3]], SequenceBias = [new([4], 1)], SuppressTokens = [5], BeginSuppressTokens = [6], ForcedEosTokenId = [7], RenormalizeLogits = true,
        MaxLength = 30, MinLength = 3, KeyValueType = WeightType.F16, BosTokenId = 2, Truncation = TruncationRecipe.HumanEval,
    };

    private static PropertyInfo[] Properties() => typeof(GenerationOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);

    [TestCase(nameof(GenerationOptions.MaxNewTokens), 0, "at least 1")]
    [TestCase(nameof(GenerationOptions.MaxLength), 0, "at least 1")]
    [TestCase(nameof(GenerationOptions.MinNewTokens), -1, "at least 0")]
    [TestCase(nameof(GenerationOptions.MinLength), -1, "at least 0")]
    [TestCase(nameof(GenerationOptions.NumBeams), 0, "at least 1")]
    [TestCase(nameof(GenerationOptions.NumReturnSequences), 0, "at least 1")]
    [TestCase(nameof(GenerationOptions.PromptLookupNumTokens), 0, "at least 1")]
    [TestCase(nameof(GenerationOptions.MaxMatchingNgramSize), 0, "at least 1")]
    [TestCase(nameof(GenerationOptions.NoRepeatNgramSize), -1, "at least 0")]
    [TestCase(nameof(GenerationOptions.PadTokenId), -1, "at least 0")]
    [TestCase(nameof(GenerationOptions.TopLogProbabilities), -1, "at least 0")]
    [TestCase(nameof(GenerationOptions.TopK), -1, "at least 0")]
    [TestCase(nameof(GenerationOptions.Temperature), 0.0, "above 0")]
    [TestCase(nameof(GenerationOptions.Temperature), -1.0, "above 0")]
    [TestCase(nameof(GenerationOptions.Temperature), 1e-60, "above 0")]
    [TestCase(nameof(GenerationOptions.Temperature), double.PositiveInfinity, "above 0")]
    [TestCase(nameof(GenerationOptions.RepetitionPenalty), 0.0, "above 0")]
    [TestCase(nameof(GenerationOptions.TopP), 1.01, "from 0 to 1")]
    [TestCase(nameof(GenerationOptions.TopP), -0.01, "from 0 to 1")]
    [TestCase(nameof(GenerationOptions.MinP), 1.01, "from 0 to 1")]
    [TestCase(nameof(GenerationOptions.TypicalP), 0.0, "above 0 and up to 1")]
    [TestCase(nameof(GenerationOptions.TypicalP), 1.01, "above 0 and up to 1")]
    [TestCase(nameof(GenerationOptions.EpsilonCutoff), 1.0, "below 1")]
    [TestCase(nameof(GenerationOptions.EtaCutoff), -0.1, "below 1")]
    [TestCase(nameof(GenerationOptions.LengthPenalty), double.NegativeInfinity, "finite")]
    [TestCase(nameof(GenerationOptions.EarlyStopping), (EarlyStopping)7, "Never")]
    public void A_value_outside_its_range_is_refused_with_name_value_and_need(string option, object value, string needed) =>
        AssertRefused(option, value, needed);

    [Test]
    public void No_option_takes_NaN()
    {
        string[] numbers = [.. Properties().Where(property => property.PropertyType == typeof(double?)).Select(property => property.Name)];
        Assert.That(numbers, Has.Length.EqualTo(8));
        foreach (string option in numbers)
            AssertRefused(option, double.NaN, "number");
        Assert.That(() => new SequenceBias([1], float.NaN), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Values_that_switch_off_are_in_range() =>
        Assert.That(
            () => new GenerationOptions
            {
                TopK = 0, TopP = 1, MinP = 0, TypicalP = 1, EpsilonCutoff = 0, EtaCutoff = 0, NoRepeatNgramSize = 0, MinLength = 0, MinNewTokens = 0,
            },
            Throws.Nothing);

    [Test]
    public void A_time_that_is_over_at_once_is_refused() =>
        Assert.That(() => new GenerationOptions { MaxTime = TimeSpan.Zero },
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("MaxTime is 00:00:00"));

    [Test]
    public void Every_option_goes_over_its_default_and_every_null_is_taken_from_it()
    {
        using TextGenerator assistant = TextGenerator.Load(TestData.Model("demo-codegen"));
        GenerationOptions everything = Everything with { AssistantModel = assistant };
        foreach (PropertyInfo property in Properties())
        {
            Assert.That(property.GetValue(everything), Is.Not.Null, $"{property.Name} is part of the test");
            Assert.That(property.GetValue(GenerationOptions.Default.Over(everything)), Is.EqualTo(property.GetValue(everything)), property.Name);
            Assert.That(property.GetValue(everything.Over(GenerationOptions.Default)), Is.EqualTo(property.GetValue(everything)), property.Name);
        }
        Assert.That(new GenerationOptions { Temperature = 0.5 }.Over(Everything).Temperature, Is.EqualTo(0.5));
    }

    [Test]
    public void One_limit_beats_both_of_the_defaults()
    {
        GenerationOptions byLength = new GenerationOptions { MaxLength = 12, MinLength = 2 }.Over(Everything);
        Assert.That((byLength.MaxLength, byLength.MaxNewTokens, byLength.MinLength, byLength.MinNewTokens),
            Is.EqualTo(((int?)12, (int?)null, (int?)2, (int?)null)));
        GenerationOptions byTokens = new GenerationOptions { MaxNewTokens = 12, MinNewTokens = 2 }.Over(Everything);
        Assert.That((byTokens.MaxLength, byTokens.MaxNewTokens, byTokens.MinLength, byTokens.MinNewTokens),
            Is.EqualTo(((int?)null, (int?)12, (int?)null, (int?)2)));
    }

    [Test]
    public void Processors_stand_in_the_order_of_transformers()
    {
        GenerationOptions options = Everything with { MinNewTokens = null };
        Type[] order =
        [
            typeof(SequenceBiasLogitsProcessor), typeof(RepetitionPenaltyLogitsProcessor), typeof(NoRepeatNGramLogitsProcessor),
            typeof(NoBadWordsLogitsProcessor),
            typeof(MinLengthLogitsProcessor), typeof(ForcedEosTokenLogitsProcessor), typeof(SuppressTokensLogitsProcessor),
            typeof(SuppressTokensAtBeginLogitsProcessor),
            typeof(OnlyEvenTokens), typeof(TemperatureLogitsWarper), typeof(TopKLogitsWarper), typeof(TopPLogitsWarper), typeof(MinPLogitsWarper),
            typeof(TypicalLogitsWarper), typeof(EpsilonLogitsWarper), typeof(EtaLogitsWarper), typeof(LogitNormalization),
        ];
        Assert.That(TypesFor(options), Is.EqualTo(order));
        Assert.That(TypesFor(Everything), Does.Contain(typeof(MinNewTokensLengthLogitsProcessor)).And.Not.Contain(typeof(MinLengthLogitsProcessor)));
        Assert.That(TypesFor(options with { DoSample = false, RenormalizeLogits = null }), Is.EqualTo(order[..9]));
    }

    [Test]
    public void Sampling_alone_takes_50_tokens_and_greedy_alone_changes_nothing()
    {
        Assert.That(TypesFor(new GenerationOptions { DoSample = true }), Is.EqualTo(new[] { typeof(TopKLogitsWarper) }));
        float[] scores = [.. Enumerable.Range(0, 80).Select(i => (float)i)];
        LogitsProcessors.For(new GenerationOptions { DoSample = true }, 1, 2, [], KernelOptions.Default)[0].Process([], scores);
        Assert.That(scores.Count(float.IsFinite), Is.EqualTo(50));
        Assert.That(TypesFor(GenerationOptions.Default), Is.Empty);
        Assert.That(TypesFor(new GenerationOptions { DoSample = true, TopK = 0, TopP = 1, Temperature = 1, TypicalP = 1, EpsilonCutoff = 0, EtaCutoff = 0 }),
            Is.Empty);
    }

    [Test]
    public void Beams_keep_one_token_more_than_there_are_end_tokens([Values(1, 2)] int beams)
    {
        var options = new GenerationOptions { DoSample = true, NumBeams = beams, TopK = 1 };
        float[] scores = [4, 3, 2, 1];
        LogitsProcessors.For(options, 1, 9, eosTokenId: [0, 1], KernelOptions.Default)[0].Process([], scores);
        Assert.That(scores.Count(float.IsFinite), Is.EqualTo(beams > 1 ? 3 : 1));
    }

    [Test]
    public void A_processor_of_the_users_own_changes_scores()
    {
        LogitsProcessor[] processors =
            LogitsProcessors.For(new GenerationOptions { LogitsProcessors = [new OnlyEvenTokens()] }, 1, 9, [], KernelOptions.Default);
        float[] scores = [1, 2, 3, 4];
        processors.Single().Process([0], scores);
        Assert.That(scores, Is.EqualTo(new[] { 1, float.NegativeInfinity, 3, float.NegativeInfinity }));
    }

    private static Type[] TypesFor(GenerationOptions options) =>
        [.. LogitsProcessors.For(options, 2, 9, [1], KernelOptions.Default).Select(processor => processor.GetType())];

    private static void AssertRefused(string option, object value, string needed) =>
        Assert.That(
            () => typeof(GenerationOptions).GetProperty(option)!.SetValue(new GenerationOptions(), value),
            Throws.InnerException.TypeOf<ArgumentOutOfRangeException>().With.InnerException.Message.StartsWith($"{option} is {value}; ")
                .And.InnerException.Message.Contains(needed));

    private sealed class OnlyEvenTokens : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
        {
            for (int token = 1; token < scores.Length; token += 2)
                scores[token] = float.NegativeInfinity;
        }
    }
}
