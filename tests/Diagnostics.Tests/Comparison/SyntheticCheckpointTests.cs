using ManagedTransformers.Models;

namespace ManagedTransformers.Diagnostics.Tests;

public sealed class SyntheticCheckpointTests
{
    private const string Specification = """
        {"seed": 1, "dtype": "F16", "tensors": [
            {"name": "a", "shape": [3, 4], "center": 0, "half_width": 1},
            {"name": "b", "shape": [8], "center": 1, "half_width": 0.5},
            {"name": "c", "shape": [2, 2], "center": 0, "half_width": 1}]}
        """;

    private string _folder = null!;

    [SetUp]
    public void CreateFolder()
    {
        _folder = Directory.CreateTempSubdirectory("mtx-synthetic-").FullName;
        Directory.CreateDirectory(Path.Combine(_folder, "case"));
        File.WriteAllText(Path.Combine(_folder, "case", "config.json"), "{}");
    }

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Shards_hold_the_numbers_that_one_file_holds()
    {
        using Checkpoint whole = Write("whole", maxShardSize: 1000), shards = Write("shards", maxShardSize: 30);
        Assert.That(whole.FileNames, Is.EqualTo(new[] { "model.safetensors" }));
        Assert.That(shards.FileNames, Is.EqualTo(new[] { "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors" }));   // 24; 16 + 8 bytes
        Assert.That(shards.Weights.Keys, Is.EquivalentTo(new[] { "a", "b", "c" }));
        foreach (Weight weight in whole.Weights.Values)
            Assert.That(shards.Weights[weight.Name].ToSingle(), Is.EqualTo(weight.ToSingle()), weight.Name);
    }

    [Test]
    public void Two_tensors_of_one_name_are_refused() =>
        Assert.That(() => Write("twice", maxShardSize: 30, Specification.Replace("\"c\"", "\"a\"", StringComparison.Ordinal)),
            Throws.ArgumentException.With.Message.Contains("Two tensors are named a"));

    private Checkpoint Write(string name, long maxShardSize, string specification = Specification)
    {
        string source = Path.Combine(_folder, "case"), target = Path.Combine(_folder, name);
        File.WriteAllText(Path.Combine(source, SyntheticCheckpoint.SpecificationFileName), specification);
        SyntheticCheckpoint.Write(source, target, maxShardSize, progress: null, CancellationToken.None);
        return Checkpoint.Open(target);
    }
}
