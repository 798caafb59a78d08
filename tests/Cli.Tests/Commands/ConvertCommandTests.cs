using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class ConvertCommandTests
{
    [Test]
    public void A_converted_checkpoint_gives_the_reference_outputs_and_the_names_of_today()
    {
        string target = Path.Combine(Folders.Scratch(), "converted");
        string source = Folders.Case("bert-pretraining-legacy-names");
        MtxRun run = MtxRun.Of("convert", source, target, "--json");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(MtxRun.Names(run.Json),
            Is.EqualTo(new[] { "source", "destination", "files", "copied", "tensors", "bytes", "renamed", "dropped", "quantized", "warnings" }));
        JsonElement renamed = run.Json.GetProperty("renamed");
        Assert.That(renamed.GetArrayLength(), Is.GreaterThan(0));
        Assert.That(renamed[0].GetProperty("from").GetString(), Does.EndWith("gamma").Or.EndWith("beta"));
        Assert.That(run.Json.GetProperty("copied").EnumerateArray().Select(name => name.GetString()), Does.Contain("config.json"));
        Assert.That(MtxRun.Of("verify", source, "--model", target).ExitCode, Is.Zero);
    }

    [Test]
    public void Floats_in_half_the_bytes_and_in_shards_still_run()
    {
        string target = Path.Combine(Folders.Scratch(), "half");
        MtxRun run = MtxRun.Of("convert", Folders.Case("codegen-mono"), target, "--dtype", "bf16", "--max-shard-size", "64KB");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Match(@"wrote \d+ tensors, .*: \d files and their index; read again and found equal"));
        Assert.That(File.ReadAllText(Path.Combine(target, "config.json")), Does.Contain("\"torch_dtype\": \"bfloat16\""));
        MtxRun inspected = MtxRun.Of("inspect", target, "--json");
        Assert.That(inspected.ExitCode, Is.Zero, inspected.Error);
        Assert.That(inspected.Json.GetProperty("dtypes")[0].GetProperty("dtype").GetString(), Is.EqualTo("BF16"));
    }

    [Test]
    public void Quantized_it_runs_as_it_is_and_is_shown_with_its_matrices()
    {
        string target = Path.Combine(Folders.Scratch(), "int4");
        MtxRun run = MtxRun.Of("convert", "demo-codegen", target, "--dtype", "int4", "--quantize-head");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Contain("quantized 17 matrices").And.Contain("read again and found equal"));
        MtxRun inspected = MtxRun.Of("inspect", target);
        Assert.That(inspected.Out,
            Does.Contain("20 F16 tensors, 17 Int4 tensors").And.Match(@"memory +Int4 7\.2 MB").And.Match(@"lm_head\.weight +Int4 +\[8192, 256\] +1\.2 MB"));
        string[] prompt = ["generate", "def hello_world():", "--max-new-tokens", "16"];
        MtxRun stored = MtxRun.Of([.. prompt, "--model", target]), loaded = MtxRun.Of([.. prompt, "--weights", "int4", "--quantize-head"]);
        Assert.That((stored.ExitCode, stored.Out), Is.EqualTo((0, loaded.Out)));
        MtxRun other = MtxRun.Of([.. prompt, "--model", target, "--weights", "int8"]);
        Assert.That(other.ExitCode, Is.EqualTo(3));
        Assert.That(other.Error, Does.Contain("stored as Int4").And.Contain("--weights"));
    }

    [Test]
    public void A_PyTorch_file_that_would_run_something_is_refused_by_name()
    {
        string folder = Folders.Scratch();
        File.Copy(Path.Combine(Folders.Repository, "tests", "data", "torch", "runs.bin"), Path.Combine(folder, "pytorch_model.bin"));
        MtxRun run = MtxRun.Of("convert", folder, Path.Combine(folder, "out"));
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("pytorch_model.bin: Its pickle asks for posix.system").And.Contain("nothing in the file was executed"));
        Assert.That(Directory.Exists(Path.Combine(folder, "out")), Is.False);
    }

    [Test]
    public void A_checkpoint_that_is_there_is_kept_without_force()
    {
        string copy = Folders.CopyOfCase("bert-embed");
        MtxRun refused = MtxRun.Of("convert", Folders.Case("roberta-mlm"), copy);
        Assert.That((refused.ExitCode, refused.Out), Is.EqualTo((3, "")));
        Assert.That(refused.Error, Does.Contain("holds a checkpoint already").And.Contain("--force"));
        Assert.That(MtxRun.Of("convert", Folders.Case("roberta-mlm"), copy, "--force").ExitCode, Is.Zero);
        Assert.That(File.ReadAllText(Path.Combine(copy, "config.json")), Does.Contain("roberta"));
    }

    [Test]
    public void On_a_terminal_there_are_bars_on_standard_error_only()
    {
        MtxRun run = MtxRun.OnTerminal("convert", Folders.Case("bert-embed"), Path.Combine(Folders.Scratch(), "out"));
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Does.Contain("writing").And.Contain("checking"));
        Assert.That(run.Out, Does.Not.Contain("writing"));
    }

    [TestCase("5GB", 5_000_000_000)]
    [TestCase("1.5MB", 1_500_000)]
    [TestCase("2KiB", 2048)]
    [TestCase("1GiB", 1 << 30)]
    [TestCase("500 MB", 500_000_000)]
    [TestCase("17", 17)]
    [TestCase("0", null)]
    [TestCase("-1MB", null)]
    [TestCase("5Gb", null)]                                // bits, to transformers
    [TestCase("GB", null)]
    [TestCase("", null)]
    [TestCase("999999999999GiB", null)]
    public void Sizes_are_those_of_transformers(string text, long? bytes) => Assert.That(ByteSize.Parse(text), Is.EqualTo(bytes));

    [TestCase("--max-shard-size", "5Gb", "--max-shard-size is \"5Gb\"")]
    [TestCase("--dtype", "int2", "int2")]
    [TestCase("--quantize-head", "--force", "--quantize-head needs --dtype int8 or int4")]
    [TestCase("--model", "demo-codegen", "convert takes SRC and DST")]
    public void A_wrong_option_is_an_error_of_the_command_line(string option, string value, string said)
    {
        MtxRun run = MtxRun.Of("convert", "a", "b", option, value);
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain(said));
    }
}
