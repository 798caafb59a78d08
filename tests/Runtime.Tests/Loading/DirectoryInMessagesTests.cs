using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>What is wrong with a model's files is said with the directory that they are in.</summary>
public sealed class DirectoryInMessagesTests
{
    private const string Pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";

    [TestCase("modules.json", "{}")]
    [TestCase("modules.json", "[")]
    [TestCase("1_Pooling/config.json", "null")]
    [TestCase("config.json", "null")]
    [TestCase("model.safetensors", Pointer)]
    [TestCase("model.safetensors", "damaged, and longer than a header's length")]
    [TestCase("tokenizer.json", "null")]
    [TestCase("tokenizer.json", Pointer)]
    public void A_file_that_is_wrong_is_named_with_the_models_directory(string file, string content)
    {
        string directory = Directory.CreateTempSubdirectory().FullName;
        try
        {
            string model = Path.Combine(RepositoryRoot.Path, "models", "demo-embed");
            foreach (string one in Directory.GetFiles(model, "*", SearchOption.AllDirectories))
            {
                string copy = Path.Combine(directory, Path.GetRelativePath(model, one));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(one, copy);
            }
            File.WriteAllText(Path.Combine(directory, file), content);
            Assert.That(() => SentenceEmbeddingPipeline.Load(directory),
                Throws.InstanceOf<ManagedTransformersException>().With.Message.Contains(directory).And.Message.Contains(Path.GetFileName(file)));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void A_model_without_the_task_is_named_with_its_directory()
    {
        string directory = Path.Combine(RepositoryRoot.Path, "models", "demo-codegen");
        Assert.That(() => FillMaskPipeline.Load(directory), Throws.TypeOf<ConfigException>()
            .With.Message.Contains("does not fill masks").And.Message.Contains(directory));
    }
}
