using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class InspectCommandTests
{
    [Test]
    public void A_demo_model_has_its_published_size_and_a_tokenizer_that_fits()
    {
        MtxRun run = MtxRun.Of("inspect", "demo-codegen", "--json");
        Assert.That(run.ExitCode, Is.Zero);
        JsonElement json = run.Json;
        Assert.That(MtxRun.Names(json), Is.EqualTo(new[] { "directory", "architecture", "parameters", "bytes", "max_tokens", "dtypes", "tokenizer", "problems", "config", "tensors" }));
        Assert.That(json.GetProperty("architecture").GetString(), Is.EqualTo("CodeGenForCausalLM"));
        Assert.That(json.GetProperty("parameters").GetInt64(), Is.EqualTo(7_355_904));
        Assert.That(json.GetProperty("bytes").GetInt64(), Is.EqualTo(2 * 7_355_904));
        Assert.That(json.GetProperty("tokenizer").GetProperty("fits").GetBoolean(), Is.True);
        Assert.That(json.GetProperty("config").GetProperty("n_embd").GetInt32(), Is.EqualTo(256));
        Assert.That(MtxRun.Names(json.GetProperty("tensors")[0]), Is.EqualTo(new[] { "name", "dtype", "shape", "elements", "bytes", "file", "read" }));
    }

    [Test]
    public void People_see_architecture_parameters_and_tensors()
    {
        MtxRun run = MtxRun.Of("inspect", Folders.Case("codegen-bf16-sharded"));
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("CodeGenForCausalLM").And.Contain("BF16").And.Contain("transformer.h.0.attn.qkv_proj.weight").And.Match("tokenizer +none"));
    }

    [Test]
    public void A_tokenizer_of_another_model_is_a_problem_and_gives_exit_code_1()
    {
        string copy = Folders.CopyOfCase("roberta-mlm");
        File.Copy(Path.Combine(Folders.Tokenizer("roberta-code-8k"), "tokenizer.json"), Path.Combine(copy, "tokenizer.json"));
        MtxRun run = MtxRun.Of("inspect", copy, "--json");
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Json.GetProperty("tokenizer").GetProperty("fits").GetBoolean(), Is.False);
        Assert.That(run.Json.GetProperty("problems")[0].GetString(), Does.Contain("vocab_size"));
    }

    [Test]
    public void An_architecture_that_is_unknown_is_shown_and_gives_exit_code_1()
    {
        string copy = Folders.CopyOfCase("bert-embed");
        string config = Path.Combine(copy, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("BertModel", "LlamaForCausalLM", StringComparison.Ordinal));
        MtxRun run = MtxRun.Of("inspect", copy);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Out, Does.Contain("cannot run").And.Contain("LlamaForCausalLM").And.Contain("embeddings.word_embeddings.weight"));
    }

    [Test]
    public void A_folder_without_weights_gives_exit_code_3()
    {
        MtxRun run = MtxRun.Of("inspect", Folders.Scratch());
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("model.safetensors"));
    }
}
