using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>
/// Pipelines over checkpoints that are stored quantized: the default options load them, and they say what quantizing while loading makes them say.
/// </summary>
public sealed class QuantizedPipelineTests
{
    private string _stored = "";

    [SetUp]
    public void CreateDirectory() => _stored = Directory.CreateTempSubdirectory("mt-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_stored, recursive: true);

    [Test]
    public void A_generator_writes_the_same_text_and_takes_the_same_saved_session()
    {
        const string Prompt = "def add(a, b):\n";
        var options = new GenerationOptions { MaxNewTokens = 12 };
        string saved = Path.Combine(_stored, "session");
        Convert("demo-codegen", WeightFormat.Int4);
        using var loaded = TextGenerator.Load(TestData.Model("demo-codegen"), AtLoad(WeightFormat.Int4));
        using var stored = TextGenerator.Load(_stored);
        Assert.That(stored.Generate(Prompt, options), Is.EqualTo(loaded.Generate(Prompt, options)).And.Not.Empty);

        using GenerationSession session = loaded.CreateSession();
        session.Generate(Prompt, options);
        session.Save(saved);
        using GenerationSession goesOn = stored.CreateSession();
        goesOn.Load(saved);
        Assert.That(goesOn.TokenIds, Is.EqualTo(session.TokenIds).And.Not.Empty);
        using var plain = TextGenerator.Load(TestData.Model("demo-codegen"));
        using GenerationSession other = plain.CreateSession();
        Assert.That(() => other.Load(saved), Throws.TypeOf<CheckpointException>().With.Message.Contains("another model"));
    }

    [Test]
    public void Encoders_score_alike_also_from_bytes_and_without_their_head()
    {
        Convert("demo-language-id", WeightFormat.Int8);
        using (var loaded = TextClassificationPipeline.Load(TestData.Model("demo-language-id"), AtLoad(WeightFormat.Int8)))
        using (var stored = TextClassificationPipeline.Load(_stored))
            Assert.That(stored.Classify("def f(x): return x"), Is.EqualTo(loaded.Classify("def f(x): return x")));
        Dictionary<string, ReadOnlyMemory<byte>> files = Directory.GetFiles(_stored)
            .ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
        using var body = FeatureExtractionPipeline.FromFiles(files);
        using var loadedBody = FeatureExtractionPipeline.Load(TestData.Model("demo-language-id"), AtLoad(WeightFormat.Int8));
        Assert.That(body.Extract("x = 1").ToArray(), Is.EqualTo(loadedBody.Extract("x = 1").ToArray()));
    }

    private void Convert(string model, WeightFormat format) =>
        CheckpointConverter.Convert(TestData.Model(model), _stored, new ConversionOptions { WeightFormat = format });

    private static PipelineOptions AtLoad(WeightFormat format) => new() { Load = new LoadOptions { WeightFormat = format } };
}
