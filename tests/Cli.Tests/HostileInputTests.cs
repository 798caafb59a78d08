using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

/// <summary>What careless and hostile users give: a message and exit code 3, never a crash or a wrong answer.</summary>
[TestFixture]
internal sealed class HostileInputTests
{
    private static readonly long[] Ids = [1, 5, 2, 1, 6, 2];

    private static IEnumerable<TestCaseData> BadInputs()
    {
        yield return Bad("attention_mask", [3, 2], [1, 1, 1, 1, 1, 0], "attention_mask is [3, 2]; the inputs' shape [2, 3]");
        yield return Bad("attention_mask", [6], [1, 1, 1, 1, 1, 1], "attention_mask is [6]");
        yield return Bad("token_type_ids", [3, 2], new long[6], "token_type_ids is [3, 2]");
        yield return Bad("position_ids", [3, 2], new long[6], "position_ids is [3, 2]");
        yield return Bad("labels", [3, 2], new long[6], "labels is [3, 2]; a first axis of 2");
        yield return Bad("labels", [6], new long[6], "labels is [6]");
        yield return Bad("labels", [1, 3], new long[3], "labels is [1, 3]");
        yield return Bad("next_sentence_label", [7], new long[7], "next_sentence_label is [7]");
    }

    [TestCaseSource(nameof(BadInputs))]
    public void Inputs_of_another_shape_are_refused(TensorEntry tensor, string says) =>
        AssertForwardRefused(says, TensorEntry.Create("input_ids", [2, 3], Ids), tensor);

    [Test]
    public void Numbers_that_no_id_can_be_are_refused() => AssertForwardRefused(
        "U64 number", new TensorEntry("input_ids", ElementType.U64, [1, 1], Enumerable.Repeat((byte)0xFF, 8).ToArray()));

    [Test]
    public void Embeddings_of_no_width_make_no_cache() => AssertForwardRefused(
        "inputs_embeds is [20000000, 5, 0]", TensorEntry.Create("inputs_embeds", [20_000_000, 5, 0], ReadOnlyMemory<float>.Empty));

