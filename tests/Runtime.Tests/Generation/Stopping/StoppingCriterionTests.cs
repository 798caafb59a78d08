using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class StoppingCriterionTests
{
    private static readonly Tokenizer Tokenizer = Tokenizers.Tokenizer.Load(TestData.Model("demo-codegen"));

    [Test]
    public void A_text_ends_at_its_greatest_length_with_the_prompts_tokens()
    {
        Assert.That(new MaxLengthCriteria(4).IsMet(new([1, 2, 3], 2, TimeSpan.Zero)), Is.False);
        Assert.That(new MaxLengthCriteria(4).IsMet(new([1, 2, 3, 4], 2, TimeSpan.Zero)), Is.True);
    }

    [Test]
    public void A_text_ends_at_an_end_token_that_was_generated()
    {
        var criterion = new EosTokenCriteria([7, 8]);
        Assert.That(criterion.IsMet(new([1, 8], 1, TimeSpan.Zero)), Is.True);
        Assert.That(criterion.IsMet(new([8, 1], 1, TimeSpan.Zero)), Is.False);
        Assert.That(criterion.IsMet(new([1, 8], 2, TimeSpan.Zero)), Is.False, "the prompt's end token ends nothing");
    }

    [Test]
    public void A_text_ends_when_its_time_has_passed()
    {
        var criterion = new MaxTimeCriteria(TimeSpan.FromSeconds(2));
        Assert.That(criterion.IsMet(new([1], 0, TimeSpan.FromSeconds(2))), Is.False);
        Assert.That(criterion.IsMet(new([1], 0, TimeSpan.FromSeconds(2.001))), Is.True);
    }

    [Test]
    public void A_stop_string_ends_a_text_at_the_token_that_completes_it()
    {
        int[] prompt = Tokenizer.Encode("x = 1\n").Ids, generated = Tokenizer.Encode("def f(x):\n    return x\n\nprint(f(2))\n").Ids;
        var criterion = new StopStringCriteria(["rn x\n", "nowhere"]);
        var text = new GeneratedText(Tokenizer);
        int[] row = [.. prompt, .. generated];
        for (int length = prompt.Length; length <= row.Length; length++)
        {
            bool holds = Tokenizer.Decode(row.AsSpan(prompt.Length, length - prompt.Length)).Contains("rn x\n", StringComparison.Ordinal);
            Assert.That(criterion.IsMet(new(row.AsSpan(0, length), prompt.Length, TimeSpan.Zero, text)), Is.EqualTo(holds), $"{length} tokens");
        }
        Assert.That(Tokenizer.Decode(generated), Does.Contain("rn x\n"), "the text came up");
    }

    [Test]
    public void A_stop_string_of_the_prompt_ends_nothing()
    {
        int[] row = Tokenizer.Encode("a stop b").Ids;
        var criterion = new StopStringCriteria(["stop"]);
        Assert.That(criterion.IsMet(new(row, row.Length - 1, TimeSpan.Zero, new GeneratedText(Tokenizer))), Is.False);
        Assert.That(criterion.IsMet(new(row, 0, TimeSpan.Zero, new GeneratedText(Tokenizer))), Is.True);
    }

    [Test]
    public void A_beam_that_takes_anothers_place_is_decoded_anew()
    {
        var text = new GeneratedText(Tokenizer);
        int[] one = Tokenizer.Encode("return x").Ids, other = Tokenizer.Encode("print(y)").Ids;
        Assert.That(text.Of(one).ToString(), Is.EqualTo("return x"));
        Assert.That(text.Of(other).ToString(), Is.EqualTo("print(y)"));
        Assert.That(text.Of(other.AsSpan(0, 1)).ToString(), Is.EqualTo(Tokenizer.Decode(other.AsSpan(0, 1))), "also where it is shorter");
    }

    [Test]
    public void Half_a_character_is_no_text_yet()
    {
        int[] ids = Tokenizer.Encode("é→").Ids;
        var text = new GeneratedText(Tokenizer);
        for (int length = 0; length <= ids.Length; length++)
            Assert.That(text.Of(ids.AsSpan(0, length)).ToString(), Does.Not.Contain('\uFFFD'), $"{length} tokens");
        Assert.That(text.Of(ids).ToString(), Is.EqualTo("é→"));
    }

    [Test]
    public void Text_without_a_tokenizer_is_refused() =>
        Assert.That(() => new StopStringCriteria(["x"]).IsMet(new([1], 0, TimeSpan.Zero)),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("TextGenerator"));

    [Test]
    public void Criteria_are_those_asked_for_and_the_users_own()
    {
        var options = new GenerationOptions { MaxTime = TimeSpan.FromSeconds(1), StopStrings = ["x"], StoppingCriteria = [new ThreeTokens()] };
        using DecoderForCausalLM model = TinyDecoder.Model(40);
        StoppingCriterion[] Criteria(GenerationOptions asked) =>
            StoppingCriterion.For(new GenerationPlan(model, SearchPrompt.Of([[5]]), asked, new() { EosTokenId = [] }, Tokenizer), maxLength: 20);
        StoppingCriterion[] criteria = Criteria(options with { EosTokenId = [2], Truncation = TruncationRecipe.HumanEval });
        Assert.That(criteria.Select(criterion => criterion.GetType()), Is.EqualTo(new[]
        {
            typeof(EosTokenCriteria), typeof(StopStringCriteria), typeof(TruncationCriteria), typeof(ThreeTokens), typeof(MaxLengthCriteria),
            typeof(MaxTimeCriteria),
        }), "what the text says comes before any limit");
        Assert.That(criteria.Select(criterion => criterion.Reason), Is.EqualTo(new[]
        {
            FinishReason.EndToken, FinishReason.StopString, FinishReason.Criterion, FinishReason.Criterion, FinishReason.Length, FinishReason.MaxTime,
        }));
        Assert.That(criteria[3].IsMet(new([1, 1, 1, 1], 1, TimeSpan.Zero)), Is.True);
        Assert.That(Criteria(GenerationOptions.Default), Has.Length.EqualTo(1));
    }

    private sealed class ThreeTokens : StoppingCriterion
    {
        public override bool IsMet(GenerationState state) => state.NewTokens.Length >= 3;
    }
}
