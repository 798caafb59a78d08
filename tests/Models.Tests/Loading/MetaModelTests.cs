namespace ManagedTransformers.Models.Tests;

/// <summary>Models that are opened without weights.</summary>
public sealed class MetaModelTests
{
    private static string[] Configurations =>
        [.. Directory.GetDirectories(RepositoryFiles.PathOf("tests/data/reference/models")).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];

    [TestCaseSource(nameof(Configurations))]
    public void A_model_of_its_configuration_alone_is_of_its_class_and_says_that_it_cannot_run(string name)
    {
        byte[] json = File.ReadAllBytes(RepositoryFiles.PathOf($"tests/data/reference/models/{name}/config.json"));
        PretrainedConfig config = ConfigJson.Parse(json);
        if (config.Architectures.Count == 0)
            Assert.Ignore("It names no class.");
        var files = new Dictionary<string, ReadOnlyMemory<byte>> { ["config.json"] = json };
        using PretrainedModel model = PretrainedModels.FromBytes(files, new LoadOptions { SkipWeights = true });
        Assert.That((model.Architecture, model.Config.HiddenWidth, model.Config.MaxTokens),
            Is.EqualTo((config.Architectures[0], config.HiddenWidth, config.MaxTokens)));
        using Session session = model.CreateSession();
        Assert.That(() => model.Forward(ModelInputs.OfRows([[1, 2]]), session),
            Throws.InvalidOperationException.With.Message.Contains("opened without weights"));
    }
}
