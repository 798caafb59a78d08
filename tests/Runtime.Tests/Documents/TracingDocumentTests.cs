using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The C# samples of docs/tracing.md, compiled and run, and tracing of generation.</summary>
public sealed class TracingDocumentTests : DocumentTest
{
    [Test]
    public void Sample_1_keeps_activations()
    {
        string folder = Directory.CreateTempSubdirectory("mt-trace-").FullName;
        // sample
        using var model = PretrainedModels.Load<ICausalLM>("models/demo-codegen");
        using Session session = model.CreateSession();
        using ActivationTrace trace = session.Trace("transformer.h.*", "**.probabilities");
        model.Forward([313, 5282, 323], session);
        FloatTensor residual = trace["transformer.h.1"];                      // [batch, sequence, n_embd]
        FloatTensor attention = trace["transformer.h.1.attn.probabilities"];  // [batch, heads, sequence, past + sequence]
        trace.Save(Path.Combine(folder, "activations.safetensors"));     // safetensors.torch.load_file reads it
        // end
        Assert.That(residual.Shape.ToArray(), Is.EqualTo(new[] { 1, 3, model.Config.HiddenWidth }));
        Assert.That(attention.Shape.ToArray(), Is.EqualTo(new[] { 1, 4, 3, 3 }));
        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "activations.safetensors")))
            Assert.That(file.Weights["transformer.h.1"].ToSingle(), Is.EqualTo(residual.ToArray()));
        Directory.Delete(folder, recursive: true);
    }

    [Test]
    public void Sample_2_takes_TransformerLenss_names()
    {
        // sample
        using var model = PretrainedModels.Load<ICausalLM>("models/demo-codegen");
        using Session session = model.CreateSession();
        using ActivationTrace trace = session.Trace("blocks.*.attn.hook_pattern", "blocks.0.hook_resid_post", "transformer.h.*.attn.heads");
        model.Forward([313, 5282, 323], session);
        FloatTensor pattern = trace["blocks.0.attn.hook_pattern"];           // [batch, head, query_pos, key_pos]
        FloatTensor z = trace["blocks.0.attn.hook_z"];                       // [batch, pos, head, d_head], kept as transformer.h.0.attn.heads
        // end
        Assert.That(pattern.Shape.ToArray(), Is.EqualTo(new[] { 1, 4, 3, 3 }));
        Assert.That(z.Shape.ToArray(), Is.EqualTo(new[] { 1, 3, 4, 64 }));
    }

    [Test]
    public void Sample_3_changes_activations()
    {
        // sample
        using var model = PretrainedModels.Load<ICausalLM>("models/demo-codegen");
        float[] Scores(int[] ids, params Intervention[] interventions)
        {
            using Session session = model.CreateSession();
            using ActivationTrace trace = session.Trace(new TraceOptions { Names = [], Interventions = interventions });
            return model.Forward(ids, session).Logits.ToArray();
        }

        int[] clean = [313, 5282, 323], corrupted = [313, 5282, 1000];
        using Session other = model.CreateSession();
        using ActivationTrace cache = other.Trace("transformer.h.1");
        model.Forward(clean, other);

        float[] withoutHead = Scores(clean, Intervention.ZeroHead("transformer.h.0.attn", head: 2));
        float[] patched = Scores(corrupted, Intervention.Replace("transformer.h.1", cache["transformer.h.1"]));
        float[] scaled = Scores(clean, new Intervention("transformer.h.*.mlp", mlp => { foreach (ref float x in mlp.Span) x *= 0.5f; }));
        // end
        float[] expected = Scores(clean);
        Assert.That(withoutHead, Is.Not.EqualTo(expected));
        Assert.That(scaled, Is.Not.EqualTo(expected));
        Assert.That(Scores(corrupted), Is.Not.EqualTo(expected));
        Assert.That(patched, Is.EqualTo(expected), "the whole residual stream of the other run");
    }

    [TestCase("demo-codegen")]
    [TestCase("demo-fill-mask")]
    public void Every_name_of_TransformerLens_is_in_the_table(string model)
    {
        string document = File.ReadAllText(Path.Combine(TestData.Root, "docs", "tracing.md"));
        using PretrainedModel loaded = PretrainedModels.Load(Path.Combine(TestData.Root, "models", model));
        Assert.That(loaded.TransformerLensNames, Has.Count.GreaterThan(40));
        foreach (string name in loaded.TransformerLensNames.Keys)
        {
            // blocks.0.attn.hook_q stands there as blocks.N.attn.hook_q.
            string[] parts = name.Split('.', 3);
            Assert.That(document, Does.Contain(parts is ["blocks", _, string rest] ? $"`blocks.N.{rest}`" : $"`{name}`"));
        }
    }

    [Test]
    public void A_generation_session_is_traced_from_the_prompt_on()
    {
        using var generator = TextGenerator.Load("models/demo-codegen");
        using GenerationSession plain = generator.CreateSession(), traced = generator.CreateSession();
        var options = new GenerationOptions { MaxNewTokens = 6 };
        string expected = plain.Generate("def add(a, b):\n", options).Sequences[0].Text;
        using ActivationTrace trace = traced.Trace(new TraceOptions { Names = ["lm_head"] });
        Assert.That(traced.Generate("def add(a, b):\n", options).Sequences[0].Text, Is.EqualTo(expected));
        Assert.That(trace.Passes, Has.Count.GreaterThanOrEqualTo(6));
        Assert.That(trace.Passes.Skip(1).Select(pass => pass.InputIds!.Count), Is.All.EqualTo(1));
    }

    [Test]
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/tracing.md");
}
