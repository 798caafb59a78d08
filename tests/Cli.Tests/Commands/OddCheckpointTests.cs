using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Checkpoints as people publish them: with tensors of a training run, or the names of a wrapped model.</summary>
[TestFixture]
internal sealed class OddCheckpointTests
{
    private const string Go = "outcome := rand.Intn(6) + 1";

    [TestCase("", "loss_fct.weight", "loss_fct.weight in model.safetensors is [6]")]
    [TestCase("", "num_batches_tracked", "num_batches_tracked in model.safetensors is []")]
    [TestCase("_orig_mod.", "", "begin with _orig_mod.")]
    [TestCase("module.", "", "begin with module.")]
    public void It_runs_with_a_warning_that_names_what_is_odd_and_strictly_not(string prefix, string extra, string says)
    {
        string folder = Folders.Scratch(), demo = Path.Combine(Folders.Repository, "models", "demo-language-id");
        foreach (string file in new[] { "config.json", "tokenizer.json", "tokenizer_config.json" })
            File.Copy(Path.Combine(demo, file), Path.Combine(folder, file));
        using (SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(demo, "model.safetensors")))
            SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"),
                [.. weights.Weights.Values.Select(weight => TensorEntry.Create(weight, prefix + weight.Name)), .. Extra(extra)]);

        MtxRun plain = MtxRun.Of("classify", Go), run = MtxRun.Of("classify", Go, "--model", folder),
            strict = MtxRun.Of("classify", Go, "--model", folder, "--strict");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((0, plain.Out)));
        Assert.That(run.Error, Does.StartWith("mtx: warning: ").And.Contain(says));
        Assert.That(plain.Error, Is.Empty);
        Assert.That((strict.ExitCode, strict.Out), Is.EqualTo((3, "")));
        Assert.That(strict.Error, Does.Contain(says).And.Not.Contain("warning"));
    }

    private static IEnumerable<TensorEntry> Extra(string name) => name switch
    {
        "" => [],
        "num_batches_tracked" => [TensorEntry.Create(name, [], new long[] { 7 })],
        _ => [TensorEntry.Create(name, [6], new float[6])],
    };
}
