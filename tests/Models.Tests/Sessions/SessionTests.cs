using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class SessionTests(string family)
{
    private static readonly int[] Prompt = [5, 17, 3, 22, 9, 30, 11, 2, 8, 14];

    private DecoderForCausalLM NewModel() => DecoderFamilies.Model(family, positions: 24);

    [Test]
    public void Cached_and_uncached_runs_agree_wherever_the_prompt_is_cut([Range(1, 9)] int cut)
    {
        using DecoderForCausalLM model = NewModel();
        using Session whole = model.CreateSession();
        using Session parts = model.CreateSession();
        FloatTensor expected = model.Forward(Prompt, whole).Logits;
        model.Forward(Prompt.AsSpan(0, cut), parts);
        FloatTensor found = model.Forward(Prompt.AsSpan(cut), parts).Logits;
        for (int i = 0; i < found.Shape[1]; i++)
            Assert.That(found.Row(i).ToArray(), Is.EqualTo(expected.Row(cut + i).ToArray()).Within(1e-4));
        Assert.That(parts.Cache!.Length(0), Is.EqualTo(Prompt.Length));
    }

    [Test]
    public void A_step_gives_the_logits_that_the_whole_run_gives()
    {
        using DecoderForCausalLM model = NewModel();
        using Session whole = model.CreateSession();
        using Session steps = model.CreateSession();
        FloatTensor expected = model.Forward(Prompt, whole).Logits;
        model.Forward(Prompt.AsSpan(0, 1), steps);
        for (int i = 1; i < Prompt.Length; i++)
            Assert.That(model.Step([Prompt[i]], [0], steps).ToArray(), Is.EqualTo(expected.Row(i).ToArray()).Within(1e-4));
    }

    [Test]
    public void What_follows_after_truncating_is_what_follows_the_tokens_that_are_left([Values(0, 1, 6)] int kept)
    {
        using DecoderForCausalLM model = NewModel();
        using Session truncated = model.CreateSession();
        using Session fresh = model.CreateSession();
        model.Forward(Prompt, truncated);
        truncated.Cache!.Truncate(0, kept);
        Assert.That((truncated.Cache.Length(0), truncated.Cache.Columns), Is.EqualTo((kept, kept)));
        if (kept > 0)
            model.Forward(Prompt.AsSpan(0, kept), fresh);
        float[] expected = model.Forward([7, 1], fresh).Logits.ToArray();
        Assert.That(model.Forward([7, 1], truncated).Logits.ToArray(), Is.EqualTo(expected).Within(3e-6 * expected.Max(Math.Abs)));
        Assert.That(() => truncated.Cache.Truncate(0, kept + 3),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains($"holds {kept + 2} tokens"));
        Assert.That(() => truncated.Cache.Truncate(1, 0), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Keys_and_values_of_one_session_seed_another()
    {
        using DecoderForCausalLM model = NewModel();
        using Session first = model.CreateSession();
        using Session second = model.CreateSession();
        CausalLMOutput output = model.Forward(Prompt.AsSpan(0, 6), first, new ForwardOptions { OutputPastKeyValues = true });
        second.Cache!.Load(output.PastKeyValues!);
        float[] expected = model.Forward(Prompt.AsSpan(6), first).Logits.ToArray();
        Assert.That(model.Forward(Prompt.AsSpan(6), second).Logits.ToArray(), Is.EqualTo(expected));
    }

    [Test]
    public void Past_key_values_of_the_wrong_shape_are_refused()
    {
        using DecoderForCausalLM model = NewModel();
        using Session session = model.CreateSession();
        var wrong = new FloatTensor("past_key_values.0.key", 1, 4, 3, 9);
        Assert.That(() => session.Cache!.Load([(wrong, wrong), (wrong, wrong), (wrong, wrong)]),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("[1, 4, 3, 9]"));
        Assert.That(() => session.Cache!.Load([(wrong, wrong)]), Throws.TypeOf<ModelInputException>().With.Message.Contains("1 layers"));
    }

    [Test]
    public void A_batch_padded_on_the_left_gives_each_row_what_it_gives_alone([Values] bool computePadding)
    {
        using DecoderForCausalLM model = NewModel();
        int[][] rows = [[5, 17, 3, 22, 9], [30, 11], [2]];
        using Session together = model.CreateSession(new SessionOptions { BatchSize = 3 });
        ModelInputs padded = ModelInputs.OfBatch(rows, padTokenId: 0, padLeft: true);
        var inputs = new ModelInputs(3, 5)
        {
            InputIds = padded.InputIds, AttentionMask = padded.AttentionMask, PositionIds = [0, 1, 2, 3, 4, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0],
        };
        FloatTensor logits = model.Forward(inputs, together, new ForwardOptions { ComputePadding = computePadding }).Logits;
        for (int row = 0; row < 3; row++)
        {
            using Session alone = model.CreateSession();
            FloatTensor expected = model.Forward(rows[row], alone).Logits;
            for (int i = 0; i < rows[row].Length; i++)
                Assert.That(logits.Row(row * 5 + 5 - rows[row].Length + i).ToArray(), Is.EqualTo(expected.Row(i).ToArray()).Within(1e-5));
        }
        if (!computePadding)
            Assert.That(logits.Row(5).ToArray(), Is.All.Zero);
    }

    [Test]
    public void Left_out_padding_does_not_count_in_the_next_step()
    {
        using DecoderForCausalLM model = NewModel();
        using Session together = model.CreateSession(new SessionOptions { BatchSize = 2 });
        ModelInputs padded = ModelInputs.OfBatch([[5, 17, 3], [30]], padLeft: true);
        model.Forward(new ModelInputs(2, 3) { InputIds = padded.InputIds, AttentionMask = padded.AttentionMask, PositionIds = [0, 1, 2, 1, 1, 0] }, together);
        float[] found = model.Step([11], [1], together).ToArray();          // the first row has left the batch
        using Session alone = model.CreateSession();
        model.Forward([30], alone);
        Assert.That(found, Is.EqualTo(model.Step([11], [0], alone).ToArray()).Within(1e-5));
        Assert.That((together.Cache!.Length(0), together.Cache.Length(1)), Is.EqualTo((3, 2)));
    }

    [Test]
    public void Attentions_to_what_was_read_have_zeros_where_padding_was_left_out()
    {
        using DecoderForCausalLM model = NewModel();
        using Session together = model.CreateSession(new SessionOptions { BatchSize = 2 }), alone = model.CreateSession();
        ModelInputs padded = ModelInputs.OfBatch([[5, 17, 3], [30]], padLeft: true);
        model.Forward(new ModelInputs(2, 3) { InputIds = padded.InputIds, AttentionMask = padded.AttentionMask, PositionIds = [0, 1, 2, 1, 1, 0] }, together);
        var asked = new ForwardOptions { OutputAttentions = true };
        FloatTensor found = model.Forward(new ModelInputs(2, 2) { InputIds = [4, 6, 4, 6], PositionIds = [3, 4, 1, 2] }, together, asked).Attentions![1];
        model.Forward([30], alone);
        FloatTensor expected = model.Forward([4, 6], alone, asked).Attentions![1];
        Assert.That(found.Shape.ToArray(), Is.EqualTo(new[] { 2, 4, 2, 5 }));
        for (int i = 0; i < 8; i++)
            Assert.That(found.Row(8 + i).ToArray(), Is.EqualTo((float[])[0, 0, .. expected.Row(i)]).Within(1e-6));
    }

    [Test]
    public void Selected_logits_are_those_rows_of_all_logits()
    {
        using DecoderForCausalLM model = NewModel();
        using Session session = model.CreateSession();
        FloatTensor all = model.Forward(Prompt, session).Logits;
        session.Cache!.Clear();
        FloatTensor some = model.Forward(Prompt, session, new ForwardOptions { LogitsAt = [(0, 9), (0, 2)] }).Logits;
        Assert.That(some.Shape.ToArray(), Is.EqualTo(new[] { 2, 40 }));
        Assert.That(some.Row(0).ToArray(), Is.EqualTo(all.Row(9).ToArray()).Within(1e-5));
        Assert.That(some.Row(1).ToArray(), Is.EqualTo(all.Row(2).ToArray()).Within(1e-5));
    }

    [Test]
    public void A_decode_step_allocates_nothing()
    {
        using DecoderForCausalLM model = NewModel();
        using Session session = model.CreateSession();
        model.Forward([3], session);
        int[] token = [4], sequence = [0];
        for (int i = 0; i < 8; i++)
            model.Step(token, sequence, session);
        Assert.That(Allocations.Of(() => model.Step(token, sequence, session)), Is.Zero);
    }

    [Test]
    public void A_session_refuses_a_second_thread_and_another_model()
    {
        using DecoderForCausalLM model = NewModel();
        using DecoderForCausalLM other = NewModel();
        using Session session = model.CreateSession();
        Assert.That(() => other.Forward(Prompt, session), Throws.InvalidOperationException.With.Message.Contains("another model"));
        Exception? second = null;
        var meanwhile =
            new Intervention(model.Paths.Layer(0), _ => second = Assert.Catch(() => Task.Run(() => model.Forward(Prompt, session)).GetAwaiter().GetResult()));
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = [], Interventions = [meanwhile] });
        model.Forward(Prompt, session);
        Assert.That(second, Is.InstanceOf<InvalidOperationException>().With.Message.Contains("one thread"));
    }

    [Test]
    public void A_model_disposed_during_a_pass_lets_the_pass_finish()
    {
        string directory = Directory.CreateTempSubdirectory("models-").FullName;
        try
        {
            using (DecoderForCausalLM saved = NewModel())
                saved.Save(directory);
            DecoderForCausalLM model = (DecoderForCausalLM)PretrainedModels.Load(directory);
            using Session session = model.CreateSession();
            float[] expected = model.Forward(Prompt, session).Logits.ToArray();
            session.Cache!.Clear();
            using ActivationTrace trace =
                session.Trace(new TraceOptions { Names = [], Interventions = [new Intervention(model.Paths.Layer(0), _ => model.Dispose())] });
            Assert.That(model.Forward(Prompt, session).Logits.ToArray(), Is.EqualTo(expected));
            Assert.That(() => model.Forward(Prompt, session), Throws.TypeOf<ObjectDisposedException>());
            Assert.That(() => model.CreateSession(), Throws.TypeOf<ObjectDisposedException>());
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void Sessions_on_two_threads_give_what_one_gives()
    {
        using DecoderForCausalLM model = NewModel();
        using Session first = model.CreateSession();
        float[] expected = model.Forward(Prompt, first).Logits.ToArray();
        float[][] found = new float[16][];
        Parallel.For(0, found.Length, i =>
        {
            using Session session = model.CreateSession();
            found[i] = model.Forward(Prompt, session).Logits.ToArray();
        });
        Assert.That(found, Is.All.EqualTo(expected));
    }
}
