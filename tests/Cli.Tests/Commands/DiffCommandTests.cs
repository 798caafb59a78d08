using System.Text.Json;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class DiffCommandTests
{
    private const string Text = "def add(a, b):";

    [Test]
    public void A_model_agrees_with_the_activations_of_an_independent_implementation([Values("codegen-mono", "bert-pretraining", "roberta-mlm")] string name)
    {
        MtxRun run = MtxRun.Of("diff", Folders.Case(name), Reference(name));
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Match(@"(\d+) of \1 activations are the same").And.Not.Contain("DIFFERS").And.Not.Contain("only in"));
    }

    [TestCase("codegen-mono", "transformer.h.2.attn.heads", new[] { 1, 5, 3, 6 }, 2, 1, 5, 3, 6)]
    [TestCase("codegen-mono", "transformer.h.1.mlp.act", new[] { 0, 4, 200 }, 1, 0, null, 4, 200)]
    [TestCase("bert-pretraining", "bert.encoder.layer.1.attention.self.value", new[] { 0, 2, 37 }, 1, 0, 2, 2, 37)]
    [TestCase("roberta-mlm", "lm_head.dense", new[] { 1, 3, 11 }, null, 1, null, 3, 11)]
    public void An_element_that_an_intervention_changes_is_named(string name, string activation, int[] index, int? layer, int row,
        int? head, int token, int element)
    {
        string file = Path.Combine(Folders.Scratch(), "ours.safetensors");
        Save(name, file, new Intervention(activation, x => x.Span[Offset(x, index)] += 3));
        MtxRun run = MtxRun.Of("diff", file, Reference(name), "--json");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        JsonElement first = run.Json.GetProperty("first"), place = first.GetProperty("largest");
        Assert.That((first.GetProperty("name").GetString(), Number(first, "layer"), first.GetProperty("beyond").GetInt32()),
            Is.EqualTo((activation, layer, 1)));
        Assert.That(place.GetProperty("index").EnumerateArray().Select(x => x.GetInt32()), Is.EqualTo(index));
        Assert.That((Number(place, "row"), Number(place, "head"), Number(place, "token"), Number(place, "element")),
            Is.EqualTo(((int?)row, head, (int?)token, (int?)element)));
        Assert.That(place.GetProperty("ours").GetSingle() - place.GetProperty("theirs").GetSingle(), Is.EqualTo(3).Within(1e-3));
        Assert.That(first.GetProperty("first_beyond").GetRawText(), Is.EqualTo(place.GetRawText()));
    }

    [Test]
    public void A_head_that_is_taken_out_is_the_first_difference_with_its_tokens_by_name()
    {
        string folder = Folders.Scratch(), ours = Path.Combine(folder, "ours.safetensors"), theirs = Path.Combine(folder, "theirs.safetensors");
        Assert.That(MtxRun.Of("trace", Text, "--out", theirs).ExitCode, Is.Zero);
        SaveDemo(ours, theirs, Intervention.ZeroHead("transformer.h.2.attn", head: 1));
        MtxRun run = MtxRun.Of("diff", ours, theirs);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Out, Does.Contain("first difference: transformer.h.2.attn.heads, layer 2\n")
            .And.Contain("first    row 0, head 1, token 0 \"def\", element 0: ours 0, theirs "));
        Assert.That(run.Out, Does.Match(@"transformer\.h\.2\.attn\.probabilities .* ok\n").And.Match(@"transformer\.h\.2\.attn\.heads .* DIFFERS\n"));
    }

    [Test]
    public void A_probability_is_of_a_token_and_the_one_it_attends_to()
    {
        string folder = Folders.Scratch(), ours = Path.Combine(folder, "ours.safetensors"), theirs = Path.Combine(folder, "theirs.safetensors");
        Assert.That(MtxRun.Of("trace", Text, "--out", theirs).ExitCode, Is.Zero);
        SaveDemo(ours, theirs, new Intervention("transformer.h.1.attn.probabilities", x => x.Span[Offset(x, [0, 3, 5, 2])] = float.NaN));
        MtxRun run = MtxRun.Of("diff", ours, theirs);
        Assert.That(run.Out, Does.Contain("largest  row 0, head 3, token 5 \" b\", attending to token 2 \"(\": ours NaN, theirs "));
    }

    [Test]
    public void Padding_is_not_compared()
    {
        string file = Path.Combine(Folders.Scratch(), "ours.safetensors");
        Save("codegen-mono", file, new Intervention("transformer.h.2", x => x.Row(11).Fill(5)));         // row 1 has 4 tokens and 2 of padding
        Assert.That(MtxRun.Of("diff", file, Reference("codegen-mono")).ExitCode, Is.Zero);
    }

    [Test]
    public void Without_an_order_in_the_file_the_layers_give_it()
    {
        string file = Path.Combine(Folders.Scratch(), "ours.safetensors"), bare = Path.Combine(Folders.Scratch(), "bare.safetensors");
        Save("codegen-mono", file, Intervention.ZeroHead("transformer.h.0.attn", 3));
        using (SafetensorsFile full = SafetensorsFile.Open(file))
            SafetensorsWriter.Write(bare, [.. full.Weights.Values.Select(weight => TensorEntry.Create(weight))]);
        JsonElement named = MtxRun.Of("diff", file, Reference("codegen-mono"), "--json").Json,
            ordered = MtxRun.Of("diff", bare, Reference("codegen-mono"), "--json").Json;
        Assert.That(ordered.GetProperty("tensors").GetRawText(), Is.EqualTo(named.GetProperty("tensors").GetRawText()));
    }

    [Test]
    public void Another_shape_differs_and_what_only_one_has_does_not()
    {
        string folder = Folders.Scratch(), ours = Path.Combine(folder, "ours.safetensors"), theirs = Path.Combine(folder, "theirs.safetensors");
        SafetensorsWriter.Write(ours, [TensorEntry.Create("transformer.wte", [1, 2], new float[2]), TensorEntry.Create("lm_head", [2], new float[2]),
            TensorEntry.Create("a", [1], new float[1])]);
        SafetensorsWriter.Write(theirs, [TensorEntry.Create("transformer.wte", [2, 1], new float[2]), TensorEntry.Create("lm_head", [2], new float[2]),
            TensorEntry.Create("b", [1], new float[1])]);
        MtxRun run = MtxRun.Of("diff", ours, theirs);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Out, Does.Contain("DIFFERS: the shape is [1, 2]").And.Contain("only in OURS: a\n").And.Contain("only in THEIRS: b\n")
            .And.Contain("1 of 2 activations are the same"));
    }

    [Test]
    public void The_schema_is_stable()
    {
        string file = Path.Combine(Folders.Scratch(), "ours.safetensors");
        Save("roberta-mlm", file, Intervention.ZeroHead("roberta.encoder.layer.0.attention.self", 0));
        JsonElement json = MtxRun.Of("diff", file, Reference("roberta-mlm"), "--json").Json;
        Assert.That(MtxRun.Names(json), Is.EqualTo(new[] { "same", "tolerance", "ours", "theirs", "tensors", "first", "only_in_ours", "only_in_theirs" }));
        Assert.That(MtxRun.Names(json.GetProperty("tensors")[0]), Is.EqualTo(new[] { "name", "shape", "max_absolute", "max_relative", "passed", "note" }));
        Assert.That(MtxRun.Names(json.GetProperty("first")), Is.EqualTo(new[] { "name", "layer", "beyond", "elements", "largest", "first_beyond" }));
        Assert.That(MtxRun.Names(json.GetProperty("first").GetProperty("largest")),
            Is.EqualTo(new[] { "index", "row", "token", "token_text", "head", "key", "key_text", "element", "ours", "theirs" }));
    }

    private static IEnumerable<TestCaseData> BadFiles()
    {
        byte[] good = File.ReadAllBytes(Reference("codegen-mono"));
        yield return new TestCaseData(good[..1000], "The header claims").SetArgDisplayNames("cut in the header");
        yield return new TestCaseData(good[..^10], "is truncated").SetArgDisplayNames("cut in the data");
        yield return new TestCaseData(Array.Empty<byte>(), "0 bytes").SetArgDisplayNames("empty");
        yield return new TestCaseData(Written([], "lm_header"), "have no activation in common").SetArgDisplayNames("nothing in common");
        yield return new TestCaseData(Written(new() { ["input_ids"] = "[[1,2],[3]]" }), "input_ids in its metadata").SetArgDisplayNames("ragged ids");
        yield return new TestCaseData(Written(new() { ["names"] = "{" }), "names in its metadata").SetArgDisplayNames("names that are no JSON");
        yield return new TestCaseData(Written(new() { ["names"] = "[null]" }), "names in its metadata").SetArgDisplayNames("a name that is null");
        yield return new TestCaseData(Written(new() { ["attention_mask"] = "[[1]]" }), "different shapes").SetArgDisplayNames("a mask without ids");
        yield return new TestCaseData(Written(new() { ["input_ids"] = "[[1,2]]" }), "of different inputs").SetArgDisplayNames("other ids");
    }

    [TestCaseSource(nameof(BadFiles))]
    public void A_file_that_cannot_be_compared_gives_exit_code_3(byte[] bytes, string says)
    {
        string file = Path.Combine(Folders.Scratch(), "bad.safetensors");
        File.WriteAllBytes(file, bytes);
        foreach (string[] args in new[] { new[] { "diff", file, Reference("codegen-mono") }, ["diff", Reference("codegen-mono"), file] })
        {
            MtxRun run = MtxRun.Of(args);
            Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
            Assert.That(run.Error, Does.StartWith("mtx: ").And.Contain(says).And.Not.Contain("   at "));
        }
    }

    [TestCase("[[5,99999]]", "99999")]
    [TestCase("[[5,-1]]", "-1")]
    [TestCase(null, "does not say which token ids")]
    public void Ids_that_the_model_cannot_take_give_exit_code_3(string? ids, string says)
    {
        string file = Path.Combine(Folders.Scratch(), "theirs.safetensors");
        File.WriteAllBytes(file, Written(ids is null ? [] : new() { ["input_ids"] = ids }));
        MtxRun run = MtxRun.Of("diff", Folders.Case("codegen-mono"), file);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain(says));
    }

    [Test]
    public void A_model_of_another_family_has_none_of_the_activations()
    {
        MtxRun run = MtxRun.Of("diff", Folders.Case("bert-pretraining"), Reference("codegen-mono"), "--json");
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Json.GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("TraceException"));
    }

    [Test]
    public void Files_that_are_not_there_give_exit_code_3()
    {
        Assert.That(MtxRun.Of("diff", Reference("codegen-mono"), "/no/such.safetensors").ExitCode, Is.EqualTo(3));
        Assert.That(MtxRun.Of("diff", "/no/such.safetensors", Reference("codegen-mono")).ExitCode, Is.EqualTo(3));
        Assert.That(MtxRun.Of("diff", "/no/such/model", Reference("codegen-mono")).ExitCode, Is.EqualTo(3));
        Assert.That(MtxRun.Of("diff", Reference("codegen-mono"), Folders.Case("codegen-mono")).Error, Does.Contain("is a directory"));
    }

    /// <summary>What tools/reference/make_activations.py wrote: two rows of ids, the second padded.</summary>
    private static string Reference(string name) => Path.Combine(Folders.Repository, "tests", "data", "activations", $"{name}.safetensors");

    /// <summary>Runs a case on the reference's ids, with interventions.</summary>
    private static void Save(string name, string file, params Intervention[] interventions)
    {
        using PretrainedModel model = PretrainedModels.Load(Folders.Case(name));
        using ActivationSet theirs = ActivationSet.Open(Reference(name));
        Save(model, theirs, file, interventions);
    }

    private static void SaveDemo(string file, string theirsFile, params Intervention[] interventions)
    {
        using PretrainedModel model = PretrainedModels.Load(Path.Combine(Folders.Repository, "models", "demo-codegen"));
        using ActivationSet theirs = ActivationSet.Open(theirsFile);
        Save(model, theirs, file, interventions);
    }

    private static void Save(PretrainedModel model, ActivationSet theirs, string file, Intervention[] interventions)
    {
        var inputs = new ModelInputs(theirs.InputIds!.Count, theirs.InputIds[0].Count)
        {
            InputIds = [.. theirs.InputIds.SelectMany(row => row)],
            AttentionMask = theirs.AttentionMask is null ? null : [.. theirs.AttentionMask.SelectMany(row => row)],
        };
        using Session session = model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize });
        using ActivationTrace trace = session.Trace(new TraceOptions { Interventions = interventions });
        model.Forward(inputs, session, new ForwardOptions { ComputePadding = true });
        trace.Save(file);
    }

    /// <summary>A file with one activation of two tokens.</summary>
    private static byte[] Written(Dictionary<string, string> metadata, string name = "lm_head")
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, [TensorEntry.Create(name, [1, 2, 310], new float[620])], metadata);
        return stream.ToArray();
    }

    private static int Offset(FloatTensor tensor, int[] index)
    {
        int offset = 0;
        for (int axis = 0; axis < index.Length; axis++)
            offset = offset * tensor.Shape[axis] + index[axis];
        return offset;
    }

    private static int? Number(JsonElement json, string name) =>
        json.GetProperty(name) is { ValueKind: JsonValueKind.Number } number ? number.GetInt32() : null;
}
