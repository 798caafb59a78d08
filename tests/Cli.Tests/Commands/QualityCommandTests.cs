namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class QualityCommandTests
{
    private const string Code = "def add(a, b):\n    return a + b\n";

    [Test]
    public void Json_has_the_documented_form_and_the_librarys_numbers()
    {
        MtxRun run = MtxRun.WithInput(Code + "\n", "quality", "demo-codegen", "--against", "demo-codegen", "--text", "-", "--weights", "int4",
            "--quantize-head", "--window", "8", "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[]
        {
            "model", "weights", "quantize_head", "against", "tokens", "kl_divergence_mean", "kl_divergence_percentile99", "top1_agreement",
            "perplexity", "against_perplexity",
        }));
        Assert.That((run.Json.GetProperty("weights").GetString(), run.Json.GetProperty("quantize_head").GetBoolean()), Is.EqualTo(("int4", true)));
        using TextScorer stored = TextScorer.Load(ModelLocator.Demo(ModelLocator.Generator));
        var options = new ScoringOptions { Window = 8 };
        Assert.That(run.Json.GetProperty("against_perplexity").GetDouble(), Is.EqualTo(stored.Perplexity(Code, options)).Within(1e-3));
        Assert.That(run.Json.GetProperty("tokens").GetInt32(), Is.EqualTo(stored.Score(Code, options).TokenCount));
        Assert.That(run.Json.GetProperty("kl_divergence_mean").GetDouble(), Is.GreaterThan(0));
    }

    [Test]
    public void A_model_has_no_divergence_from_itself_and_progress_goes_to_standard_error()
    {
        string file = Path.Combine(Folders.Scratch(), "text.py");
        File.WriteAllText(file, Code);
        MtxRun run = MtxRun.OnTerminal("quality", "--model", "demo-codegen", "--against", "demo-codegen", "--text", file);
        Assert.That(run.Out, Does.Contain(" 0.00000 ").And.Contain(" 1.0000 ").And.Contain("as-stored"));
        Assert.That(run.Error, Does.Contain("14 of 14 tokens").And.EndsWith("\e[K"));
    }

    [TestCase("quality", "--against", "demo-codegen", "--text", "f")]
    [TestCase("quality", "demo-codegen", "--text", "f")]
    [TestCase("quality", "demo-codegen", "--against", "demo-codegen")]
    [TestCase("quality", "demo-codegen", "--model", "demo-codegen", "--against", "demo-codegen", "--text", "f")]
    [TestCase("quality", "demo-codegen", "--against", "demo-codegen", "--text", "f", "--window", "1")]
    public void A_wrong_command_line_gives_exit_code_2(params string[] args) => Assert.That(MtxRun.Of(args).ExitCode, Is.EqualTo(2));

    [TestCase("0 characters", "demo-codegen")]
    [TestCase("gives no probability of a text; CodeGenForCausalLM, ", "demo-fill-mask")]
    [TestCase("no directory no-such", "no-such")]
    public void What_cannot_be_compared_gives_exit_code_3(string says, string against)
    {
        MtxRun run = MtxRun.WithInput("", "quality", "demo-codegen", "--against", against, "--text", "-");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain(says));
    }
}
