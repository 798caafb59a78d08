using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

/// <summary>The options of generate, against the library that does the work.</summary>
[TestFixture]
internal sealed class GenerateOptionsTests
{
    private const string Prompt = "def add(a, b):\n";
    private static readonly string[] Json = ["generate", Prompt, "--max-new-tokens", "12", "--json"];

    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load() => _generator = TextGenerator.Load(Demo);

    [OneTimeTearDown]
    public void Dispose() => _generator.Dispose();

    private static IEnumerable<TestCaseData> Options()
    {
        yield return Of(o => o with { DoSample = true, Seed = 3 }, "--do-sample", "--seed", "3");
        yield return Of(o => o with { DoSample = true, Seed = 3, Temperature = 1.4, TopK = 0 }, "--temperature", "1.4", "--top-k", "0", "--seed", "3");
        yield return Of(o => o with { DoSample = true, Seed = 4, Temperature = 2, TopP = 0.7, MinP = 0.01 }, "--temperature", "2", "--top-p", "0.7",
            "--min-p", "0.01", "--seed", "4");
        yield return Of(
            o => o with { DoSample = true, Seed = -4, TypicalP = 0.6, EpsilonCutoff = 0.001, EtaCutoff = 0.002, RenormalizeLogits = true },
            "--typical-p", "0.6", "--epsilon-cutoff", "0.001", "--eta-cutoff", "0.002", "--seed=-4", "--renormalize-logits");
        yield return Of(o => o with { RepetitionPenalty = 1.8, NoRepeatNgramSize = 2 }, "--repetition-penalty", "1.8", "--no-repeat-ngram-size", "2");
        yield return Of(o => o with { BadWordsIds = [[198], [258, 376]] }, "--bad-words-ids", "198", "--bad-words-ids", "258,376");
        yield return Of(o => o with { SequenceBias = [new SequenceBias([258, 376], -9f), new SequenceBias([258], 1.5f)] }, "--sequence-bias-ids", "258,376=-9",
            "--sequence-bias-ids", "258=1.5");
        yield return Of(o => o with { SuppressTokens = [376, 4903], BeginSuppressTokens = [258, 198] }, "--suppress-tokens", "376,4903",
            "--begin-suppress-tokens", "258", "--begin-suppress-tokens", "198");
        yield return Of(o => o with { ForcedEosTokenId = [198] }, "--forced-eos-token-id", "198");
        yield return Of(o => o with { EosTokenId = [376, 258], MinNewTokens = 3 }, "--eos-token-id", "376,258", "--min-new-tokens", "3");
        yield return Of(o => o with { EosTokenId = [], MinLength = 3 }, "--eos-token-id", "none", "--min-length", "3");
        yield return Of(o => o with { PromptLookupNumTokens = 3, MaxMatchingNgramSize = 1 }, "--prompt-lookup", "3", "--max-matching-ngram-size", "1");
        yield return Of(o => o with { StopStrings = ["numbers", "zz"] }, "--stop", "numbers", "--stop-strings", "zz");
        yield return Of(o => o with { MaxTime = TimeSpan.FromHours(1) }, "--max-time", "3600");
    }

