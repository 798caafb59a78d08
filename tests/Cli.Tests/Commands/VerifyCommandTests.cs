using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class VerifyCommandTests
{
    [Test]
    public void All_reference_cases_pass_and_the_exit_code_is_0()
    {
        string models = Path.Combine(Folders.Reference, "models");
        int cases = Directory.GetDirectories(models).Length;
        Assert.That(cases, Is.GreaterThanOrEqualTo(62));
        MtxRun run = MtxRun.Of("verify", models);
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain($"{cases} of {cases} cases pass").And.Contain("codegen-mono (CodeGenForCausalLM)").And.Not.Contain("FAIL"));
    }

    [TestCase("Reference")]
    [TestCase("portable")]
    public void A_case_passes_at_a_level_that_the_option_names(string level)
    {
        MtxRun run = MtxRun.Of("verify", Folders.Case("roberta-mlm"), "--kernels", level, "--threads", "1", "--json");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Json.GetProperty("kernels").GetString(), Is.EqualTo(level).IgnoreCase);
    }

    [Test]
    public void One_changed_number_of_the_reference_gives_exit_code_1_and_names_the_tensor()
    {
        string copy = Folders.CopyOfCase("roberta-mlm");
        string expected = Path.Combine(copy, "expected.safetensors");
        byte[] bytes = File.ReadAllBytes(expected);
        (int begin, _) = DataOf(bytes, "logits");
        BitConverter.TryWriteBytes(bytes.AsSpan(begin), 12345f);
        File.WriteAllBytes(expected, bytes);

        MtxRun run = MtxRun.Of("verify", copy, Folders.Case("bert-embed"), "--json");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Json.GetProperty("passed").GetBoolean(), Is.False);
        JsonElement[] cases = [.. run.Json.GetProperty("cases").EnumerateArray()];
        Assert.That(cases.Select(c => c.GetProperty("passed").GetBoolean()), Is.EqualTo(new[] { false, true }));
        string?[] failed = [.. cases[0].GetProperty("tensors").EnumerateArray().Where(t => !t.GetProperty("passed").GetBoolean())
            .Select(t => t.GetProperty("name").GetString())];
        Assert.That(failed, Is.EqualTo(new[] { "logits" }));
    }

    [Test]
    public void A_tolerance_of_0_fails_where_the_last_bit_differs()
    {
        MtxRun run = MtxRun.Of("verify", Folders.Case("bert-embed"), "--tolerance", "0");
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Out, Does.Contain("0 of 1 cases pass").And.Contain("FAIL: largest at ["));
    }

    [Test]
    public void The_schema_is_stable()
    {
        JsonElement json = MtxRun.Of("verify", Folders.Case("bert-rerank"), "--json").Json;
        Assert.That(MtxRun.Names(json), Is.EqualTo(new[] { "passed", "kernels", "tolerance", "cases" }));
        JsonElement first = json.GetProperty("cases")[0];
        Assert.That(MtxRun.Names(first), Is.EqualTo(new[] { "name", "directory", "architecture", "passed", "tensors", "error" }));
        Assert.That(MtxRun.Names(first.GetProperty("tensors")[0]), Is.EqualTo(new[] { "name", "shape", "max_absolute", "max_relative", "passed", "note" }));
    }

    [Test]
    public void A_case_that_cannot_run_does_not_hide_the_others_and_gives_exit_code_3()
    {
        string copy = Folders.CopyOfCase("bert-embed");
        File.WriteAllText(Path.Combine(copy, "config.json"), "{");
        MtxRun run = MtxRun.Of("verify", copy, Folders.Case("bert-rerank"));
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Out, Does.Contain("1 of 2 cases pass"));
        Assert.That(run.Error, Does.Contain("config.json"));
    }

    [Test]
    public void Another_checkpoint_is_compared_with_a_case()
    {
        MtxRun same = MtxRun.Of("verify", Folders.Case("bert-embed"), "--model", Folders.Case("bert-embed"));
        MtxRun other = MtxRun.Of("verify", Folders.Case("bert-embed"), "--model", Folders.Case("roberta-mlm"));
        Assert.That((same.ExitCode, other.ExitCode), Is.EqualTo((0, 1)));
    }

    [Test]
    public void A_folder_without_cases_gives_exit_code_3()
    {
        MtxRun run = MtxRun.Of("verify", Folders.Scratch());
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("expected.safetensors"));
    }

    /// <summary>Where a tensor's bytes lie in a safetensors file.</summary>
    private static (int Begin, int End) DataOf(byte[] file, string tensor)
    {
        int header = (int)BitConverter.ToUInt64(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        JsonElement offsets = json.RootElement.GetProperty(tensor).GetProperty("data_offsets");
        return (8 + header + offsets[0].GetInt32(), 8 + header + offsets[1].GetInt32());
    }
}
