using System.Reflection;
using ManagedTransformers.Hub;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Directories that are not there, or not what they must be: where, and what to do.</summary>
public sealed class BadDirectoryTests
{
    private const string Pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

    private string _directory = null!;

    [SetUp]
    public void Create() => _directory = Directory.CreateTempSubdirectory("mt-test-").FullName;

    [TearDown]
    public void Delete() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void Every_exception_has_one_base()
    {
        Type[] own = [.. new[] { typeof(Tokenizer), typeof(PretrainedModel), typeof(Pipeline), typeof(HubCache), typeof(ConfigException) }
            .SelectMany(type => type.Assembly.GetExportedTypes()).Where(type => type.IsSubclassOf(typeof(Exception)) && !type.IsAbstract)];
        Assert.That(own.Select(type => type.Name), Is.EquivalentTo(new[]
        {
            nameof(CheckpointException), nameof(ConfigException), nameof(HubException), nameof(ModelInputException), nameof(TokenizerException),
            nameof(TraceException),
        }));
        Assert.That(own.Select(type => type.BaseType), Is.All.EqualTo(typeof(ManagedTransformersException)));
    }

    [TestCase("config.json", typeof(ConfigException))]
    [TestCase("tokenizer.json", typeof(TokenizerException))]
    [TestCase("tokenizer_config.json", typeof(TokenizerException))]
    [TestCase("model.safetensors", typeof(CheckpointException))]
    [TestCase("model.safetensors.index.json", typeof(CheckpointException))]
    [TestCase("pytorch_model.bin", typeof(CheckpointException))]
    [TestCase("modules.json", typeof(ConfigException))]
    [TestCase("vocab.json", typeof(TokenizerException))]
    [TestCase("merges.txt", typeof(TokenizerException))]
    [TestCase("vocab.txt", typeof(TokenizerException))]
    public void A_pointer_of_Git_LFS_is_recognised_in_every_file(string file, Type exception)
    {
        foreach (string path in Directory.GetFiles(TestData.Model("demo-fill-mask")))
        {
            bool tokenizer = Path.GetFileName(path).StartsWith("tokenizer", StringComparison.Ordinal);
            bool replaced = (file is "vocab.json" or "merges.txt" or "vocab.txt" && tokenizer)
                || (file is "model.safetensors.index.json" or "pytorch_model.bin" && path.EndsWith(".safetensors", StringComparison.Ordinal));
            if (!replaced)
                File.Copy(path, Path.Combine(_directory, Path.GetFileName(path)));
        }
        if (file is "merges.txt")
            File.WriteAllText(Path.Combine(_directory, "vocab.json"), """{"<s>": 0, "</s>": 1, "<pad>": 2, "<unk>": 3, "<mask>": 4}""");
        if (file is "vocab.json")
            File.WriteAllText(Path.Combine(_directory, "merges.txt"), "#version: 0.2\n");
        if (file is "vocab.txt")
            File.WriteAllText(Path.Combine(_directory, "tokenizer_config.json"), """{"tokenizer_class": "BertTokenizer"}""");
        File.WriteAllText(Path.Combine(_directory, file), Pointer);

        Assert.That(() => SentenceEmbeddingPipeline.Load(_directory), Throws.TypeOf(exception)
            .With.Message.Contains(file).And.Message.Contains("is a pointer of Git LFS, not the file itself. Get the file with: git lfs pull."));
    }

    [TestCase("{")]
    [TestCase("[]")]
    [TestCase("""{"model_type": 3}""")]
    [TestCase("\u0001")]
    public void A_broken_config_json_is_no_fault_of_the_tokenizer(string json)
    {
        File.Copy(Path.Combine(TestData.Model("demo-fill-mask"), "tokenizer.json"), Path.Combine(_directory, "tokenizer.json"));
        File.WriteAllText(Path.Combine(_directory, "config.json"), json);
        Assert.That(() => Tokenizer.Load(_directory), Throws.TypeOf<ConfigException>().With.Message.Contains("config.json"));
        Assert.That(() => FillMaskPipeline.Load(_directory), Throws.TypeOf<ConfigException>().With.Message.Contains("config.json"));
    }

