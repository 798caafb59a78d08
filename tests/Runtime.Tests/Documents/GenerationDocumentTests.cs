using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The C# samples of docs/generation.md, compiled and run.</summary>
public sealed class GenerationDocumentTests : DocumentTest
{
    [Test]
    public async Task Sample_1_fills_a_gap_with_a_further_file()
    {
        TextWriter console = Console.Out;
        using var written = new StringWriter();
        Console.SetOut(written);
        try
        {
            await FillAsync();
        }
        finally
        {
            Console.SetOut(console);
        }
        Assert.That(written.ToString(), Does.Contain("return"));
    }

    [Test]
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/generation.md");

    [Test]
    public void Every_sample_compiles_as_it_is_shown() => SampleCompiler.AssertCompiles("docs/generation.md");

    private static async Task FillAsync()
    {
        // sample
        using var generator = TextGenerator.Load("models/demo-codegen");
        var request = new InfillRequest(prefix: "def sub(a, b):\n    return ", suffix: "\n")
        {
            Path = "sub.py", Files = [("add.py", "def add(a, b):\n    return a + b\n")],
        };
        await foreach (TextPiece piece in generator.StreamInfillAsync(request))
            Console.Write(piece.Text);
        // end
    }
}
