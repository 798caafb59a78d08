namespace ManagedTransformers.Serving.Tests;

/// <summary>The C# sample of docs/corpora.md, compiled and run. tests/Cli.Tests runs its command.</summary>
public sealed class CorpusDocumentTests : DocumentTest
{
    [Test]
    public void The_sample_classifies_a_corpus()
    {
        // sample
        using var classifier = TextClassificationPipeline.Load("models/demo-language-id");
        string results = Directory.CreateTempSubdirectory().FullName;

        using var job = CorpusJob.Open("samples/texts.jsonl", results, CorpusTask.Classify(classifier), new CorpusOptions { IdField = "name" });
        CorpusTotals totals = job.Run(workers: 2);
        Console.WriteLine($"{totals.Texts} texts, {totals.SetAside} set aside");
        // end
        Assert.That(Output.ToString(), Is.EqualTo($"3 texts, 1 set aside{Environment.NewLine}"));
        job.Dispose();
        Directory.Delete(results, recursive: true);
    }

    [Test]
    public void The_sample_is_that_of_the_document() => DocumentSamples.AssertSame("docs/corpora.md");
}
