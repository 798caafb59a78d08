using System.Text;

namespace ManagedTransformers.Models.Tests;

public sealed class PretrainedModelsTests
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("models-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void The_class_is_the_one_that_config_json_names()
    {
        using PretrainedModel model = PretrainedModels.Load(RepositoryFiles.PathOf("tests/data/reference/models/bert-pretraining"));
        Assert.That(model, Is.TypeOf<BertForPreTraining>());
    }

    [Test]
    public void The_body_of_a_masked_lm_checkpoint_opens_as_RobertaModel_without_a_pooler()
    {
        using var model = PretrainedModels.Load<RobertaModel>(RepositoryFiles.PathOf("models/demo-fill-mask"));
        using Session session = model.CreateSession();
        BaseModelOutput output = model.Forward(ModelInputs.Of(0, 5, 2), session);
        Assert.That(output.LastHiddenState.Shape.ToArray(), Is.EqualTo(new[] { 1, 3, 256 }));
        Assert.That(output.PoolerOutput, Is.Null);
    }

    [Test]
    public void Missing_misshapen_and_unknown_tensors_are_reported_all_at_once()
    {
        using (PretrainedModel model = SmallCodeGen())
            model.Save(_directory);
        Rewrite(tensors =>
        {
            tensors.RemoveAll(t => t.Name == "transformer.h.1.mlp.fc_in.bias");
            int transposed = tensors.FindIndex(t => t.Name == "transformer.h.0.mlp.fc_in.weight");
            tensors[transposed] = TensorEntry.Create(tensors[transposed].Name, [16, 64], new float[16 * 64]);
            tensors.Add(TensorEntry.Create("transformer.h.0.extra", [3], new float[3]));
            tensors.Add(TensorEntry.Create("transformer.h.0.attn.causal_mask", [1, 1, 8, 8], new float[64]));
        });

        CheckpointException? error = Assert.Throws<CheckpointException>(() => PretrainedModels.Load(_directory));
        Assert.That(error!.Problems, Has.Count.EqualTo(3));
        Assert.That(error.Message,
            Does.Contain("transformer.h.1.mlp.fc_in.bias is missing").And.Contains("looks transposed").And.Contains("transformer.h.0.extra"));
        Assert.That(error.Message, Does.Not.Contain("causal_mask"));
    }

    [Test]
    public void An_unknown_tensor_is_ignored_unless_loading_is_strict()
    {
        using (PretrainedModel model = SmallCodeGen())
            model.Save(_directory);
        Rewrite(tensors => tensors.Add(TensorEntry.Create("transformer.h.0.extra", [3], new float[3])));
        Assert.That(() => PretrainedModels.Load(_directory, new LoadOptions { Strict = true }),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("transformer.h.0.extra"));
        using PretrainedModel loaded = PretrainedModels.Load(_directory);
        Assert.That(loaded, Is.TypeOf<CodeGenForCausalLM>());
    }

    [Test]
    public void Gamma_and_beta_are_read_in_every_LayerNorm_of_RoBERTa()
    {
        var config =
            new RobertaConfig { VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 12 };
        using PretrainedModel model = PretrainedModels.FromConfig<RobertaForMaskedLM>(config);
        model.Save(_directory);
        Rewrite(tensors =>
        {
            for (int i = 0; i < tensors.Count; i++)
            {
                Weight weight = model.Weights.Single(w => w.Name == tensors[i].Name);
                bool norm = weight.Name.Contains("LayerNorm", StringComparison.Ordinal) || weight.Name.Contains("layer_norm", StringComparison.Ordinal);
                string legacy = norm ? weight.Name.Replace(".weight", ".gamma", StringComparison.Ordinal)
                    .Replace(".bias", ".beta", StringComparison.Ordinal) : weight.Name;
                tensors[i] = TensorEntry.Create(legacy, [.. weight.Shape], weight.ToSingle());
            }
            Assert.That(tensors.Select(t => t.Name), Has.Member("lm_head.layer_norm.gamma"));
        });
        using PretrainedModel loaded = PretrainedModels.Load(_directory);
        Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(model)));
    }

    [Test]
    public void An_integer_weight_is_refused()
    {
        using (PretrainedModel model = SmallCodeGen())
            model.Save(_directory);
        Rewrite(tensors =>
        {
            int bias = tensors.FindIndex(t => t.Name == "lm_head.bias");
            tensors[bias] = TensorEntry.Create("lm_head.bias", [40], new int[40]);
        });
        Assert.That(() => PretrainedModels.Load(_directory),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("lm_head.bias").And.Message.Contains("I32"));
    }

    [Test]
    public void F64_weights_give_what_their_float32_values_give()
    {
        using PretrainedModel model = SmallCodeGen();
        float[] expected = LogitsOf(model);
        model.Save(_directory);
        Rewrite(tensors =>
        {
            for (int i = 0; i < tensors.Count; i++)
            {
                Weight weight = model.Weights.Single(w => w.Name == tensors[i].Name);
                double[] wide = [.. weight.ToSingle().Select(x => (double)x)];
                tensors[i] = new TensorEntry(weight.Name, ElementType.F64, weight.Shape,
                    System.Runtime.InteropServices.MemoryMarshal.AsBytes(wide.AsSpan()).ToArray());
            }
        });
        using PretrainedModel loaded = PretrainedModels.Load(_directory);
        Assert.That(LogitsOf(loaded), Is.EqualTo(expected));
    }

    [Test]
    public void A_model_from_a_configuration_saves_and_loads_to_the_same_logits()
    {
        using PretrainedModel model = SmallCodeGen();
        model.Save(_directory);
        using PretrainedModel loaded = PretrainedModels.Load(_directory);
        Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(model)));
    }

    [Test]
    public void Random_weights_have_the_initializer_range_and_depend_on_the_seed()
    {
        using PretrainedModel model = SmallCodeGen(seed: 1);
        using PretrainedModel again = SmallCodeGen(seed: 1);
        using PretrainedModel other = SmallCodeGen(seed: 2);
        float[] wte = model.Weights.Single(w => w.Name == "transformer.wte.weight").ToSingle();
        double deviation = Math.Sqrt(wte.Average(x => (double)x * x));
        Assert.That(deviation, Is.EqualTo(0.02).Within(0.002));
        Assert.That(LogitsOf(again), Is.EqualTo(LogitsOf(model)));
        Assert.That(LogitsOf(other), Is.Not.EqualTo(LogitsOf(model)));
        Assert.That(model.Weights.Single(w => w.Name == "transformer.ln_f.weight").ToSingle(), Is.All.EqualTo(1f));
    }

    [Test]
    public void Files_in_memory_give_the_same_logits_as_a_directory()
    {
        using PretrainedModel model = SmallCodeGen();
        model.Save(_directory);
        var files = Directory.GetFiles(_directory).ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
        using PretrainedModel loaded = PretrainedModels.FromBytes(files);
        Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(model)));
    }

    [Test]
    public void Weights_of_more_layers_than_the_configuration_has_are_refused()
    {
        var config =
            new BertConfig { VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 3, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 12 };
        string directory = Path.Combine(_directory, "three");
        PretrainedModels.FromConfig<BertForMaskedLM>(config).Save(directory);
        string json = Path.Combine(directory, "config.json");
        File.WriteAllText(json, File.ReadAllText(json).Replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1", StringComparison.Ordinal));
        Assert.That(() => PretrainedModels.Load(directory), Throws.TypeOf<CheckpointException>()
            .With.Message.Contains("bert.encoder.layer.1.").And.Message.Contains("belong to further layers than config.json (bert) has"));
    }

    [Test]
    public void Every_class_can_be_made_from_a_configuration_saved_and_loaded()
    {
        var bert =
            new BertConfig { VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 12 };
        var roberta =
            new RobertaConfig { VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 12 };
        CodeGenConfig codegen = SmallConfig();
        var distilbert = new DistilBertConfig { VocabSize = 30, Dim = 8, NLayers = 1, NHeads = 2, HiddenDim = 16, MaxPositionEmbeddings = 12 };
        var llama = new LlamaConfig
        {
            VocabSize = 30, HiddenSize = 8, IntermediateSize = 12, NumHiddenLayers = 1, NumAttentionHeads = 2, NumKeyValueHeads = 1, MaxPositionEmbeddings = 12,
        };
        var qwen2 = new Qwen2Config
        {
            VocabSize = 30, HiddenSize = 8, IntermediateSize = 12, NumHiddenLayers = 1, NumAttentionHeads = 2, NumKeyValueHeads = 1, MaxPositionEmbeddings = 12,
        };
        var neox = new GPTNeoXConfig
        {
            VocabSize = 30, HiddenSize = 16, IntermediateSize = 12, NumHiddenLayers = 1, NumAttentionHeads = 2, MaxPositionEmbeddings = 12,
        };
        var bigcode = new GPTBigCodeConfig { VocabSize = 30, NEmbd = 8, NLayer = 1, NHead = 2, NPositions = 12 };
        XLMRobertaConfig xlm = Sized(new XLMRobertaConfig());
        CamembertConfig camembert = Sized(new CamembertConfig());
        MPNetConfig mpnet = Sized(new MPNetConfig());
        var gpt2 = new GPT2Config { VocabSize = 40, NEmbd = 16, NLayer = 2, NHead = 4, NPositions = 32 };
        var gptj = new GPTJConfig { VocabSize = 40, NEmbd = 16, NLayer = 2, NHead = 4, RotaryDim = 4, NPositions = 32 };
        PretrainedModel[] models =
        [
            PretrainedModels.FromConfig<XLMRobertaModel>(xlm), PretrainedModels.FromConfig<XLMRobertaForMaskedLM>(xlm),
            PretrainedModels.FromConfig<XLMRobertaForSequenceClassification>(xlm), PretrainedModels.FromConfig<XLMRobertaForTokenClassification>(xlm),
            PretrainedModels.FromConfig<CamembertModel>(camembert), PretrainedModels.FromConfig<CamembertForMaskedLM>(camembert),
            PretrainedModels.FromConfig<CamembertForSequenceClassification>(camembert),
            PretrainedModels.FromConfig<CamembertForTokenClassification>(camembert),
            PretrainedModels.FromConfig<MPNetModel>(mpnet), PretrainedModels.FromConfig<MPNetForMaskedLM>(mpnet),
            PretrainedModels.FromConfig<MPNetForSequenceClassification>(mpnet), PretrainedModels.FromConfig<MPNetForTokenClassification>(mpnet),
            PretrainedModels.FromConfig<GPT2Model>(gpt2), PretrainedModels.FromConfig<GPT2LMHeadModel>(gpt2),
            PretrainedModels.FromConfig<GPTJModel>(gptj), PretrainedModels.FromConfig<GPTJForCausalLM>(gptj),
            PretrainedModels.FromConfig<BertModel>(bert), PretrainedModels.FromConfig<BertForPreTraining>(bert),
            PretrainedModels.FromConfig<BertForMaskedLM>(bert),
            PretrainedModels.FromConfig<BertForSequenceClassification>(bert), PretrainedModels.FromConfig<BertForTokenClassification>(bert),
            PretrainedModels.FromConfig<RobertaModel>(roberta), PretrainedModels.FromConfig<RobertaForMaskedLM>(roberta),
            PretrainedModels.FromConfig<RobertaForSequenceClassification>(roberta), PretrainedModels.FromConfig<RobertaForTokenClassification>(roberta),
            PretrainedModels.FromConfig<CodeGenModel>(codegen), PretrainedModels.FromConfig<CodeGenForCausalLM>(codegen),
            PretrainedModels.FromConfig<DistilBertModel>(distilbert), PretrainedModels.FromConfig<DistilBertForMaskedLM>(distilbert),
            PretrainedModels.FromConfig<DistilBertForSequenceClassification>(distilbert),
            PretrainedModels.FromConfig<DistilBertForTokenClassification>(distilbert),
            PretrainedModels.FromConfig<LlamaModel>(llama), PretrainedModels.FromConfig<LlamaForCausalLM>(llama),
            PretrainedModels.FromConfig<GPTNeoXModel>(neox), PretrainedModels.FromConfig<GPTNeoXForCausalLM>(neox),
            PretrainedModels.FromConfig<GPTBigCodeModel>(bigcode), PretrainedModels.FromConfig<GPTBigCodeForCausalLM>(bigcode),
            PretrainedModels.FromConfig<Qwen2Model>(qwen2), PretrainedModels.FromConfig<Qwen2ForCausalLM>(qwen2),
        ];
        Assert.That(models.Select(m => m.Architecture), Is.EquivalentTo(PretrainedModels.SupportedArchitectures));
        foreach (PretrainedModel model in models)
        {
            string directory = Path.Combine(_directory, model.Architecture);
            model.Save(directory);
            using PretrainedModel loaded = PretrainedModels.Load(directory);
            Assert.That(loaded.GetType(), Is.EqualTo(model.GetType()));
            Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(model)), model.Architecture);
            model.Dispose();
        }

        static T Sized<T>(T config) where T : RobertaConfig => config with
        {
            VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 12,
        };
    }

    [Test]
    public void A_configuration_of_another_family_is_refused() =>
        Assert.That(() => PretrainedModels.FromConfig<BertModel>(SmallConfig()), Throws.TypeOf<ConfigException>().With.Message.Contains("codegen"));

    [Test]
    public void An_unknown_architecture_is_refused_by_name()
    {
        File.WriteAllText(Path.Combine(_directory, "config.json"), """{"model_type": "bert", "architectures": ["BertForQuestionAnswering"]}""");
        Assert.That(() => PretrainedModels.Load(_directory), Throws.TypeOf<ConfigException>().With.Message.Contains("BertForQuestionAnswering"));
    }

    [Test]
    public void A_missing_directory_or_config_json_is_said()
    {
        Assert.That(() => PretrainedModels.Load(Path.Combine(_directory, "none")), Throws.TypeOf<DirectoryNotFoundException>());
        Assert.That(() => PretrainedModels.Load(_directory), Throws.TypeOf<ConfigException>().With.Message.Contains("config.json"));
        Assert.That(() => PretrainedModels.FromBytes(new Dictionary<string, ReadOnlyMemory<byte>> { ["a"] = Encoding.UTF8.GetBytes("b") }),
            Throws.TypeOf<ConfigException>());
    }

    [Test]
    public void A_config_json_that_links_out_of_the_directory_is_not_read()
    {
        string outside = Path.Combine(_directory, "outside.json");
        File.WriteAllText(outside, """{"model_type": "bert"}""");
        string inside = Directory.CreateDirectory(Path.Combine(_directory, "model")).FullName;
        File.CreateSymbolicLink(Path.Combine(inside, "config.json"), outside);
        Assert.That(() => PretrainedModels.Load(inside), Throws.TypeOf<CheckpointException>().With.Message.Contains("outside the directory"));
    }

    private static CodeGenConfig SmallConfig() => new()
    {
        VocabSize = 40, NEmbd = 16, NLayer = 2, NHead = 4, RotaryDim = 4, NPositions = 32, BosTokenId = 1, EosTokenId = [2],
    };

    private static CodeGenForCausalLM SmallCodeGen(int seed = 0) => PretrainedModels.FromConfig<CodeGenForCausalLM>(SmallConfig(), seed);

    private static float[] LogitsOf(PretrainedModel model)
    {
        using Session session = model.CreateSession();
        return [.. model.Forward(ModelInputs.Of(3, 1, 4, 1, 5), session).NamedTensors().SelectMany(t => t.ToArray())];
    }

    private void Rewrite(Action<List<TensorEntry>> change)
    {
        string path = Path.Combine(_directory, "model.safetensors");
        var tensors = new List<TensorEntry>();
        using (SafetensorsFile file = SafetensorsFile.FromBytes(File.ReadAllBytes(path)))
        {
            foreach (Weight weight in file.Weights.Values)
                tensors.Add(new TensorEntry(weight.Name, weight.Type, weight.Shape, weight.Bytes.ToArray()));
        }
        change(tensors);
        SafetensorsWriter.Write(path, tensors);
    }
}