    [TestCaseSource(nameof(Options))]
    public void An_option_does_what_it_does_in_the_library(Func<GenerationOptions, GenerationOptions> set, string[] args)
    {
        GeneratedSequence expected = _generator.GenerateSequences([Prompt], set(new GenerationOptions { MaxNewTokens = 12 })).Sequences[0];
        MtxRun run = MtxRun.Of([.. Json, .. args]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Json.GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32()), Is.EqualTo(expected.TokenIds));
        Assert.That(run.Json.GetProperty("generated_text").GetString(), Is.EqualTo(expected.Text));
        Assert.That(run.Json.GetProperty("finish_reason").GetString(), Is.EqualTo(WrittenText.NameOf(expected.FinishReason)));
    }

    [Test]
    public void Texts_of_bad_words_and_biases_are_their_tokens()
    {
        string plain = Text(Json);
        Assert.That(plain, Does.Contain("\"\"\""));
        Assert.That(Text([.. Json, "--bad-words", " \"\"\""]), Does.Not.Contain(" \"\"\""));
        Assert.That(Text([.. Json, "--sequence-bias", " \"\"\"=-Infinity"]), Does.Not.Contain(" \"\"\""));
        Assert.That(MtxRun.Of([.. Json, "--sequence-bias", "text"]).ExitCode, Is.EqualTo(2));
    }

    [Test]
    public void Beams_are_numbered_with_their_scores()
    {
        string[] args = ["generate", Prompt, "--max-new-tokens", "8", "--num-beams", "3", "--num-return-sequences", "2", "--length-penalty", "0.5",
            "--early-stopping", "never"];
        var options =
            new GenerationOptions { MaxNewTokens = 8, NumBeams = 3, NumReturnSequences = 2, LengthPenalty = 0.5, EarlyStopping = EarlyStopping.Never };
        IReadOnlyList<GeneratedSequence> expected = _generator.GenerateSequences([Prompt], options).Sequences;
        JsonElement[] sequences = [.. MtxRun.Of([.. args, "--json"]).Json.GetProperty("sequences").EnumerateArray()];
        Assert.That(MtxRun.Names(sequences[0]), Is.EqualTo(new[] { "generated_text", "token_ids", "finish_reason", "score" }));
        Assert.That(sequences.Select(one => one.GetProperty("generated_text").GetString()), Is.EqualTo(expected.Select(one => one.Text)));
        Assert.That(sequences.Select(one => one.GetProperty("score").GetDouble()), Is.EqualTo(expected.Select(one => one.Score!.Value)).Within(1e-6));
        string text = MtxRun.Of([.. args, "--no-prompt"]).Out;
        Assert.That(text, Does.StartWith($"text 1 of 2, score {expected[0].Score:0.000}\n{expected[0].Text}")
            .And.Contain($"\ntext 2 of 2, score {expected[1].Score:0.000}\n"));
    }

    [Test]
    public void Several_texts_are_drawn_and_the_first_is_that_which_one_draw_gives()
    {
        string[] args = [.. Json, "--temperature", "3", "--seed", "5"];
        JsonElement json = MtxRun.Of([.. args, "--n", "3"]).Json;
        string[] texts = [.. json.GetProperty("sequences").EnumerateArray().Select(one => one.GetProperty("generated_text").GetString()!)];
        Assert.That(texts.Distinct().Count(), Is.EqualTo(3));
        Assert.That((json.GetProperty("generated_text").GetString(), Text(args)), Is.EqualTo((texts[0], texts[0])));
        Assert.That(MtxRun.Of([.. Json, "--n", "2"]).ExitCode, Is.Zero, "n alone draws");
    }

    [Test]
    public void Log_probabilities_are_numbers_in_json_and_a_table_for_people()
    {
        JsonElement[] tokens = [.. MtxRun.Of([.. Json, "--logprobs", "2"]).Json.GetProperty("log_probabilities").EnumerateArray()];
        Assert.That(tokens, Has.Length.EqualTo(12));
        Assert.That(MtxRun.Names(tokens[0]), Is.EqualTo(new[] { "token_id", "token", "token_text", "log_probability", "alternatives" }));
        JsonElement best = tokens[0].GetProperty("alternatives")[0];
        Assert.That(best.GetProperty("token_id").GetInt32(), Is.EqualTo(tokens[0].GetProperty("token_id").GetInt32()), "greedy takes the likeliest");
        string table = MtxRun.Of("generate", Prompt, "--max-new-tokens", "2", "--logprobs", "1").Out;
        Assert.That(table, Does.Match("token +log p likeliest\n\".*\" +-[0-9.]+ \".*\" -[0-9.]+\n"));
    }

    [TestCase("f16", "F16")]
    [TestCase("bf16", "BF16")]
    public void Keys_and_values_are_kept_as_asked_for_in_a_session_too(string word, string stored)
    {
        double[] exact = LogProbabilities(), rounded = LogProbabilities("--key-value-type", word);
        Assert.That(rounded, Is.EqualTo(exact).Within(0.2).And.Not.EqualTo(exact), "keys and values are rounded");
        string file = Path.Combine(Folders.Scratch(), "session.safetensors");
        Assert.That(LogProbabilities("--key-value-type", word, "--session", file), Is.EqualTo(rounded));
        using (SafetensorsFile saved = SafetensorsFile.Open(file))
            Assert.That(saved.Weights.Values.Count(tensor => $"{tensor.Type}" == stored), Is.EqualTo(2 * 4), "keys and values of each layer");
        MtxRun other = MtxRun.Of([.. Json, "--session", file]);
        Assert.That(other.ExitCode, Is.EqualTo(3));
        Assert.That(other.Error, Does.Contain("KeyValueType"));
        Assert.That(MtxRun.Of([.. Json, "--key-value-type", "int8"]).ExitCode, Is.EqualTo(2));
    }

    private static double[] LogProbabilities(params string[] args) =>
        [.. MtxRun.Of([.. Json, "--logprobs", "1", .. args]).Json.GetProperty("log_probabilities").EnumerateArray()
            .Select(token => token.GetProperty("log_probability").GetDouble())];

    [Test]
    public void A_session_reads_only_what_is_new()
    {
        string file = Path.Combine(Folders.Scratch(), "session.safetensors");
        string[] args = ["--max-new-tokens", "8", "--json", "--timings", "--session", file];
        string first = Text(["generate", Prompt, .. args]);
        Assert.That(File.Exists(file));
        string longer = $"{Prompt}{first}\n\n\ndef sub(a, b):\n";
        MtxRun run = MtxRun.Of(["generate", longer, .. args]);
        JsonElement usage = run.Json.GetProperty("usage");
        Assert.That(usage.GetProperty("cached_tokens").GetInt32(), Is.GreaterThan(10));
        Assert.That(run.Json.GetProperty("generated_text").GetString(), Is.EqualTo(Text(["generate", longer, "--max-new-tokens", "8", "--json"])));
        Assert.That(run.Error, Does.StartWith("prompt   ").And.Contain(" of them cached").And.Contain("\nnew      8 tokens, "));
        MtxRun other = MtxRun.Of(["generate", "x", "--session", Path.Combine(Demo, "model.safetensors")]);
        Assert.That((other.ExitCode, other.Out), Is.EqualTo((3, "")), "what is no session is refused");
    }

    [Test]
    public void A_draft_changes_no_text_and_is_counted()
    {
        JsonElement drafted = MtxRun.Of([.. Json, "--draft", Demo, "--timings"]).Json;
        Assert.That(drafted.GetProperty("generated_text").GetString(), Is.EqualTo(Text(Json)));
        JsonElement usage = drafted.GetProperty("usage");
        Assert.That(usage.GetProperty("accepted_tokens").GetInt32(), Is.GreaterThan(0).And.EqualTo(usage.GetProperty("drafted_tokens").GetInt32()));
        Assert.That(usage.GetProperty("passes").GetInt32(), Is.LessThan(11));
    }

    [Test]
    public void A_prompt_comes_from_a_file_as_it_is()
    {
        string file = Path.Combine(Folders.Scratch(), "prompt.py");
        File.WriteAllText(file, Prompt);
        Assert.That(Text(["generate", "--prompt-file", file, "--max-new-tokens", "12", "--json"]), Is.EqualTo(Text(Json)));
    }

    [Test]
    public void A_cut_that_is_certain_ends_every_text_of_a_batch()
    {
        JsonElement json = MtxRun.Of(["generate", Prompt, "--max-new-tokens", "200", "--truncate", "human-eval", "--n", "2", "--temperature", "0.1", "--seed",
            "1", "--json", "--timings"]).Json;
        Assert.That(json.GetProperty("usage").GetProperty("new_tokens").GetInt32(), Is.LessThan(200));
        Assert.That(json.GetProperty("finish_reason").GetString(), Is.EqualTo("criterion").Or.EqualTo("end_token"));
    }

    [TestCase("--temperature", "0")]
    [TestCase("--top-p", "1.5")]
    [TestCase("--min-p", "x")]
    [TestCase("--max-time", "0")]
    [TestCase("--num-beams", "0")]
    [TestCase("--eos-token-id", "a,b")]
    [TestCase("--bad-words-ids", "")]
    [TestCase("--stop", "")]
    [TestCase("--sequence-bias-ids", "5=NaN")]
    [TestCase("--greedy", "--seed", "1")]
    [TestCase("--prompt-lookup", "3", "--draft", "x")]
    [TestCase("--prompt-file", "x")]
    [TestCase("--logprobs", "-1")]
    public void Wrong_options_are_named_before_anything_is_loaded(params string[] args)
    {
        MtxRun run = MtxRun.Of(["generate", "x", .. args]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Contain(args[0] is "--stop" ? "--stop-strings" : args[0] is "--prompt-lookup" ? "--prompt-lookup-num-tokens" : args[0]));
    }

    [Test]
    public void A_word_that_is_no_choice_gives_exit_code_2() =>
        Assert.That(MtxRun.Of("generate", "x", "--early-stopping", "sometimes").ExitCode, Is.EqualTo(2));

    [Test]
    public void Help_has_the_options_in_groups()
    {
        MtxRun run = MtxRun.Of("generate", "--help");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out,
            Does.Contain("\nLength and end of the text:\n").And.Contain("\nSampling (").And.Contain("\nBeam search:\n").And.Contain("\nDrafts"));
        Assert.That(run.Out.Split('\n').Single(line => line.Contains("--temperature <X>", StringComparison.Ordinal)), Does.StartWith("  --temperature"));
        Assert.That(MtxRun.Of("synthesize", "--help").Out, Does.Contain("--temperature").And.Not.Contain("--num-beams"));
    }

    private static string Demo => Path.Combine(Folders.Repository, "models", "demo-codegen");

    private static TestCaseData Of(Func<GenerationOptions, GenerationOptions> set, params string[] args) =>
        new TestCaseData(set, args).SetArgDisplayNames(string.Join(' ', args));

    private static string Text(string[] args) => MtxRun.Of(args).Json.GetProperty("generated_text").GetString()!;
}
