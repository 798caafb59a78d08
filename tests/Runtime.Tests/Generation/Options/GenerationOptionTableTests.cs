using System.Reflection;
using System.Text.Json;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The one table of options: complete, read from text as from JSON, and what docs/generation.md shows.</summary>
public sealed class GenerationOptionTableTests
{
    // name, value in JSON, value as text
    private static readonly (string Name, string Json, string[] Texts)[] s_values =
    [
        ("max_new_tokens", "9", ["9"]), ("max_length", "30", ["30"]), ("min_new_tokens", "1", ["1"]), ("min_length", "3", ["3"]), ("max_time", "1.5", ["1.5"]),
        ("stop_strings", """["a", "b,c"]""", ["a", "b,c"]), ("eos_token_id", "[1, 2]", ["1,2"]), ("pad_token_id", "6", ["6"]), ("bos_token_id", "7", ["7"]),
        ("truncation", "\"human-eval\"", ["Human-Eval"]), ("truncate_before_pattern", """["^#"]""", ["^#"]), ("truncate_prompt", "true", ["true"]),
        ("do_sample", "false", ["false"]), ("temperature", "0.2", ["2e-1"]), ("top_k", "5", ["5"]), ("top_p", "0.9", ["0.9"]), ("min_p", "0.1", [".1"]),
        ("typical_p", "1", ["1"]),
        ("epsilon_cutoff", "0.01", ["0.01"]), ("eta_cutoff", "0", ["0"]), ("seed", "-5000000000", ["-5000000000"]), ("repetition_penalty", "1.1", ["1.1"]),
        ("no_repeat_ngram_size", "2", ["2"]), ("bad_words_ids", "[[3], [4, 5]]", ["3", "4,5"]), ("sequence_bias", "[[[4, 5], -2.5]]", ["4,5=-2.5"]),
        ("suppress_tokens", "[5, 6]", ["5", "6"]), ("begin_suppress_tokens", "[6]", ["6"]), ("forced_eos_token_id", "7", ["7"]),
        ("renormalize_logits", "true", ["True"]),
        ("num_beams", "3", ["3"]), ("length_penalty", "-0.5", ["-0.5"]), ("early_stopping", "\"never\"", ["never"]), ("num_return_sequences", "2", ["2"]),
        ("prompt_lookup_num_tokens", "4", ["4"]), ("max_matching_ngram_size", "3", ["3"]), ("key_value_type", "\"bfloat16\"", ["bf16"]),
        ("top_log_probabilities", "0", ["0"]),
    ];

    [Test]
    public void Every_property_is_an_entry_under_its_name_with_underscores()
    {
        string[] objects = [nameof(GenerationOptions.AssistantModel), nameof(GenerationOptions.LogitsProcessors), nameof(GenerationOptions.StoppingCriteria)];
        PropertyInfo[] properties = typeof(GenerationOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);
        Assert.That(GenerationOption.All.Select(option => option.Property), Is.EquivalentTo(properties.Select(property => property.Name).Except(objects)));
        IEnumerable<string> names = GenerationOption.All.Select(option => JsonNamingPolicy.SnakeCaseLower.ConvertName(option.Property));
        Assert.That(GenerationOption.All.Select(option => option.Name), Is.EqualTo(names));
        Assert.That(GenerationOption.All.Select(option => option.Group), Is.Ordered);
        Assert.That(s_values.Select(value => value.Name), Is.EqualTo(GenerationOption.All.Select(option => option.Name)), "and part of these tests");
    }

    [Test]
    public void A_text_gives_what_JSON_gives([ValueSource(nameof(s_values))] (string Name, string Json, string[] Texts) value)
    {
        GenerationOption option = GenerationOption.All.Single(one => one.Name == value.Name);
        using JsonDocument document = JsonDocument.Parse($"{{\"{value.Name}\": {value.Json}}}");
        GenerationOptions fromJson = GenerationOptions.FromJson(document.RootElement, "test"), fromText = option.Parse(GenerationOptions.Default, value.Texts);
        PropertyInfo property = typeof(GenerationOptions).GetProperty(option.Property)!;
        Assert.That(property.GetValue(fromText), Is.Not.Null);
        if (fromText.SequenceBias is [SequenceBias bias])
            Assert.That((bias.TokenIds, bias.Bias), Is.EqualTo((fromJson.SequenceBias![0].TokenIds, fromJson.SequenceBias[0].Bias)));
        else
            Assert.That(property.GetValue(fromText), Is.EqualTo(property.GetValue(fromJson)));
        Assert.That((option.IsGiven(fromText), option.IsGiven(GenerationOptions.Default)), Is.EqualTo((true, false)));
    }

    [TestCase("temperature", "a number is needed.", "hot")]
    [TestCase("temperature", "a number above 0 is needed.", "0")]
    [TestCase("top_k", "a whole number of 32 bits is needed.", "2.5")]
    [TestCase("num_beams", "at least 1 is needed.", "0")]
    [TestCase("num_beams", "one value is needed.", "1", "2")]
    [TestCase("suppress_tokens", "token ids with commas between them are needed, such as 12,7.", "a,b")]
    [TestCase("sequence_bias", "a sequence, an equals sign and a number are needed", "5=NaN")]
    [TestCase("stop_strings", "at least one character is needed.", "")]
    [TestCase("early_stopping", "true, false or never is needed.", "always")]
    [TestCase("truncation", "one of human-eval, codegen, dedent, end-of-mask, none is needed.", "all")]
    public void A_wrong_text_is_refused_with_what_is_needed(string name, string needed, params string[] texts)
    {
        GenerationOption option = GenerationOption.All.Single(one => one.Name == name);
        Assert.That(() => option.Parse(GenerationOptions.Default, texts), Throws.TypeOf<FormatException>().With.Message.StartsWith(needed));
    }

