using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Pipelines over checkpoints that are stored quantized: the default options load them, and they say what quantizing while loading makes them say.</summary>
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
        Dictionary<string, ReadOnlyMemory<byte>> files = Directory.GetFiles(_stored).ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
        using var body = FeatureExtractionPipeline.FromFiles(files);
        using var loadedBody = FeatureExtractionPipeline.Load(TestData.Model("demo-language-id"), AtLoad(WeightFormat.Int8));
        Assert.That(body.Extract("x = 1").ToArray(), Is.EqualTo(loadedBody.Extract("x = 1").ToArray()));
    }

    [Test]
    public void An_inspection_tells_the_matrices_and_what_they_take()
    {
        Convert("demo-fill-mask", WeightFormat.Int8);
        CheckpointInspection plain = CheckpointInspection.Of(TestData.Model("demo-fill-mask")), quantized = CheckpointInspection.Of(_stored);
        Assert.That((quantized.Architecture, quantized.Parameters, quantized.Problems), Is.EqualTo((plain.Architecture, plain.Parameters, plain.Problems)));
        Assert.That(quantized.Tensors.Select(tensor => (tensor.Name, string.Join(',', tensor.Shape), tensor.Elements)),
            Is.EquivalentTo(plain.Tensors.Select(tensor => (tensor.Name, string.Join(',', tensor.Shape), tensor.Elements))));
        InspectedTensor matrix = quantized.Tensors.Single(tensor => tensor.Name == "lm_head.dense.weight");
        Assert.That((matrix.Format, matrix.Type, matrix.Bytes), Is.EqualTo(("Int8", ElementType.U8, matrix.Elements / 32 * 34)));
        // What the plain checkpoint would take in Int8 is what this one takes.
        Assert.That(quantized.Memory, Is.EqualTo(plain.Memory.Where(memory => memory.Format == "Int8")).And.Exactly(1).Items);
    }

    [Test]
    public void The_memory_that_an_inspection_tells_is_what_the_loaded_model_holds(
        [Values("demo-codegen", "demo-fill-mask", "demo-language-id")] string model, [Values] WeightFormat format, [Values] bool head)
    {
        CheckpointInspection inspection = CheckpointInspection.Of(TestData.Model(model));
        MemoryEstimate estimate = inspection.Memory.Single(memory => memory.Format == (format == WeightFormat.AsStored ? "F16" : $"{format}"));
        bool hasHead = model == "demo-codegen" && format != WeightFormat.AsStored;            // the others have none, or the table of embeddings
        Assert.That(estimate.BytesWithHead, hasHead ? Is.LessThan(estimate.Bytes) : Is.Null);
        long held = BytesHeld(TestData.Model(model), format, head && format != WeightFormat.AsStored);
        Assert.That(held, Is.EqualTo(head ? estimate.BytesWithHead ?? estimate.Bytes : estimate.Bytes));
    }

    [TestCase(64, true)]
    [TestCase(96, true)]                                   // rows of 96 are no whole pairs of blocks; those of the feed-forward block's 128 are
    [TestCase(64, false)]
    public void The_memory_of_heads_and_odd_rows_is_told_as_the_loader_holds_them(int hidden, bool knowsClass)
    {
        var config = new BertConfig { VocabSize = 40, HiddenSize = hidden, NumHiddenLayers = 1, NumAttentionHeads = 4, IntermediateSize = 128, MaxPositionEmbeddings = 16, TieWordEmbeddings = false };
        string source = Path.Combine(_stored, "source");
        using (BertForMaskedLM model = PretrainedModels.FromConfig<BertForMaskedLM>(config, seed: 7)) model.Save(source);
        foreach (MemoryEstimate estimate in CheckpointInspection.Of(knowsClass ? source : Path.Combine(source, "model.safetensors")).Memory.Where(memory => memory.Format.StartsWith("Int", StringComparison.Ordinal)))
        {
            WeightFormat format = Enum.Parse<WeightFormat>(estimate.Format);
            Assert.That(estimate.Bytes, Is.EqualTo(BytesHeld(source, format, head: false)));
            Assert.That(estimate.BytesWithHead ?? estimate.Bytes, Is.EqualTo(BytesHeld(source, format, head: true)));
            Assert.That(estimate.BytesWithHead, hidden == 64 ? Is.Not.Null : Is.Null);
        }
    }

    /// <summary>What the weights take in a model that is loaded from a checkpoint as it is, or quantized: stored quantized they are held as loading would have quantized them.</summary>
    private long BytesHeld(string source, WeightFormat format, bool head)
    {
        string converted = Path.Combine(_stored, "converted");
        if (format != WeightFormat.AsStored)
            CheckpointConverter.Convert(source, converted, new ConversionOptions { WeightFormat = format, QuantizeHead = head, Overwrite = true });
        using PretrainedModel model = PretrainedModels.Load(format == WeightFormat.AsStored ? source : converted);
        return model.Weights.Sum(weight => weight.ByteLength);
    }

    private void Convert(string model, WeightFormat format) =>
        CheckpointConverter.Convert(TestData.Model(model), _stored, new ConversionOptions { WeightFormat = format });

    private static PipelineOptions AtLoad(WeightFormat format) => new() { Load = new LoadOptions { WeightFormat = format } };
}
