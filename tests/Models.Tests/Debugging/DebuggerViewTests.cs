using ManagedTransformers.Kernels;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

/// <summary>What a debugger shows of tensors, weights, caches, sessions and models.</summary>
public sealed class DebuggerViewTests
{
    private CodeGenForCausalLM _model = null!;

    [OneTimeSetUp]
    public void Make() => _model = PretrainedModels.FromConfig<CodeGenForCausalLM>(
        new CodeGenConfig { VocabSize = 40, NEmbd = 32, NLayer = 3, NHead = 4, RotaryDim = 4, NPositions = 64, InitializerRange = 0.4 }, seed: 7);

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [Test]
    public void A_matrix_shows_its_range_and_opens_to_rows()
    {
        var x = new FloatTensor([1, -2, 3.25f, 0, 0.5f, 6], "x", 2, 3);
        Assert.That(DebuggerReader.Display(x), Is.EqualTo("x [2, 3] min -2 max 6 mean 1.458"));
        Assert.That(DebuggerReader.Open(x)[^2..], Is.EqualTo(new[] { "row 0: 1 -2 3.25", "row 1: 0 0.5 6" }));
        Assert.That(DebuggerReader.Property(DebuggerReader.Items(x)[1], "Values"), Is.EqualTo(new[] { 0, 0.5f, 6 }));
        Assert.That(DebuggerReader.Property(DebuggerReader.Items(x)[1], "TopIfLogits"), Is.Null);
    }

    [Test]
    public void Rows_of_more_axes_are_labelled_with_their_index()
    {
        var x = new FloatTensor([.. Enumerable.Range(0, 24).Select(i => (float)i)], "attentions.0", 1, 3, 4, 2);
        string[] rows = [.. DebuggerReader.Items(x).Select(DebuggerReader.Display)];
        Assert.That(rows, Has.Length.EqualTo(12));
        Assert.That(rows[0], Is.EqualTo("[0, 0, 0]: 0 1"));
        Assert.That(rows[9], Is.EqualTo("[0, 2, 1]: 18 19"));
    }

    [Test]
    public void Numbers_that_are_none_are_counted_and_left_out_of_the_range()
    {
        Assert.That(DebuggerReader.Display(new FloatTensor([1, float.NaN, 3, float.NegativeInfinity, float.PositiveInfinity], "x", 5)),
            Is.EqualTo("x [5] min 1 max 3 mean 2, 1 NaN, 2 infinite"));
        Assert.That(DebuggerReader.Display(new FloatTensor([float.NaN, float.NaN], "x", 2)), Is.EqualTo("x [2] 2 NaN"));
    }

    [Test]
    public void A_tensor_of_one_number_shows_it_and_one_of_none_shows_its_shape()
    {
        Assert.That(DebuggerReader.Display(new FloatTensor([2.5f], "loss", 1)), Is.EqualTo("loss [1] = 2.5"));
        Assert.That(DebuggerReader.Open(new FloatTensor([2.5f], "scalar"))[^1], Is.EqualTo("values: 2.5"));
        foreach (int[] shape in (int[][])[[0, 4], [4, 0], [0]])
        {
            var empty = new FloatTensor("empty", shape);
            Assert.That(DebuggerReader.Display(empty), Is.EqualTo($"empty [{string.Join(", ", shape)}]"));
            Assert.That(DebuggerReader.Items(empty), Is.Empty);
        }
    }

    [Test]
    public void A_row_as_wide_as_a_vocabulary_opens_to_the_likeliest_tokens()
    {
        var logits = new FloatTensor("logits", 1, 2, 1001);
        logits.Row(1)[700] = 10;
        logits.Row(1)[3] = 9;
        object row = DebuggerReader.Items(logits)[1];
        // e^10 / (e^10 + e^9 + 999) = 0.7076
        Assert.That(DebuggerReader.Display(row), Is.EqualTo("[0, 1]: 0 0 0 9 0 0 0 0 …"));
        Assert.That(DebuggerReader.Open(DebuggerReader.Property(row, "TopIfLogits")!)[..3],
            Is.EqualTo(new[] { "700: 0.7076 (logit 10)", "3: 0.2603 (logit 9)", "0: 0.0000 (logit 0)" }));
        logits.Row(1)[5] = float.NaN;
        Assert.That(DebuggerReader.Property(row, "TopIfLogits"), Is.Empty);
    }

