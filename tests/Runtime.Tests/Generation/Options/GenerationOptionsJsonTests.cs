using System.Text;
using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class GenerationOptionsJsonTests
{
    // Every option that JSON can hold, each with a value that is no default.
    private const string Everything = """
        {"max_new_tokens": 9, "max_length": 30, "min_new_tokens": 1, "min_length": 3, "do_sample": true, "seed": 5000000000, "num_beams": 3,
         "num_return_sequences": 2, "length_penalty": -0.5, "early_stopping": "never", "prompt_lookup_num_tokens": 4, "max_matching_ngram_size": 3,
         "eos_token_id": [1, 2], "pad_token_id": 6, "stop_strings": ["\n", "x"], "max_time": 1.5, "truncate_prompt": true, "top_log_probabilities": 5,
         "truncate_before_pattern": ["^#"], "temperature": 0.2, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.8, "epsilon_cutoff": 0.01,
         "eta_cutoff": 0.02, "repetition_penalty": 1.1, "no_repeat_ngram_size": 2, "bad_words_ids": [[3], [4, 5]],
         "sequence_bias": [[[4], 1], [[5, 6], -2.5]], "suppress_tokens": [5], "begin_suppress_tokens": [6], "forced_eos_token_id": 7,
         "renormalize_logits": true, "key_value_type": "bfloat16", "bos_token_id": 8, "truncation": "dedent"}
        """;

    [Test]
    public void Every_option_is_read()
    {
        GenerationOptions options = Read(Everything, strict: true);
        string[] unread = [.. typeof(GenerationOptions).GetProperties()
            .Where(property => property.GetMethod!.IsStatic == false && property.GetValue(options) is null).Select(property => property.Name)];
        Assert.That(unread, Is.EquivalentTo(
            new[] { nameof(GenerationOptions.LogitsProcessors), nameof(GenerationOptions.StoppingCriteria), nameof(GenerationOptions.AssistantModel) }));
        Assert.That((options.MaxNewTokens, options.MaxLength, options.MinNewTokens, options.MinLength), Is.EqualTo(((int?)9, (int?)30, (int?)1, (int?)3)));
        Assert.That((options.DoSample, options.Seed, options.NumBeams, options.NumReturnSequences),
            Is.EqualTo(((bool?)true, (long?)5_000_000_000, (int?)3, (int?)2)));
        Assert.That((options.LengthPenalty, options.EarlyStopping, options.MaxTime),
            Is.EqualTo(((double?)-0.5, (EarlyStopping?)EarlyStopping.Never, (TimeSpan?)TimeSpan.FromSeconds(1.5))));
        Assert.That((options.PromptLookupNumTokens, options.MaxMatchingNgramSize, options.TopLogProbabilities, options.PadTokenId),
            Is.EqualTo(((int?)4, (int?)3, (int?)5, (int?)6)));
        Assert.That((options.Temperature, options.TopK, options.TopP, options.MinP, options.TypicalP),
            Is.EqualTo(((double?)0.2, (int?)5, (double?)0.9, (double?)0.1, (double?)0.8)));
        Assert.That((options.EpsilonCutoff, options.EtaCutoff, options.RepetitionPenalty, options.NoRepeatNgramSize),
            Is.EqualTo(((double?)0.01, (double?)0.02, (double?)1.1, (int?)2)));
        Assert.That((options.EosTokenId, options.SuppressTokens, options.BeginSuppressTokens, options.ForcedEosTokenId),
            Is.EqualTo((new[] { 1, 2 }, new[] { 5 }, new[] { 6 }, new[] { 7 })));
        Assert.That((options.StopStrings, options.TruncateBeforePattern), Is.EqualTo((new[] { "\n", "x" }, new[] { "^#" })));
        Assert.That(options.BadWordsIds, Is.EqualTo(new[] { new[] { 3 }, [4, 5] }));
        Assert.That(options.SequenceBias!.Select(bias => bias.TokenIds), Is.EqualTo(new[] { new[] { 4 }, [5, 6] }));
        Assert.That(options.SequenceBias!.Select(bias => bias.Bias), Is.EqualTo(new[] { 1, -2.5f }));
    }

    [TestCase("{\"stop_strings\": [\"\\ud800\"]}")]
    [TestCase("{\"\\ud800\": 1}")]
    public void Half_a_surrogate_pair_is_no_text(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.That(() => GenerationOptions.FromJson(document.RootElement, "line 1"),
            Throws.TypeOf<ConfigException>().With.Message.StartsWith("line 1 has a text with half"));
    }

    [Test]
    public void Either_form_of_a_value_is_read_and_null_is_nothing()
    {
        Assert.That(Read("""{"eos_token_id": 3}""").EosTokenId, Is.EqualTo(new[] { 3 }));
        Assert.That(Read("""{"forced_eos_token_id": [3, 4]}""").ForcedEosTokenId, Is.EqualTo(new[] { 3, 4 }));
        Assert.That(Read("""{"stop_strings": "x"}""").StopStrings, Is.EqualTo(new[] { "x" }));
        Assert.That(Read("""{"early_stopping": true}""").EarlyStopping, Is.EqualTo(EarlyStopping.True));
        Assert.That(Read("""{"early_stopping": false}""").EarlyStopping, Is.EqualTo(EarlyStopping.False));
        Assert.That(Read("""{"top_k": null, "forced_eos_token_id": null}"""), Is.EqualTo(GenerationOptions.Default));
        // generate(eos_token_id=None) of transformers 4.46: GenerationConfig.update takes the None, and no criterion is made of it.
        Assert.That(Read("""{"eos_token_id": null}""").EosTokenId, Is.Empty);
        Assert.That(Read("""{"eos_token_id": null}""", strict: true).EosTokenId, Is.Empty);
    }

    [TestCase("""{"temperature": 0.0}""", "temperature is 0.0; a number above 0 is needed. For the most probable token, switch do_sample off.")]
    [TestCase("""{"temperature": "hot"}""", "temperature is \"hot\"; a number is needed.")]
    [TestCase("""{"temperature": 1e999}""", "temperature is 1e999; a number above 0")]
    [TestCase("""{"top_p": 1.5}""", "top_p is 1.5; a number from 0 to 1 is needed.")]
    [TestCase("""{"top_k": 2.5}""", "top_k is 2.5; a whole number of 32 bits is needed.")]
    [TestCase("""{"num_beams": 0}""", "num_beams is 0; at least 1 is needed.")]
    [TestCase("""{"do_sample": 1}""", "do_sample is 1; true or false is needed.")]
    [TestCase("""{"seed": 1e30}""", "seed is 1e30; a whole number of 64 bits is needed.")]
    [TestCase("""{"early_stopping": "always"}""", "early_stopping is \"always\"; true, false or \"never\" is needed.")]
    [TestCase("""{"max_time": 0}""", "max_time is 0; a number of seconds")]
    [TestCase("""{"max_time": 1e300}""", "max_time is 1e300; a number of seconds")]
    [TestCase("""{"stop_strings": [1]}""", "stop_strings is [1]; a list of strings is needed.")]
    [TestCase("""{"bad_words_ids": [3]}""", "bad_words_ids is [3]; a list of ids is needed.")]
    [TestCase("""{"bad_words_ids": [[-3]]}""", "bad_words_ids is [[-3]]; an id or a list of ids is needed.")]
    [TestCase("""{"sequence_bias": [[[3]]]}""", "sequence_bias is [[[3]]]; a list of [[ids], bias] is needed.")]
    [TestCase("""{"sequence_bias": {"3": 1.0}}""", "a list of [[ids], bias] is needed.")]
    [TestCase("""{"eos_token_id": "end"}""", "eos_token_id is \"end\"; an id or a list of ids is needed.")]
    public void A_bad_value_is_refused_with_source_key_value_and_need(string json, string message) =>
        Assert.That(() => Read(json), Throws.TypeOf<ConfigException>().With.Message.StartsWith("request.json: ").And.Message.Contains(message));

    [Test]
    public void An_unknown_key_is_refused_where_asked_for_and_the_nearest_named()
    {
        Assert.That(() => Read("""{"tempreature": 1}""", strict: true),
            Throws.TypeOf<ConfigException>().With.Message.EqualTo("request.json: there is no option tempreature; the nearest is temperature."));
        Assert.That(() => Read("""{"MaxNewTokens": 1}""", strict: true),
            Throws.TypeOf<ConfigException>().With.Message.EndsWith("the nearest is max_new_tokens."));
        Assert.That(Read("""{"transformers_version": "4.46.0", "top_k": 3}""").TopK, Is.EqualTo(3));
    }

    [Test]
    public void Options_inside_a_request_are_strict_and_an_object()
    {
        using JsonDocument request = JsonDocument.Parse("""{"options": {"top_k": 3}, "wrong": {"top": 3}, "number": 4}""");
        Assert.That(GenerationOptions.FromJson(request.RootElement.GetProperty("options"), "options").TopK, Is.EqualTo(3));
        Assert.That(() => GenerationOptions.FromJson(request.RootElement.GetProperty("wrong"), "options"),
            Throws.TypeOf<ConfigException>().With.Message.Contains("top_"));
        Assert.That(() => GenerationOptions.FromJson(request.RootElement.GetProperty("number"), "options"),
            Throws.TypeOf<ConfigException>().With.Message.Contains("options is a JSON Number"));
    }

    private static GenerationOptions Read(string json, bool strict = false) => GenerationOptions.FromJson(Encoding.UTF8.GetBytes(json), "request.json", strict);
}
