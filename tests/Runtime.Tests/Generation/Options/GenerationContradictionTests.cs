using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class GenerationContradictionTests
{
    private static readonly GenerationOptions None = GenerationOptions.Default;

    private static IEnumerable<TestCaseData> Contradictions()
    {
        static TestCaseData Row(GenerationOptions options, string message) => new TestCaseData(options, message).SetArgDisplayNames(message);
        yield return Row(new() { MaxNewTokens = 4, MaxLength = 8 }, "MaxNewTokens is 4 and MaxLength is 8");
        yield return Row(new() { MinNewTokens = 5, MaxNewTokens = 4 }, "MinNewTokens is 5 and MaxNewTokens is 4");
        yield return Row(new() { MinLength = 5, MaxLength = 4 }, "MinLength is 5 and MaxLength is 4");
        yield return Row(new() { NumReturnSequences = 3, NumBeams = 2 }, "NumReturnSequences is 3 and NumBeams is 2");
        yield return Row(new() { NumReturnSequences = 3, NumBeams = 2, DoSample = true }, "NumReturnSequences is 3 and NumBeams is 2;");
        yield return Row(new() { NumReturnSequences = 3 }, "NumReturnSequences is 3 and NumBeams is 1 without DoSample");
        yield return Row(new() { DoSample = false, Temperature = 0.5 }, "Temperature is 0.5 and DoSample is false");
        yield return Row(new() { DoSample = false, TopK = 5 }, "TopK is 5 and DoSample is false");
        yield return Row(new() { DoSample = false, TopP = 0.5 }, "TopP is 0.5 and DoSample is false");
        yield return Row(new() { DoSample = false, MinP = 0.5 }, "MinP is 0.5 and DoSample is false");
        yield return Row(new() { DoSample = false, TypicalP = 0.5 }, "TypicalP is 0.5 and DoSample is false");
        yield return Row(new() { DoSample = false, EpsilonCutoff = 0.5 }, "EpsilonCutoff is 0.5 and DoSample is false");
        yield return Row(new() { DoSample = false, EtaCutoff = 0.5 }, "EtaCutoff is 0.5 and DoSample is false");
        yield return Row(new() { LengthPenalty = 2 }, "LengthPenalty is 2 and NumBeams is 1");
        yield return Row(new() { EarlyStopping = EarlyStopping.Never }, "EarlyStopping is Never and NumBeams is 1");
        yield return Row(new() { Seed = 5, NumBeams = 4 }, "Seed is 5 and NumBeams is 4");
        yield return Row(new() { Seed = 5 }, "Seed is 5 without DoSample");
        yield return Row(new() { PromptLookupNumTokens = 3, NumBeams = 4 }, "PromptLookupNumTokens is 3 and NumBeams is 4");
        yield return Row(new() { StopStrings = ["x", ""] }, "StopStrings[1] is empty");
        yield return Row(new() { LogitsProcessors = [null!] }, "LogitsProcessors[0] is null; a LogitsProcessor is needed. Leave it out.");
        yield return Row(new() { StoppingCriteria = [null!] }, "StoppingCriteria[0] is null; a StoppingCriterion is needed. Leave it out.");
        yield return Row(new() { SuppressTokens = [3, 100] }, "SuppressTokens holds token 100; the model's tokens are 0 to 99 (vocab_size 100)");
        yield return Row(new() { BeginSuppressTokens = [-1] }, "BeginSuppressTokens holds token -1");
        yield return Row(new() { ForcedEosTokenId = [100] }, "ForcedEosTokenId holds token 100");
        yield return Row(new() { EosTokenId = [-1] }, "EosTokenId holds token -1");
        yield return Row(new() { PadTokenId = 100 }, "PadTokenId holds token 100");
        yield return Row(new() { BadWordsIds = [[1], [2, 100]] }, "BadWordsIds holds token 100");
        yield return Row(new() { SequenceBias = [new([100], 1)] }, "SequenceBias holds token 100");
        yield return Row(new() { BadWordsIds = [] }, "BadWordsIds is empty");
        yield return Row(new() { BadWordsIds = [[1], []] }, "BadWordsIds holds an empty list");
        yield return Row(new() { BadWordsIds = [[9]] },
            "BadWordsIds holds nothing but end tokens (EosTokenId 9), which cannot be forbidden so. To go on past them");
        yield return Row(new() { SequenceBias = [] }, "SequenceBias is empty");
        yield return Row(new() { SequenceBias = [new([], 1)] }, "SequenceBias holds an empty sequence");
        yield return Row(new() { SequenceBias = [new([1], 1), new([], 1)] }, "SequenceBias holds an empty sequence; at least one");
        yield return Row(new() { SequenceBias = [default] }, "SequenceBias holds an empty sequence;");
    }

    [TestCaseSource(nameof(Contradictions))]
    public void Contradictions_are_refused_and_both_sides_named(GenerationOptions options, string message) =>
        Assert.That(() => options.Validate(None, vocabSize: 100, eosTokenId: [9]), Throws.TypeOf<ModelInputException>().With.Message.Contains(message));

    [Test]
    public void What_changes_nothing_contradicts_nothing()
    {
        // transformers' own defaults, as a request may spell them out
        var options = new GenerationOptions
        {
            DoSample = false, Temperature = 1, TopK = 50, TopP = 1, TypicalP = 1, EpsilonCutoff = 0, EtaCutoff = 0, MinP = 0,
            NumBeams = 1, NumReturnSequences = 1,
            LengthPenalty = 1, EarlyStopping = EarlyStopping.False, BadWordsIds = [[9], [1]], StopStrings = [], EosTokenId = [],
        };
        Assert.That(() => options.Validate(None, 100, [9]), Throws.Nothing);
        Assert.That(() => new GenerationOptions { Temperature = 0.5 }.Validate(None, 100, [9]), Throws.Nothing, "ignored, as DoSample is not set");
        Assert.That(() => new GenerationOptions { DoSample = true, Seed = 1, NumReturnSequences = 3, Temperature = 0.5 }.Validate(None, 100, [9]),
            Throws.Nothing);
        Assert.That(() => new GenerationOptions { NumBeams = 4, NumReturnSequences = 4, LengthPenalty = 2, EarlyStopping = EarlyStopping.True }.Validate(None,
            100, [9]), Throws.Nothing);
    }

    [Test]
    public void What_the_checkpoint_says_is_no_contradiction_of_the_callers()
    {
        var checkpoint = new GenerationOptions
        {
            DoSample = true, Temperature = 0.2, TopP = 0.95, MaxNewTokens = 64, MinNewTokens = 10, LengthPenalty = 2, EosTokenId = [500],
        };
        Assert.That(() => new GenerationOptions { DoSample = false, MaxLength = 8 }.Validate(checkpoint, 100, [500]), Throws.Nothing);
        Assert.That(() => new GenerationOptions { Seed = 4, NumReturnSequences = 2 }.Validate(checkpoint, 100, [500]), Throws.Nothing);
    }

    [Test]
    public void Minima_above_what_can_be_generated_are_refused()
    {
        Assert.That(() => new GenerationOptions { MinNewTokens = 9 }.RequireMinimaWithin(promptLength: 3, maxNewTokens: 8),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("MinNewTokens is 9, but at most 8"));
        Assert.That(() => new GenerationOptions { MinLength = 12 }.RequireMinimaWithin(promptLength: 3, maxNewTokens: 8),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("MinLength is 12"));
        Assert.That(() => new GenerationOptions { MinNewTokens = 8, MinLength = 11 }.RequireMinimaWithin(promptLength: 3, maxNewTokens: 8), Throws.Nothing);
    }
}