    [Test]
    public void Many_rows_open_in_ranges()
    {
        var x = new FloatTensor("hidden_states.0", 1, 25_000, 2);
        x.Row(12_345).Fill(7);
        object[] tenThousands = DebuggerReader.Items(x);
        Assert.That(tenThousands.Select(DebuggerReader.Display),
            Is.EqualTo(new[] { "[0, 0] … [0, 9999]", "[0, 10000] … [0, 19999]", "[0, 20000] … [0, 24999]" }));
        object[] hundreds = DebuggerReader.Items(tenThousands[1]);
        Assert.That(DebuggerReader.Display(hundreds[23]), Is.EqualTo("[0, 12300] … [0, 12399]"));
        Assert.That(DebuggerReader.Display(DebuggerReader.Items(hundreds[23])[45]), Is.EqualTo("[0, 12345]: 7 7"));
    }

    [Test]
    public void Of_very_many_numbers_the_first_are_looked_at()
    {
        var x = new FloatTensor("x", 5, 1_000_000);
        x.Span[^1] = 9;
        Assert.That(DebuggerReader.Display(x), Is.EqualTo("x [5, 1000000] min 0 max 0 mean 0 (of the first 4194304)"));
        long before = GC.GetAllocatedBytesForCurrentThread();
        DebuggerReader.Open(x);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1_000_000), "bytes; the tensor has 20,000,000");
    }

    [Test]
    public void A_cache_shows_the_norms_of_keys_and_values_head_by_head()
    {
        using Session session = _model.CreateSession(new SessionOptions { MaxLength = 8, BatchSize = 2, KeyValueType = WeightType.F16 });
        KeyValueCache cache = session.Cache!;
        Assert.That(DebuggerReader.Display(cache), Is.EqualTo("3 layers, 4 heads of 8, F16: 0 + 0 of 2 × 8 tokens"));
        FloatTensor keys = new("key", 2, 4, 2, 8), values = new("value", 2, 4, 2, 8);
        // sequence 0, head 0: keys of lengths 5 and 1, values of 0 and 2
        (keys.Span[0], keys.Span[1], keys.Span[8], values.Span[15]) = (3, 4, 1, 2);
        cache.Load([(keys, values), (keys, keys), (values, values)]);
        Assert.That(DebuggerReader.Open(cache), Is.EqualTo(
            new[] { "Lengths System.Int32[]", "layer 0: 2 + 2 of 2 × 8 tokens", "layer 1: 2 + 2 of 2 × 8 tokens", "layer 2: 2 + 2 of 2 × 8 tokens" }));
        object[] heads = DebuggerReader.Items(DebuggerReader.Items(cache)[0]);
        Assert.That(heads, Has.Length.EqualTo(8));
        Assert.That(DebuggerReader.Display(heads[0]), Is.EqualTo("sequence 0, head 0: key norms 3 (1 … 5), value norms 1 (0 … 2)"));
        Assert.That(DebuggerReader.Display(heads[7]), Is.EqualTo("sequence 1, head 3: key norms 0 (0 … 0), value norms 0 (0 … 0)"));
        Assert.That(DebuggerReader.Property(heads[0], "KeyNorms"), Is.EqualTo(new[] { 5f, 1 }));
    }

    [Test]
    public void A_session_shows_what_it_holds_and_that_it_was_disposed()
    {
        Session session = _model.CreateSession(new SessionOptions { Kernels = new KernelOptions { Level = KernelLevel.Portable, MaxThreads = 2 } });
        Assert.That(DebuggerReader.Display(session), Is.EqualTo("CodeGenForCausalLM, 0 of 64 tokens, workspace 0 B, Portable, 2 threads, idle"));
        string during = "", workspace = "";
        string[] rented = [];
        var look = new Intervention("transformer.h.0.attn", _ =>
        {
            during = DebuggerReader.Display(session);
            workspace = DebuggerReader.Display(DebuggerReader.Property(session, "Workspace"));
            rented = [.. DebuggerReader.Items(DebuggerReader.Property(session, "Workspace")!).Cast<FloatTensor>().Select(tensor => tensor.Name)];
        });
        using (session.Trace(new TraceOptions { Names = [], Interventions = [look] }))
            _model.Forward([1, 2, 3], session);
        Assert.That(during, Does.EndWith("running"));
        Assert.That(rented, Does.Contain("transformer.h.0.attn.qkv_proj").And.Contain("transformer.h.0.attn.context"));
        Assert.That(workspace, Does.Match(@"^\d+ of \d+ tensors in use, \d+(\.\d)? KB$"));
        Assert.That(DebuggerReader.Display(session),
            Does.StartWith("CodeGenForCausalLM, 3 of 64 tokens, workspace ").And.EndsWith("KB, Portable, 2 threads, idle"));
        Assert.That(session.Cache!.Columns, Is.EqualTo(3), "looking changed nothing");
        session.Dispose();
        Assert.That(DebuggerReader.Display(session), Is.EqualTo("CodeGenForCausalLM, disposed"));
        Assert.That(DebuggerReader.Property(session, "State"), Is.EqualTo("disposed"));
        Assert.That(() => DebuggerReader.Open(session), Throws.Nothing);
    }

    [Test]
    public void A_model_shows_its_sizes_and_its_weights_until_it_is_disposed()
    {
        using var directory = new TemporaryDirectory();
        _model.Save(directory.Path);
        var model = PretrainedModels.Load<CodeGenForCausalLM>(directory.Path);
        // wte 40·32, lm_head 40·32 + 40, ln_f 2·32, layers 3 · (ln_1 2·32, qkv 96·32, out 32·32, fc_in 128·32 + 128, fc_out 32·128 + 32)
        Assert.That(DebuggerReader.Display(model),
            Is.EqualTo("CodeGenForCausalLM: 3 layers of 32, 4 heads, vocabulary 40, at most 64 tokens, 40.2 K parameters"));
        Assert.That(DebuggerReader.Property(model, "Parameters"),
            Is.EqualTo(40 * 32 + 40 * 32 + 40 + 64 + 3 * (64 + 96 * 32 + 32 * 32 + 128 * 32 + 128 + 32 * 128 + 32)));
        Assert.That(DebuggerReader.Property(model, "StoredAs"), Is.EqualTo("F32: 40.2 K"));
        Assert.That(DebuggerReader.Display(model.Config), Is.EqualTo("codegen: 3 layers of 32, 4 heads, vocabulary 40, at most 64 tokens"));

        Weight weight = model.Weights.Single(one => one.Name == "transformer.h.1.mlp.fc_in.weight");
        object[] rows = DebuggerReader.Items(DebuggerReader.Items(weight)[1]);             // rows 100 … 127
        Assert.That(DebuggerReader.Display(weight), Is.EqualTo("transformer.h.1.mlp.fc_in.weight F32 [128, 32]"));
        Assert.That(DebuggerReader.Property(rows[27], "Values"), Is.EqualTo(weight.ToSingle()[^32..]));

        model.Dispose();
        Assert.That(DebuggerReader.Display(model), Does.EndWith("parameters, disposed"));
        Assert.That(DebuggerReader.Property(weight, "State"), Is.EqualTo("disposed"));
        Assert.That(DebuggerReader.Property(rows[27], "Values"), Is.Empty);
        Assert.That(DebuggerReader.Display(rows[27]), Is.EqualTo("row 127:  …"));
    }

    [Test]
    public void Inputs_and_outputs_say_their_shapes()
    {
        using Session session = _model.CreateSession();
        CausalLMOutput output = _model.Forward(ModelInputs.Of([1, 2, 3]), session, new ForwardOptions { OutputHiddenStates = true, OutputAttentions = true });
        Assert.That(DebuggerReader.Display(output), Is.EqualTo("logits [1, 3, 40], 4 hidden states, 3 attentions"));
        Assert.That(DebuggerReader.Display(ModelInputs.Of([1, 2, 3])), Is.EqualTo("1 × 3 tokens"));
    }
}
