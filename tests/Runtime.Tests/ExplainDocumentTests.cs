using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The C# sample of docs/explain.md, compiled and run.</summary>
[NonParallelizable]
public sealed class ExplainDocumentTests
{
    private string _directory = "";
    private StringWriter _console = new();
    private TextWriter _realConsole = TextWriter.Null;

    [SetUp]
    public void RunInTheRepository()
    {
        (_directory, _realConsole, _console) = (Environment.CurrentDirectory, Console.Out, new StringWriter());
        Environment.CurrentDirectory = TestData.Root;
        Console.SetOut(_console);
    }

    [TearDown]
    public void GoBack()
    {
        Environment.CurrentDirectory = _directory;
        Console.SetOut(_realConsole);
        _console.Dispose();
    }

    [Test]
    public void Sample_1_names_the_part_that_pushed_the_answer_most()
    {
        // sample
        using var explainer = ModelExplainer.Load("models/demo-codegen");
        ModelExplanation explanation = explainer.Explain("def add(a, b):\n    return a +");
        ExplainedPrediction next = explanation.Predictions[^1];                  // after the last token
        PartEffect strongest = next.Attribution.Effects.MaxBy(part => part.Effect)!;
        Console.WriteLine($"{next.Candidates[0].TokenText}: {strongest.Part} {strongest.Layer}.{strongest.Head} pushed it by {strongest.Effect:F2}");
        Tensor attention = explanation.Attentions[strongest.Layer];              // [heads, tokens, tokens]
        // end
        Assert.That(_console.ToString(), Does.StartWith(" b: Head 3.2 pushed it by "));
        Assert.That(attention.Shape.ToArray(), Is.EqualTo(new[] { 4, explanation.Tokens.Count, explanation.Tokens.Count }));
    }

    [Test]
    public void The_sample_is_that_of_the_document() => DocumentSamples.AssertSame("docs/explain.md", "ExplainDocumentTests.cs");
}