    [Test]
    public void The_table_of_the_document_is_this_one()
    {
        string[] document = File.ReadAllLines(Path.Combine(TestData.Root, "docs", "generation.md"));
        static string RowOf(GenerationOption option) =>
            $"| {option.Name}{(option.InTransformers ? "" : " *")} | {option.Default} | {option.Help} | {option.Source} |";
        string[] expected = ["| option | where nobody gives it | what it does | after |", "|---|---|---|---|", .. GenerationOption.All.Select(RowOf)];
        string[] shown = [.. document.SkipWhile(line => line != expected[0]).TakeWhile(line => line.StartsWith('|'))];
        Assert.That(shown, Is.EqualTo(expected), string.Join('\n', expected));
    }

    [Test]
    public void The_default_that_the_table_says_is_the_one_that_holds()
    {
        string Of(string name) => GenerationOption.All.Single(option => option.Name == name).Default;
        string[] defaults = [Of("max_matching_ngram_size"), Of("top_k"), Of("max_new_tokens")];
        Assert.That(defaults, Is.EqualTo(new[] { "8 (transformers: 2)", "50", "64, or as many as still fit" }));
        using DecoderForCausalLM model = TinyDecoder.Model(40, positions: 100);
        var plan = new GenerationPlan(model, SearchPrompt.Of([[5]]), new() { DoSample = true }, new());
        Assert.That(plan.MaxNewTokens, Is.EqualTo(64));
        float[] scores = [.. Enumerable.Range(0, 60).Select(i => (float)i)];
        plan.ProcessorsFor(1).Single().Process([5], scores);
        Assert.That(scores.Count(float.IsFinite), Is.EqualTo(50));
        // The text ends as it did 8 tokens ago, and what followed there is another token than 3 tokens ago.
        int[] ids = [1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31, 8, 9, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        plan = new GenerationPlan(model, SearchPrompt.Of([ids]), new() { PromptLookupNumTokens = 1, EosTokenId = [] }, new());
        using Drafter drafter = plan.NewDrafter()!;
        int[] guess = new int[1];
        Assert.That((drafter.Draft(plan.NewRows()[0], guess, CancellationToken.None), guess[0]), Is.EqualTo((1, 30)));
    }

    [Test]
    public void Scores_are_processed_at_the_level_of_the_model_or_of_its_session()
    {
        var reference = new KernelOptions { Level = KernelLevel.Reference };
        var load = new PipelineOptions { Load = new LoadOptions { Kernels = reference } };
        using TextGenerator generator = TextGenerator.Load(TestData.Model("demo-codegen"), load);
        int[] prompt = generator.Encode("import numpy as");
        using Session session = generator.CausalLM.CreateSession();
        float[] scores = generator.CausalLM.Append(prompt, [prompt.Length], [0], session, ScoresOf.LastTokens).Row(0).ToArray();
        var one = new GenerationOptions { MaxNewTokens = 1, TopLogProbabilities = 1 };
        TokenProbability token = generator.GenerateSequences([prompt], one).Sequences[0].LogProbabilities![0];
        Assert.That(token.LogProbability, Is.EqualTo(scores[token.TokenId] - Softmax.LogSumExp(scores, reference)), "to the bit");
        Assert.That(token.Alternatives[0].LogProbability, Is.EqualTo(token.LogProbability));

        using TextGenerator usual = TextGenerator.Load(TestData.Model("demo-codegen"));
        using Session own = usual.CausalLM.CreateSession(new SessionOptions { Kernels = reference });
        Assert.That(usual.Plan(SearchPrompt.Of([prompt]), null).Kernels, Is.EqualTo(KernelOptions.Default));
        Assert.That(usual.Plan(SearchPrompt.Of([prompt]), null, own).Kernels, Is.EqualTo(reference));
        using Session batch = usual.Plan(SearchPrompt.Of([prompt]), null, own).NewSession(2, 10);
        Assert.That(batch.Kernels, Is.EqualTo(reference), "also where several texts go on from it");
    }

    [Test]
    public void Processors_can_be_had_for_a_loop_of_ones_own()
    {
        var options = new GenerationOptions { DoSample = true, Temperature = 0.5, TopK = 2 };
        float[] scores = [1, 2, 3];
        foreach (LogitsProcessor processor in options.CreateLogitsProcessors(promptLength: 1, maxLength: 9))
            processor.Process([0], scores);
        Assert.That(scores, Is.EqualTo(new[] { float.NegativeInfinity, 4, 6 }));
        Assert.That(() => new GenerationOptions { BadWordsIds = [[]] }.CreateLogitsProcessors(1, 9), Throws.TypeOf<ModelInputException>());
    }
}