    [Test]
    public void A_models_name_on_the_hub_is_no_directory_and_says_how_to_get_one()
    {
        const string Name = "org/no-such-model";
        string says = $"There is no directory {Path.GetFullPath(Name)}. If {Name} is a model of the hub, download it (mtx pull {Name}, or HubClient of the " +
            $"package ManagedTransformers.Hub), and open the directory that HubCache.Default.Find(\"{Name}\") gives.";
        Assert.That(() => FillMaskPipeline.Load(Name), Throws.TypeOf<DirectoryNotFoundException>().With.Message.EqualTo(says));
        Assert.That(() => PretrainedModels.Load(Name), Throws.TypeOf<DirectoryNotFoundException>().With.Message.EqualTo(says));
        Assert.That(() => Tokenizer.Load(Name), Throws.TypeOf<TokenizerException>().With.Message.EqualTo(says));
        Assert.That(() => Checkpoint.Open(Name), Throws.TypeOf<CheckpointException>().With.Message.EqualTo(says));
    }

    [Test]
    public void A_path_is_told_as_the_absolute_one()
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, _directory);
        Assert.That(() => FillMaskPipeline.Load(Path.Combine(relative, "none")),
            Throws.TypeOf<DirectoryNotFoundException>().With.Message.StartsWith($"There is no directory {_directory}/none. A checkpoint directory holds"));
        Assert.That(() => PretrainedModels.Load(relative), Throws.TypeOf<ConfigException>().With.Message.StartsWith($"{_directory} holds no config.json"));
        Assert.That(() => Checkpoint.Open(relative), Throws.TypeOf<CheckpointException>().With.Message.StartsWith($"{_directory} holds no weights"));
        Assert.That(() => Tokenizer.Load(relative), Throws.TypeOf<TokenizerException>().With.Message.StartsWith($"{_directory} has no tokenizer"));
        Assert.That(() => SafetensorsFile.Open(Path.Combine(relative, "x")), Throws.TypeOf<CheckpointException>().With.Message.StartsWith($"{_directory}/x "));
        File.WriteAllText(Path.Combine(_directory, "config.json"), """{"model_type": "bert"}""");
        Assert.That(() => PretrainedModels.Load<CodeGenForCausalLM>(relative), Throws.TypeOf<ConfigException>()
            .With.Message.StartsWith($"{_directory}/config.json has model_type bert; codegen is needed for CodeGenForCausalLM."));
        Assert.That(() => FillMaskPipeline.Load(Path.Combine(relative, "config.json")),
            Throws.TypeOf<DirectoryNotFoundException>().With.Message.StartsWith($"{_directory}/config.json is a file;"));
    }

    [TestCase("BertTokenizer", "RobertaTokenizer", "The family own says that BertTokenizer is a RobertaTokenizer (TokenizerClasses), but BertTokenizer is a " +
        "tokenizer that is known here already")]
    [TestCase("BertTokenizerFast", "RobertaTokenizer", "BertTokenizerFast is a tokenizer that is known here already")]
    [TestCase("gpt2", "RobertaTokenizer", "gpt2 is a tokenizer that is known here already")]
    [TestCase("OwnTokenizer", "RobertoTokenizer", "The family own says that OwnTokenizer is a RobertoTokenizer (TokenizerClasses), but RobertoTokenizer is " +
        "not among the tokenizers that run here: BertTokenizer, ")]
    public void A_familys_tokenizer_class_is_its_own_and_is_a_known_one(string name, string known, string says)
    {
        Assert.That(() => ModelFiles.AliasesOf([Own(name, known)]), Throws.TypeOf<TokenizerException>().With.Message.Contains(says));
        Assert.That(ModelFiles.AliasesOf([Own("OwnTokenizer", "RobertaTokenizerFast")]), Contains.Key("OwnTokenizer"));

        static ModelFamily Own(string name, string known) => new ModelFamily<BertConfig>("own", BertJson.Default.BertConfig)
        {
            BaseModelPrefix = "own", Builders = [], TokenizerClasses = new Dictionary<string, string> { [name] = known },
        };
    }
}
