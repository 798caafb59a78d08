namespace ManagedTransformers.Serving.Tests;

/// <summary>The C# samples of docs/serving.md, compiled and run.</summary>
public sealed class ServingDocumentTests : DocumentTest
{
    [Test]
    public async Task Sample_1_generates_piece_by_piece()
    {
        // sample
        using var generator = TextGenerator.Load("models/demo-codegen");
        await using var engine = new GenerationEngine(generator);

        var request = new GenerationRequest(generator.Encode("def add(a, b):\n")) { Options = new GenerationOptions { MaxNewTokens = 32 } };
        await foreach (GenerationUpdate update in engine.StreamAsync(request))
            Console.Write(update.Piece.Text);
        // end
        Assert.That(Output.ToString(), Is.EqualTo(generator.Generate("def add(a, b):\n", request.Options)));
    }

    [Test]
    public async Task Sample_2_embeds_for_two_callers()
    {
        // sample
        using var pipeline = SentenceEmbeddingPipeline.Load("models/demo-embed");
        await using var engine = new EncoderEngine([pipeline]);

        string[] texts = ["Sort a list.", "Read a file."];
        IReadOnlyList<TextEmbedding>[] results = await Task.WhenAll(texts.Select(text => engine.EmbedAsync([text])));
        int tokens = results.Sum(result => result[0].Tokens);
        // end
        Assert.That(tokens, Is.EqualTo(texts.Sum(text => pipeline.Tokenizer.EncodeToIds(text).Length)));
    }

    [Test]
    public async Task Sample_3_tags_with_one_of_several_models()
    {
        // sample
        await using var host = new ModelHost(new ModelHostOptions
        {
            Models = ["models/demo-embed", "models/demo-tag", "models/demo-codegen"],
            MemoryBytes = 200_000_000,
        });

        using ModelLease model = await host.AcquireAsync("demo-tag");
        IReadOnlyList<IReadOnlyList<Entity>> entities = await model.Encoder!.TagAsync(["Mail ada@example.org."]);
        // end
        Assert.That(entities, Has.Count.EqualTo(1));
    }

    [Test]
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/serving.md");
}
