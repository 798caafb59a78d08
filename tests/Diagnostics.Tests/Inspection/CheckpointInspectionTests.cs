using ManagedTransformers.Models;

namespace ManagedTransformers.Diagnostics.Tests;

/// <summary>What an inspection reports, against what loading does.</summary>
public sealed class CheckpointInspectionTests
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("mt-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void An_inspection_tells_the_matrices_and_what_they_take()
    {
        CheckpointConverter.Convert(TestData.Model("demo-fill-mask"), _directory, new ConversionOptions { WeightFormat = WeightFormat.Int8 });
        CheckpointInspection plain = CheckpointInspection.Of(TestData.Model("demo-fill-mask")), quantized = CheckpointInspection.Of(_directory);
        Assert.That((quantized.Architecture, quantized.Parameters, quantized.Problems), Is.EqualTo((plain.Architecture, plain.Parameters, plain.Problems)));
        Assert.That(quantized.Tensors.Select(tensor => (tensor.Name, string.Join(',', tensor.Shape), tensor.Elements)),
            Is.EquivalentTo(plain.Tensors.Select(tensor => (tensor.Name, string.Join(',', tensor.Shape), tensor.Elements))));
        InspectedTensor matrix = quantized.Tensors.Single(tensor => tensor.Name == "lm_head.dense.weight");
        Assert.That((matrix.Format, matrix.Type, matrix.Bytes), Is.EqualTo(("Int8", ElementType.U8, matrix.Elements / 32 * 34)));
        // What the plain checkpoint would take in Int8 is what this one takes; its tied head stays the table of embeddings.
        Assert.That(quantized.Memory, Is.EqualTo(new[] { new MemoryEstimate("Int8", plain.Memory.Single(memory => memory.Format == "Int8").Bytes) }));
    }

    [Test]
    public void The_memory_that_an_inspection_tells_is_what_the_loaded_model_holds(
        [Values("demo-codegen", "demo-fill-mask", "demo-language-id")] string model, [Values] WeightFormat format, [Values] bool head)
    {
        CheckpointInspection inspection = CheckpointInspection.Of(TestData.Model(model));
        MemoryEstimate estimate = inspection.Memory.Single(memory => memory.Format == (format == WeightFormat.AsStored ? "F16" : $"{format}"));
        // A head of its own shrinks; one that is the table of embeddings, [8192, 256], is held quantized in addition to it; language-id has none.
        int blockBytes = format == WeightFormat.Int8 ? 34 : 18;
        Assert.That(estimate.BytesWithHead, format == WeightFormat.AsStored || model == "demo-language-id" ? Is.Null
            : model == "demo-codegen" ? Is.LessThan(estimate.Bytes) : Is.EqualTo(estimate.Bytes + (8192 * 256 / 32 * blockBytes)));
        long held = BytesHeld(TestData.Model(model), format, head && format != WeightFormat.AsStored);
        // A converted file has a tied head as the table.
        Assert.That(held, Is.EqualTo(head && model == "demo-codegen" ? estimate.BytesWithHead ?? estimate.Bytes : estimate.Bytes));
    }

    [TestCase(64, true)]
    [TestCase(96, true)]                                   // rows of 96 are no whole pairs of blocks; those of the feed-forward block's 128 are
    [TestCase(64, false)]
    public void The_memory_of_heads_and_odd_rows_is_what_the_loader_holds(int hidden, bool knowsClass)
    {
        var config = new BertConfig
        {
            VocabSize = 40, HiddenSize = hidden, NumHiddenLayers = 1, NumAttentionHeads = 4, IntermediateSize = 128, MaxPositionEmbeddings = 16,
            TieWordEmbeddings = false,
        };
        string source = Path.Combine(_directory, "source");
        using (BertForMaskedLM model = PretrainedModels.FromConfig<BertForMaskedLM>(config, seed: 7)) model.Save(source);
        foreach (MemoryEstimate estimate in CheckpointInspection.Of(knowsClass ? source : Path.Combine(source, "model.safetensors"))
            .Memory.Where(memory => memory.Format.StartsWith("Int", StringComparison.Ordinal)))
        {
            WeightFormat format = Enum.Parse<WeightFormat>(estimate.Format);
            Assert.That(estimate.Bytes, Is.EqualTo(BytesHeld(source, format, head: false)));
            Assert.That(estimate.BytesWithHead ?? estimate.Bytes, Is.EqualTo(BytesHeld(source, format, head: true)));
            Assert.That(estimate.BytesWithHead, hidden == 64 ? Is.Not.Null : Is.Null);
        }
    }

    /// <summary>
    /// What the weights take in a model that is loaded from a checkpoint as it is, or quantized: stored quantized they are held as loading would have quantized
    /// them.
    /// </summary>
    private long BytesHeld(string source, WeightFormat format, bool head)
    {
        string converted = Path.Combine(_directory, "converted");
        if (format != WeightFormat.AsStored)
            CheckpointConverter.Convert(source, converted, new ConversionOptions { WeightFormat = format, QuantizeHead = head, Overwrite = true });
        using PretrainedModel model = PretrainedModels.Load(format == WeightFormat.AsStored ? source : converted);
        return model.Weights.Sum(weight => weight.ByteLength);
    }
}
