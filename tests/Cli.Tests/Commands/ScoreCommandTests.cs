using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class ScoreCommandTests
{
    [Test]
    public void Json_has_the_documented_form_and_the_pipelines_numbers()
    {
        MtxRun run = MtxRun.Of("score", "def add(a, b):", "--top", "2", "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "context", "scores" }));
        JsonElement score = run.Json.GetProperty("scores")[0], token = score.GetProperty("token_scores")[0];
        Assert.That(MtxRun.Names(score), Is.EqualTo(new[]
        {
            "text", "file", "log_probability", "tokens", "perplexity", "bytes", "bits_per_byte", "characters", "bits_per_character", "token_scores",
        }));
        Assert.That(MtxRun.Names(token), Is.EqualTo(new[] { "token_id", "token", "token_text", "start", "end", "log_probability", "rank", "alternatives" }));
        Assert.That(MtxRun.Names(token.GetProperty("alternatives")[1]), Is.EqualTo(new[] { "token_id", "token", "token_text", "log_probability" }));

        using TextScorer scorer = TextScorer.Load(ModelLocator.Demo(ModelLocator.Generator));
        TextScore expected = scorer.Score("def add(a, b):");
        Assert.That(score.GetProperty("log_probability").GetDouble(), Is.EqualTo(expected.LogProbability).Within(1e-3));
        Assert.That(score.GetProperty("token_scores").EnumerateArray().Sum(one => one.GetProperty("log_probability").GetDouble()),
            Is.EqualTo(expected.LogProbability).Within(1e-3));
        Assert.That(score.GetProperty("bits_per_byte").GetDouble(), Is.EqualTo(expected.BitsPerByte).Within(1e-3));
    }

    [Test]
    public void Tokens_are_shown_only_where_they_are_asked_for()
    {
        Assert.That(MtxRun.Of("score", "x = 1", "--json").Json.GetProperty("scores")[0].GetProperty("token_scores").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(MtxRun.Of("score", "x = 1").Out, Does.StartWith("log probability").And.Not.Contain("\" =\""));
        Assert.That(MtxRun.Of("score", "x = 1", "--tokens").Out, Does.Contain("\" =\"").And.Contain("rank").And.Not.Contain("likeliest"));
    }

    [Test]
    public void A_long_file_is_read_in_windows_and_progress_goes_to_standard_error()
    {
        string file = Path.Combine(Folders.Scratch(), "long.py");
        File.WriteAllText(file, string.Concat(Enumerable.Range(0, 120).Select(i => $"x{i} = {i}\n")));
        JsonElement few = MtxRun.Of("score", "--file", file, "--window", "64", "--stride", "64", "--json").Json.GetProperty("scores")[0];
        JsonElement much = MtxRun.Of("score", "--file", file, "--window", "64", "--stride", "16", "--json").Json.GetProperty("scores")[0];
        Assert.That(few.GetProperty("tokens").GetInt32(), Is.EqualTo(much.GetProperty("tokens").GetInt32()).And.GreaterThan(512));
        Assert.That(few.GetProperty("perplexity").GetDouble(), Is.GreaterThan(much.GetProperty("perplexity").GetDouble()), "less context");
        Assert.That((few.GetProperty("file").GetString(), few.GetProperty("text").ValueKind), Is.EqualTo((file, JsonValueKind.Null)));
        Assert.That(few.GetProperty("bytes").GetInt64(), Is.EqualTo(new FileInfo(file).Length));
        int tokens = few.GetProperty("tokens").GetInt32();
        Assert.That(MtxRun.OnTerminal("score", "--file", file).Error, Does.Contain($"{tokens} of {tokens} tokens").And.EndsWith("\e[K"));
    }

    [Test]
    public void A_context_is_not_scored_and_several_texts_are_ranked_after_it()
    {
        JsonElement[] ranked = [.. MtxRun.Of("score", "--context", "import numpy as", " pd", " np", "--json").Json.GetProperty("scores").EnumerateArray()];
        Assert.That(ranked.Select(one => one.GetProperty("text").GetString()), Is.EqualTo(new[] { " np", " pd" }));
        MtxRun alone = MtxRun.WithInput("import numpy as\n", "score", " np", "--context", "-", "--json");
        Assert.That(alone.Json.GetProperty("context").GetString(), Is.EqualTo("import numpy as"));
        Assert.That(alone.Json.GetProperty("scores")[0].GetProperty("tokens").GetInt32(), Is.EqualTo(1));
        Assert.That(alone.Json.GetProperty("scores")[0].GetProperty("log_probability").GetDouble(),
            Is.EqualTo(ranked[0].GetProperty("log_probability").GetDouble()).Within(1e-4));
    }

    [Test]
    public void Terminals_get_colours_and_control_characters_are_shown()
    {
        string terminal = MtxRun.OnTerminal("score", "x\e\n", "--tokens").Out;
        Assert.That(terminal, Does.Contain("\\n").And.Contain("\\u001B"));
        Assert.That(MtxRun.Of("score", "x\n", "--tokens").Out, Does.Not.Contain("\e"));
    }

    [Test]
    public void Quantized_weights_give_nearly_the_same_likelihood_and_fewer_bits_another_one()
    {
        string[][] weights = [[], ["--weights", "AS-STORED"], ["--weights", "int8"], ["--weights", "int8", "--quantize-head"], ["--weights", "int4"]];
        double[] found = [.. weights.Select(options => MtxRun.Of(["score", "def add(a, b):\n    return a + b\n", "--json", .. options])
            .Json.GetProperty("scores")[0].GetProperty("log_probability").GetDouble())];
        Assert.That(found[1], Is.EqualTo(found[0]));
        Assert.That(found[2], Is.EqualTo(found[0]).Within(0.5).And.Not.EqualTo(found[0]));
        Assert.That(found[3], Is.EqualTo(found[0]).Within(0.5).And.Not.EqualTo(found[2]));
        Assert.That(found[4], Is.EqualTo(found[0]).Within(3).And.Not.EqualTo(found[0]).And.Not.EqualTo(found[2]));
    }

    [TestCase("'int5' not recognized", "score", "x", "--weights", "int5")]
    [TestCase("--quantize-head needs --weights", "score", "x", "--quantize-head")]
    [TestCase("--quantize-head needs --weights", "score", "x", "--quantize-head", "--weights", "as-stored")]
    [TestCase("no option --weights", "tokenize", "x", "--weights", "int8")]
    public void Wrong_formats_of_weights_give_exit_code_2(string says, params string[] args)
    {
        MtxRun run = MtxRun.Of(args);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Contain(says));
    }

    [TestCase("score")]
    [TestCase("score", "x", "--file", "f")]
    [TestCase("score", "x", "y")]
    [TestCase("score", "x", "y", "--context", "c", "--tokens")]
    [TestCase("score", "x", "--window", "1")]
    [TestCase("score", "x", "--window", "8", "--stride", "9")]
    [TestCase("score", "x", "--stride", "0")]
    [TestCase("score", "x", "--top-k", "0")]
    [TestCase("score", "-", "--context", "-")]
    public void Contradictory_options_give_exit_code_2(params string[] args) => Assert.That(MtxRun.WithInput("x", args).ExitCode, Is.EqualTo(2));

    [TestCase("0 characters", "score", "")]
    [TestCase("single token", "score", "x", "--no-begin-of-text")]
    [TestCase("512 tokens (n_positions)", "score", "x", "--window", "513")]
    [TestCase("the window 512", "score", "x", "--stride", "600")]
    [TestCase("gives no probability of a text; CodeGenForCausalLM, ", "score", "x", "--model", "demo-fill-mask")]
    [TestCase("no-such-file", "score", "--file", "no-such-file")]
    public void What_cannot_be_scored_gives_exit_code_3(string says, params string[] args)
    {
        MtxRun run = MtxRun.Of(args);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain(says));
    }
}
