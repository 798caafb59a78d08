using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class ForwardCommandTests
{
    [TestCase("bert-pretraining", "prediction_logits", "seq_relationship_logits", "loss")]
    [TestCase("codegen-mono", "logits", "hidden_states.0", "attentions.0", "past_key_values.0.key", "past_key_values.0.value")]
    [TestCase("codegen-base-head-mask-inputs-embeds", "last_hidden_state")]
    [TestCase("bert-embed", "pooler_output")]
    public void Outputs_are_written_under_the_reference_names(string name, params string[] outputs)
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        MtxRun run = MtxRun.Of("forward", "--model", Folders.Case(name), "--inputs",
            Path.Combine(Folders.Case(name), "expected.safetensors"), "--output", file);
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.ExitCode, Is.Zero);
        using SafetensorsFile written = SafetensorsFile.Open(file);
        using SafetensorsFile expected = SafetensorsFile.Open(Path.Combine(Folders.Case(name), "expected.safetensors"));
        foreach (string output in outputs)
        {
            Assert.That(written.Weights[output].ShapeText, Is.EqualTo(expected.Weights[output].ShapeText), output);
            Assert.That(written.Weights[output].Type, Is.EqualTo(ElementType.F32), output);
        }
    }

    [Test]
    public void The_schema_is_stable()
    {
        string file = Path.Combine(Folders.Scratch(), "out.safetensors");
        JsonElement json = MtxRun.Of("forward", "--model", Folders.Case("bert-rerank"), "--inputs",
            Path.Combine(Folders.Case("bert-rerank"), "expected.safetensors"), "--output", file, "--json").Json;
        Assert.That(MtxRun.Names(json), Is.EqualTo(new[] { "architecture", "output", "outputs" }));
        Assert.That(json.GetProperty("architecture").GetString(), Is.EqualTo("BertForSequenceClassification"));
        Assert.That(MtxRun.Names(json.GetProperty("outputs")[0]), Is.EqualTo(new[] { "name", "shape" }));
    }

    [Test]
    public void An_id_outside_the_vocabulary_gives_exit_code_3_and_writes_nothing()
    {
        string folder = Folders.Scratch();
        (string input, string output) = (Path.Combine(folder, "in.safetensors"), Path.Combine(folder, "out.safetensors"));
        byte[] ids = new byte[2 * sizeof(long)];
        BitConverter.TryWriteBytes(ids, 123_456L);
        SafetensorsWriter.Write(input, [TensorEntry.Create(new Weight("input_ids", ElementType.I64, [1, 2], ids))]);

        MtxRun run = MtxRun.Of("forward", "--model", Folders.Case("roberta-mlm"), "--inputs", input, "--output", output, "--json");

        Assert.That(run.ExitCode, Is.EqualTo(3));
        JsonElement error = run.Json.GetProperty("error");
        Assert.That(MtxRun.Names(error), Is.EqualTo(new[] { "type", "message" }));
        Assert.That(error.GetProperty("type").GetString(), Is.EqualTo("ModelInputException"));
        Assert.That(run.Error, Does.Contain("123456"));
        Assert.That(File.Exists(output), Is.False);
    }

    [Test]
    public void A_truncated_file_of_inputs_gives_exit_code_3()
    {
        string input = Path.Combine(Folders.Scratch(), "in.safetensors");
        File.WriteAllBytes(input, File.ReadAllBytes(Path.Combine(Folders.Case("roberta-mlm"), "expected.safetensors"))[..200]);
        MtxRun run = MtxRun.Of("forward", "--model", Folders.Case("roberta-mlm"), "--inputs", input, "--output", input + ".out");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.StartWith("mtx: ").And.Not.Contain("   at "));
    }

    [Test]
    public void Without_a_model_or_inputs_the_exit_code_is_2()
    {
        Assert.That(MtxRun.Of("forward", "--inputs", "x", "--output", "y").ExitCode, Is.EqualTo(2));
        Assert.That(MtxRun.Of("forward", "--model", Folders.Case("roberta-mlm"), "--output", "y").ExitCode, Is.EqualTo(2));
    }
}
