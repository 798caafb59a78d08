using System.Text.Json;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class TraceCommandTests
{
    [Test]
    public void The_file_holds_what_the_patterns_name_and_says_what_it_is_of()
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        MtxRun run = MtxRun.Of("trace", "def add(a, b):", "x = ", "--names", "transformer.h.*", "--names", "**.probabilities", "--out", file);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.StartWith("CodeGenForCausalLM: 8 activations of 2 × 7 tokens written to "));

        using ActivationSet written = ActivationSet.Open(file);
        string[] layers = [.. Enumerable.Range(0, 4).SelectMany(n => new[] { $"transformer.h.{n}.attn.probabilities", $"transformer.h.{n}" })];
        Assert.That(written.Names, Is.EqualTo(layers), "execution order");
        Assert.That(written.Architecture, Is.EqualTo("CodeGenForCausalLM"));
        Assert.That(written.Tokens![0], Is.EqualTo(new[] { "def", " add", "(", "a", ",", " b", "):" }));
        Assert.That(written.AttentionMask![1], Is.EqualTo(Enumerable.Range(0, 7).Select(i => i < written.Tokens[1].Count ? 1 : 0)));
        Assert.That(written["transformer.h.3"].Shape.ToArray(), Is.EqualTo(new[] { 2, 7, 256 }));
    }

    [Test]
    public void The_schema_is_stable()
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        JsonElement json = MtxRun.Of("trace", "--ids", "313,5282,323", "--names", "lm_head", "--out", file, "--json").Json;
        Assert.That(MtxRun.Names(json), Is.EqualTo(new[] { "architecture", "output", "input_ids", "activations" }));
        Assert.That(MtxRun.Names(json.GetProperty("activations")[0]), Is.EqualTo(new[] { "name", "shape" }));
        Assert.That(json.GetProperty("input_ids").GetRawText(), Is.EqualTo("[[313,5282,323]]"));
    }

    [Test]
    public void Ids_need_no_tokenizer()
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        Assert.That(MtxRun.Of("trace", "--model", Folders.Case("roberta-mlm"), "--ids", "0,7,2", "--out", file).ExitCode, Is.Zero);
        using ActivationSet written = ActivationSet.Open(file);
        Assert.That((written.Tokens, written.InputIds![0][1]), Is.EqualTo(((IReadOnlyList<IReadOnlyList<string>>?)null, 7)));
    }

    [Test]
    public void A_pass_that_continues_from_a_cache_has_no_ids_that_could_be_run_alone()
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        using var model = PretrainedModels.Load<CodeGenForCausalLM>(Path.Combine(Folders.Repository, "models", "demo-codegen"));
        using Session session = model.CreateSession();
        model.Forward([5, 6], session);
        using ActivationTrace trace = session.Trace("lm_head");
        model.Forward([7], session);
        trace.Save(file);
        using ActivationSet written = ActivationSet.Open(file);
        Assert.That((written.InputIds, written.Names[0]), Is.EqualTo(((IReadOnlyList<IReadOnlyList<int>>?)null, "lm_head")));
    }

    [TestCase("--ids", "99999", "99999")]
    [TestCase("--ids", "-1", "-1")]
    [TestCase("--names", "transformer.h.77", "transformer.h.77")]
    public void What_the_model_lacks_gives_exit_code_3_and_writes_nothing(string option, string value, string says)
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        string[] input = option == "--ids" ? [] : ["--ids", "5"];
        MtxRun run = MtxRun.Of(["trace", $"{option}={value}", .. input, "--out", file]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.StartWith("mtx: ").And.Contain(says).And.Not.Contain("   at "));
        Assert.That(File.Exists(file), Is.False);
    }

    [Test]
    public void More_tokens_than_the_model_reads_are_refused()
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors"), ids = string.Join(',', Enumerable.Repeat(5, 5000));
        MtxRun run = MtxRun.Of("trace", "--ids", ids, "--out", file);
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("5000"));
    }

    [Test]
    public void A_file_that_exists_is_replaced_only_with_force()
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        File.WriteAllText(file, "mine");
        MtxRun refused = MtxRun.Of("trace", "x", "--names", "lm_head", "--out", file);
        Assert.That((refused.ExitCode, File.ReadAllText(file)), Is.EqualTo((3, "mine")));
        Assert.That(refused.Error, Does.Contain("--force"));
        Assert.That(MtxRun.Of("trace", "x", "--names", "lm_head", "--out", file, "--force").ExitCode, Is.Zero);
    }
}