    [Test]
    public void A_reference_without_outputs_does_not_pass()
    {
        MtxRun run = Verify(tensors => tensors.RemoveAll(tensor => tensor.Name != "input_ids"));
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("holds inputs only"));
    }

    [TestCase(9999L)]
    [TestCase(-1L)]
    [TestCase(1L << 32)]
    public void Rows_outside_a_tensor_are_named(long row)
    {
        MtxRun run =
            Verify(tensors => tensors.AddRange([TensorEntry.Create("rows", [1], new[] { row }), TensorEntry.Create("logits.rows", [1, 1], new float[1])]));
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("rows").And.Contain($"{row}"));
    }

    [Test]
    public void A_reference_in_float64_is_compared_with_the_tolerance()
    {
        MtxRun run = Verify(tensors =>
        {
            TensorEntry logits = tensors.Single(tensor => tensor.Name == "logits");
            using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Folders.Case("codegen-f16"), "expected.safetensors"));
            byte[] wide = [.. file.Weights["logits"].ToSingle().SelectMany(value => BitConverter.GetBytes((double)value))];
            tensors[tensors.IndexOf(logits)] = new TensorEntry("logits", ElementType.F64, logits.Shape, wide);
        });
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.ExitCode, Is.Zero);
    }

    [TestCase("""{"seed":1,"dtype":"F32","tensors":[null]}""", "an entry of tensors is null")]
    [TestCase("""{"seed":1,"dtype":"F32","tensors":[{"name":"a","shape":[100000000000000],"center":0,"half_width":1}]}""", "400000000000000 bytes")]
    public void A_bad_specification_of_weights_is_refused_before_anything_is_written(string json, string says)
    {
        string copy = Folders.CopyOfCase("codegen-f16");
        File.WriteAllText(Path.Combine(copy, "weights.json"), json);
        MtxRun run = MtxRun.Of("verify", copy);
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain(says));
    }

    [Test]
    public void The_first_line_of_jsonl_that_is_not_utf8_is_named()
    {
        string file = Path.Combine(Folders.Scratch(), "texts.jsonl");
        File.WriteAllBytes(file, [.. "\"a\"\n\"b"u8, 0xFF, .. "\"\n"u8]);
        MtxRun run = MtxRun.Of("tokenize", "--jsonl", file);
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain($"{file}, line 2 is not UTF-8: the byte after 2 characters"));
    }

    [Test]
    public void A_file_to_infill_that_is_not_utf8_is_refused()
    {
        string file = Path.Combine(Folders.Scratch(), "code.py");
        File.WriteAllBytes(file, [(byte)'a', 0xE9, .. "<cursor>b"u8]);
        MtxRun run = MtxRun.Of("infill", file);
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain($"{file} is not UTF-8: the byte after 1 characters"));
    }

    [Test]
    public void Standard_input_that_is_not_utf8_is_refused()
    {
        using var input = new StreamReader(new MemoryStream([(byte)'a', 0xFF]), Utf8Input.Encoding);
        MtxRun run = MtxRun.RunAsync(input, terminal: false, CancellationToken.None, "tokenize", "-").GetAwaiter().GetResult();
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("Standard input is not UTF-8"));
    }

    [Test]
    public void Output_that_cannot_be_written_gives_exit_code_3_and_is_reported_on_standard_error()
    {
        using var error = new StringWriter();
        var console = new CliConsole(TextReader.Null, new StreamWriter(new FullDisk()), error);
        console.Out.Write("a result");
        Assert.That(console.Close(ExitCodes.Ok), Is.EqualTo(ExitCodes.BadInput));
        Assert.That(error.ToString(), Does.Contain("Standard output cannot be written: full"));
    }

    [Test]
    public void An_error_that_cannot_be_written_keeps_its_exit_code()
    {
        var console = new CliConsole(TextReader.Null, TextWriter.Null, new StreamWriter(new FullDisk()) { AutoFlush = true });
        Assert.That(ErrorReport.Write(new UsageException("wrong"), console, json: false), Is.EqualTo(ExitCodes.Usage));
    }

    [TestCase("\uFEFF{\"model_type\": \"bert\"}", "bert")]
    [TestCase("", null)]
    [TestCase("""{"model_type": "bert", "q": "\ud800"}""", null)]
    public void Inspect_tells_a_config_that_cannot_be_read(string config, string? modelType)
    {
        string copy = Folders.CopyOfCase("bert-embed");
        File.WriteAllText(Path.Combine(copy, "config.json"), config);
        MtxRun run = MtxRun.Of("inspect", copy, "--json");
        Assert.That(run.ExitCode, Is.EqualTo(1));
        System.Text.Json.JsonElement read = run.Json.GetProperty("config");
        Assert.That(read.ValueKind == System.Text.Json.JsonValueKind.Null ? null : read.GetProperty("model_type").GetString(), Is.EqualTo(modelType));
    }

    [Test]
    public void Inspect_shows_no_config_from_outside_the_directory()
    {
        string copy = Folders.CopyOfCase("bert-embed"), outside = Path.Combine(Path.GetDirectoryName(copy)!, "outside.json");
        File.WriteAllText(outside, """{"secret": 1}""");
        File.Delete(Path.Combine(copy, "config.json"));
        File.CreateSymbolicLink(Path.Combine(copy, "config.json"), outside);
        MtxRun run = MtxRun.Of("inspect", copy, "--json");
        Assert.That(run.Out, Does.Not.Contain("secret").And.Contain("outside the directory"));
        Assert.That(run.ExitCode, Is.EqualTo(1));
    }

    private static TestCaseData Bad(string name, long[] shape, long[] values, string says) =>
        new TestCaseData(TensorEntry.Create(name, shape, values), says).SetArgDisplayNames(says);

    private static void AssertForwardRefused(string says, params TensorEntry[] tensors)
    {
        string inputs = Path.Combine(Folders.Scratch(), "in.safetensors"), output = Path.ChangeExtension(inputs, ".out");
        SafetensorsWriter.Write(inputs, tensors);
        string model = tensors[0].Name == "inputs_embeds" ? "codegen-f16" : "bert-pretraining";
        MtxRun run = MtxRun.Of("forward", "--model", Folders.Case(model), "--inputs", inputs, "--output", output);
        Assert.That(run.Error, Does.Contain(says));
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(File.Exists(output), Is.False);
    }

    /// <summary>Verifies a copy of a case whose reference was changed.</summary>
    private static MtxRun Verify(Action<List<TensorEntry>> change)
    {
        string copy = Folders.CopyOfCase("codegen-f16"), expected = Path.Combine(copy, "expected.safetensors"), changed = Path.Combine(copy, "changed");
        using (SafetensorsFile file = SafetensorsFile.Open(expected))
        {
            List<TensorEntry> tensors = [.. file.Weights.Values.Select(weight => TensorEntry.Create(weight))];
            change(tensors);
            SafetensorsWriter.Write(changed, tensors);
        }
        File.Move(changed, expected, overwrite: true);
        return MtxRun.Of("verify", copy);
    }

    private sealed class FullDisk : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("full");

        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("full");

        public override void Flush()
        {
            // Nothing was taken.
        }
    }
}
