namespace ManagedTransformers.Models.Tests;

/// <summary>Files that other programs wrote: the demo models and the reference cases.</summary>
[TestFixture]
public class ReferenceFilesTests
{
    private const string Models = "tests/data/reference/models/";

    [TestCase("models/demo-codegen", 37)]
    [TestCase("models/demo-fill-mask", 74)]
    [TestCase("models/demo-language-id", 73)]
    [TestCase("tests/data/reference/generation", 29)]
    [TestCase(Models + "bert-embed", 39)]
    [TestCase(Models + "bert-head-mask-inputs-embeds", 39)]
    [TestCase(Models + "bert-pretraining", 62)]
    [TestCase(Models + "bert-pretraining-legacy-names", 62)]
    [TestCase(Models + "bert-rerank", 41)]
    [TestCase(Models + "bert-token-classify", 39)]
    [TestCase(Models + "codegen-base-head-mask-inputs-embeds", 19)]
    [TestCase(Models + "codegen-bf16-sharded", 21)]
    [TestCase(Models + "codegen-f16", 21)]
    [TestCase(Models + "codegen-left-padded", 29)]
    [TestCase(Models + "codegen-mono", 29)]
    [TestCase(Models + "codegen2-eight-blocks", 13)]
    [TestCase(Models + "roberta-classify", 41)]
    [TestCase(Models + "roberta-mlm", 58)]
    public void A_checkpoint_opens_with_all_its_tensors(string directory, int tensors)
    {
        using Checkpoint checkpoint = Checkpoint.Open(RepositoryFiles.PathOf(directory));
        Assert.That(checkpoint.Weights, Has.Count.EqualTo(tensors));
        Assert.That(checkpoint.Metadata["format"], Is.EqualTo("pt"));
        Assert.That(checkpoint.Weights.Values.SelectMany(weight => weight.ToSingle()).All(float.IsFinite), Is.True);
    }

    private static IEnumerable<string> AllFiles() =>
        new[] { "models", "tests/data/reference" }
            .SelectMany(folder => Directory.EnumerateFiles(RepositoryFiles.PathOf(folder), "*.safetensors", SearchOption.AllDirectories))
            .Select(path => Path.GetRelativePath(RepositoryFiles.Root, path).Replace('\\', '/'))
            .Order(StringComparer.Ordinal);

    [TestCaseSource(nameof(AllFiles))]
    public void Bytes_streams_and_a_rewritten_copy_equal_the_mapped_file(string file)
    {
        string path = RepositoryFiles.PathOf(file);
        using SafetensorsFile mapped = SafetensorsFile.Open(path);
        using SafetensorsFile bytes = SafetensorsFile.FromBytes(File.ReadAllBytes(path));
        using FileStream stream = File.OpenRead(path);
        using SafetensorsFile streamed = SafetensorsFile.FromStream(stream);
        using var copy = new MemoryStream();
        SafetensorsWriter.Write(copy, [.. mapped.Weights.Values.Select(weight => TensorEntry.Create(weight))], mapped.Metadata);
        using SafetensorsFile rewritten = SafetensorsFile.FromBytes(copy.ToArray());
        foreach (SafetensorsFile other in new[] { bytes, streamed, rewritten })
        {
            Assert.That(other.Weights.Values.Select(weight => weight.ToString()), Is.EquivalentTo(mapped.Weights.Values.Select(weight => weight.ToString())));
            Assert.That(other.Metadata, Is.EquivalentTo(mapped.Metadata));
            foreach ((string name, Weight weight) in mapped.Weights)
                Assert.That(other.Weights[name].Bytes.SequenceEqual(weight.Bytes), Is.True, name);
        }
    }

    // The values were read with Python's struct module.
    [TestCase(Models + "roberta-mlm", "roberta.embeddings.word_embeddings.weight", "F32 [320, 48]",
        new[] { -0.31957498f, 0.0141667845f, -0.23575187f, 0.21434648f })]
    [TestCase(Models + "codegen-f16", "transformer.wte.weight", "F16 [256, 48]", new[] { 0.3759765625f, -0.395751953125f, 0.59228515625f, -0.1375732421875f })]
    [TestCase(Models + "codegen-f16", "transformer.ln_f.weight", "F16 [48]", new[] { 0.90625f, 0.95703125f, 0.96533203125f, 0.93994140625f })]
    [TestCase(Models + "codegen-bf16-sharded", "transformer.wte.weight", "BF16 [256, 48]", new[] { 0.376953125f, -0.396484375f, 0.59375f, -0.1376953125f })]
    [TestCase("models/demo-fill-mask", "roberta.embeddings.word_embeddings.weight", "F16 [8192, 256]",
        new[] { -0.136474609375f, 0.03594970703125f, -0.07794189453125f, -0.030731201171875f })]
    public void A_tensor_starts_with_the_values_that_are_in_the_file(string directory, string name, string described, float[] first)
    {
        using Checkpoint checkpoint = Checkpoint.Open(RepositoryFiles.PathOf(directory));
        Weight weight = checkpoint.Weights[name];
        Assert.That(weight.ToString(), Is.EqualTo($"{name} {described}"));
        Assert.That(weight.ToSingle()[..first.Length], Is.EqualTo(first));
    }

    [Test]
    public void Inputs_of_a_reference_case_are_int64()
    {
        using SafetensorsFile expected = SafetensorsFile.Open(RepositoryFiles.PathOf(Models + "bert-embed/expected.safetensors"));
        Assert.That(expected.Weights["input_ids"].ToString(), Is.EqualTo("input_ids I64 [3, 21]"));
        Assert.That(expected.Weights["input_ids"].ToInt64()[..4], Is.EqualTo(new long[] { 73, 144, 89, 40 }));
    }

    [Test]
    public void The_shards_of_a_reference_checkpoint_are_those_of_its_index()
    {
        using Checkpoint checkpoint = Checkpoint.Open(RepositoryFiles.PathOf(Models + "codegen-bf16-sharded"));
        Assert.That(checkpoint.FileNames, Has.Count.EqualTo(3));
        Assert.That(checkpoint.Weights.Values.Sum(weight => weight.ByteLength), Is.EqualTo(118336));
        Assert.That(checkpoint.Weights["transformer.h.0.mlp.fc_out.weight"].File, Is.EqualTo("model-00002-of-00003.safetensors"));
    }
}
