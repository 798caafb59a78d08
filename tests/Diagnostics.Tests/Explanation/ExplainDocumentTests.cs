using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Diagnostics.Tests;

/// <summary>The C# sample of docs/explain.md, compiled and run.</summary>
public sealed class ExplainDocumentTests : DocumentTest
{
    [Test]
    public void Sample_1_names_the_part_that_pushed_the_answer_most()
    {
        // sample
        using var explainer = ModelExplainer.Load("models/demo-codegen");
        ModelExplanation explanation = explainer.Explain("def add(a, b):\n    return a +");
        ExplainedPrediction next = explanation.Predictions[^1];                  // after the last token
        PartEffect strongest = next.Attribution.Effects.MaxBy(part => part.Effect)!;
        Console.WriteLine($"{next.Candidates[0].TokenText}: {strongest.Part} {strongest.Layer}.{strongest.Head} pushed it by {strongest.Effect:F2}");
        FloatTensor attention = explanation.Attentions[strongest.Layer];              // [heads, tokens, tokens]
        // end
        Assert.That(Output.ToString(), Does.StartWith(" b: Head 3.2 pushed it by "));
        Assert.That(attention.Shape.ToArray(), Is.EqualTo(new[] { 4, explanation.Tokens.Count, explanation.Tokens.Count }));
    }

    [Test]
    public void The_sample_is_that_of_the_document() => DocumentSamples.AssertSame("docs/explain.md");
}
