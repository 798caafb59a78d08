using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.OwnFamily.Tests;

/// <summary>A family that is registered from outside loads, runs, traces and serves pipelines like any other.</summary>
[NonParallelizable]
public sealed class OwnFamilyTests
{
    [OneTimeSetUp]
    public void Register()
    {
        if (!PretrainedModels.SupportedArchitectures.Contains(nameof(FastTextForSequenceClassification)))
            ModelFamilies.Register(FastTextForSequenceClassification.Family);
    }

    [Test]
    public void Its_checkpoint_is_saved_and_opened_as_the_class_that_config_json_names()
    {
        var config = new FastTextConfig { VocabSize = 30, Dim = 4 };
        using var made = PretrainedModels.FromConfig<FastTextForSequenceClassification>(config, seed: 3);
        string directory = Directory.CreateTempSubdirectory().FullName;
        try
        {
            made.Save(directory);
            using var opened = PretrainedModels.Load<ISequenceClassifier>(directory);
            using Session session = opened.CreateSession(), other = made.CreateSession();
            float[] logits = opened.Forward(ModelInputs.Of(3, 5, 5), session).Logits.ToArray();
            Assert.That(opened, Is.InstanceOf<FastTextForSequenceClassification>());
            Assert.That(logits, Is.EqualTo(made.Forward(ModelInputs.Of(3, 5, 5), other).Logits.ToArray()));
            Assert.That(made.ActivationNames, Is.EqualTo((string[])["fasttext.words", "classifier"]));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void A_pipeline_of_its_task_takes_it()
    {
        Tokenizer tokenizer = Tokenizer.Load(Demo("demo-language-id"));
        var config = new FastTextConfig { VocabSize = tokenizer.VocabularySize, Id2Label = new Dictionary<string, string> { ["0"] = "go", ["1"] = "php" } };
        using var model = PretrainedModels.FromConfig<FastTextForSequenceClassification>(config);
        using var classifier = TextClassificationPipeline.Create(model, tokenizer);
        IReadOnlyList<LabelScore> scores = classifier.Classify("x := 1");
        Assert.That(scores.Select(score => score.Label), Is.EquivalentTo(new[] { "go", "php" }));
        Assert.That(scores.Sum(score => score.Score), Is.EqualTo(1).Within(1e-6));
    }

    [Test]
    public void A_directory_with_its_own_tokenizer_class_opens_as_a_pipeline()
    {
        string directory = Directory.CreateTempSubdirectory().FullName, demo = Demo("demo-language-id");
        try
        {
            int vocabulary = Tokenizer.Load(demo).VocabularySize;
            using (var made = PretrainedModels.FromConfig<FastTextForSequenceClassification>(new FastTextConfig { VocabSize = vocabulary }))
                made.Save(directory);
            File.Copy(Path.Combine(demo, "tokenizer.json"), Path.Combine(directory, "tokenizer.json"));
            File.WriteAllText(Path.Combine(directory, "tokenizer_config.json"), """{"tokenizer_class": "FastTextTokenizer"}""");
            using var classifier = TextClassificationPipeline.Load(directory);
            Assert.That(classifier.Classify("x := 1")[0].Score, Is.InRange(0.5f, 1f), "the better of two labels");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void Another_task_refuses_it_and_names_the_classes_that_do()
    {
        Tokenizer tokenizer = Tokenizer.Load(Demo("demo-fill-mask"));
        using var model = PretrainedModels.FromConfig<FastTextForSequenceClassification>(new FastTextConfig { VocabSize = tokenizer.VocabularySize });
        Assert.That(() => FillMaskPipeline.Create(model, tokenizer), Throws.TypeOf<ConfigException>()
            .With.Message.StartsWith("FastTextForSequenceClassification does not fill masks; BertForPreTraining, BertForMaskedLM")
            .And.Message.EndsWith("is needed (config.json, architectures)."));
    }

    [Test]
    public void A_family_or_a_class_is_registered_once()
    {
        Assert.That(() => ModelFamilies.Register(FastTextForSequenceClassification.Family), Throws.ArgumentException
            .With.Message.Contains("A family with model_type fasttext is registered already"));
        var renamed = new ModelFamily<FastTextConfig>("fasttext2", FastTextJson.Default.FastTextConfig)
        {
            BaseModelPrefix = "fasttext2",
            Builders = [(typeof(FastTextForSequenceClassification), (config, source) => new FastTextForSequenceClassification(config, source))],
        };
        Assert.That(() => ModelFamilies.Register(renamed), Throws.ArgumentException
            .With.Message.Contains("FastTextForSequenceClassification of the family fasttext2 is a class of fasttext already"));
        Assert.That(ModelFamilies.All.Select(family => family.ModelType), Does.Not.Contain("fasttext2"));
    }

    [Test]
    public void A_tokenizer_class_is_one_tokenizer_whichever_family_names_it()
    {
        var other = new ModelFamily<FastTextConfig>("fasttext3", FastTextJson.Default.FastTextConfig)
        {
            BaseModelPrefix = "fasttext3",
            TokenizerClasses = new Dictionary<string, string> { ["FastTextTokenizerFast"] = "BertTokenizer" },
            Builders = [(typeof(FastTextForSequenceClassification), (config, source) => new FastTextForSequenceClassification(config, source))],
        };
        Assert.That(() => ModelFamilies.Register(other), Throws.ArgumentException.With.Message.Contains("FastTextTokenizerFast is a BertTokenizer to the " +
            "family fasttext3 and a RobertaTokenizer to the family fasttext (TokenizerClasses)"));
    }

    [Test]
    public void Features_are_read_from_a_model_that_has_them()
    {
        Tokenizer tokenizer = Tokenizer.Load(Demo("demo-fill-mask"));
        using var model = PretrainedModels.FromConfig<FastTextForSequenceClassification>(new FastTextConfig { VocabSize = tokenizer.VocabularySize });
        Assert.That(() => FeatureExtractionPipeline.Create(model, tokenizer), Throws.TypeOf<ConfigException>()
            .With.Message.StartsWith("FastTextForSequenceClassification has no part that gives a vector for every token"));
    }

    [Test]
    public void A_registration_without_a_name_a_class_or_with_one_twice_is_refused()
    {
        (Type, Func<FastTextConfig, ModelSource, PretrainedModel>) one =
            (typeof(FastTextForSequenceClassification), (config, source) => new FastTextForSequenceClassification(config, source));
        Assert.That(() => ModelFamilies.Register(Family(" ", one)), Throws.ArgumentException.With.Message.Contains("no model_type"));
        Assert.That(() => ModelFamilies.Register(Family("empty")), Throws.ArgumentException.With.Message.Contains("empty has no class"));
        Assert.That(() => ModelFamilies.Register(Family("double", one, one)), Throws.ArgumentException.With.Message.Contains("twice"));

        static ModelFamily<FastTextConfig> Family(string type, params (Type, Func<FastTextConfig, ModelSource, PretrainedModel>)[] builders) =>
            new(type, FastTextJson.Default.FastTextConfig) { BaseModelPrefix = "x", Builders = builders };
    }

    [Test]
    public void A_model_type_that_nobody_registered_names_itself_and_those_that_are_known()
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>> { ["config.json"] = """{"model_type": "t5"}"""u8.ToArray() };
        Assert.That(() => PretrainedModels.FromBytes(files), Throws.TypeOf<ConfigException>()
            .With.Message.Contains("model_type is \"t5\"").And.Message.Contains("Known are bert, roberta, codegen"));
    }

    private static string Demo(string name) => Path.Combine(Testing.RepositoryRoot.Path, "models", name);
}
