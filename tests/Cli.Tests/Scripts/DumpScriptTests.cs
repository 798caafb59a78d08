using System.Text.Json;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

/// <summary>The parts of tools/reference/dump.py that need neither PyTorch nor transformers, where there is a python3.</summary>
[TestFixture]
internal sealed class DumpScriptTests
{
    private static IEnumerable<Type> Classes() => ModelFamilies.All.SelectMany(family => family.Classes);

    // The script knows the modules of three families.
    private static IEnumerable<Type> KnownClasses() => Classes().Where(type =>
        Array.Exists(["Bert", "Roberta", "CodeGen"], family => type.Name.StartsWith(family, StringComparison.Ordinal)));

    [Test]
    public void A_class_that_it_does_not_know_is_refused_with_those_that_it_knows()
    {
        (int exitCode, _, string error) = PythonScript.Run("dump.py", "--list", "DistilBertModel:2");
        Assert.That(exitCode, Is.Not.Zero);
        Assert.That(error, Does.Contain("DistilBertModel is not a class that it knows").And.Contain("BertForMaskedLM"));
    }

    [TestCaseSource(nameof(KnownClasses))]
    public void Names_are_those_of_the_traces_without_what_no_module_gives(Type type)
    {
        using PretrainedModel model = Make(type);
        (int exitCode, string output, string error) = PythonScript.Run("dump.py", "--list", $"{type.Name}:2");
        Assert.That((exitCode, error), Is.EqualTo((0, "")));
        string[] expected = [.. model.ActivationNames.Where(name => !name.EndsWith(".scores", StringComparison.Ordinal)
            && !name.EndsWith(".head_outputs", StringComparison.Ordinal))];
        Assert.That(Lines(output), Is.EqualTo(expected));
    }

    [TestCaseSource(nameof(Classes))]
    public void The_order_by_layers_is_the_order_of_execution(Type type)
    {
        using PretrainedModel model = Make(type);
        string file = Path.Combine(Folders.Scratch(), "bare.safetensors");
        SafetensorsWriter.Write(file, [.. model.ActivationNames.Select(name => TensorEntry.Create(name, [1], new float[1]))]);
        using ActivationSet set = ActivationSet.Open(file);
        Assert.That(set.Names, Is.EqualTo(model.ActivationNames));
    }

    [Test]
    public void Patterns_mean_the_same(
        [Values("transformer.h.*", "**.probabilities", "transformer.h.1.**", "**", "lm_head", "transformer.*.1.mlp*", "t*r.wte", "**.*.fc_in", "***", "*head**",
            "**attn")] string pattern)
    {
        using PretrainedModel model = Make(typeof(CodeGenForCausalLM));
        using Session session = model.CreateSession();
        using ActivationTrace trace = session.Trace(pattern);
        model.Forward(ModelInputs.Of(1, 2), session);
        (_, string output, string error) = PythonScript.Run("dump.py", "--list", "CodeGenForCausalLM:2", "--names", pattern);
        Assert.That(error, Is.Empty);
        Assert.That(Lines(output), Is.EqualTo(trace.Names.Where(name => !name.EndsWith(".scores", StringComparison.Ordinal))));
    }

    [Test]
    public void A_pattern_without_a_match_is_refused()
    {
        (int exitCode, string output, string error) = PythonScript.Run("dump.py", "--list", "BertModel:2", "--names", "transformer.h.*");
        Assert.That((exitCode, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.StartWith("dump.py: no activation matches transformer.h.*").And.Not.Contain("Traceback"));
    }

    [TestCase("--model x --out y", "either --text or --file, or --ids")]
    [TestCase("--model x --text a --ids 1 --out y", "either --text or --file, or --ids")]
    [TestCase("--model x --text a", "--model and --out are needed")]
    [TestCase("--list GPT2Model", "GPT2Model is not a class that it knows")]
    public void A_wrong_command_line_is_refused(string args, string says)
    {
        (int exitCode, _, string error) = PythonScript.Run("dump.py", args.Split(' '));
        Assert.That(exitCode, Is.Not.Zero);
        Assert.That(error, Does.Contain(says).And.Not.Contain("Traceback"));
    }

    [Test]
    public void A_file_that_it_writes_is_read_with_its_order_ids_mask_and_tokens()
    {
        string file = Path.Combine(Folders.Scratch(), "theirs.safetensors");
        string write = $$"""
            import dump, struct
            rows, mask = dump.padded([[5, 6], [7]], 1)
            strings = dump.metadata("RobertaModel", ["z", "a"], rows, mask, "a test", ["é", "\n"], [["é", "\""], ["x"]])
            tensors = [("a", "F32", (1, 2), struct.pack("<2f", 1.5, -2)), ("z", "F16", (), struct.pack("<e", 3))]
            dump.write_safetensors({{PythonScript.Quoted(file)}}, tensors, strings)
            """;
        (int exitCode, _, string error) = PythonScript.RunLines("dump.py", write);
        Assert.That((exitCode, error), Is.EqualTo((0, "")));

        using ActivationSet set = ActivationSet.Open(file);
        Assert.That(set.Names, Is.EqualTo(new[] { "z", "a" }));
        Assert.That(set.Architecture, Is.EqualTo("RobertaModel"));
        Assert.That(JsonSerializer.Serialize(new[] { set.InputIds, set.AttentionMask }), Is.EqualTo("[[[5,6],[7,1]],[[1,1],[1,0]]]"));
        Assert.That(set.Tokens![0], Is.EqualTo(new[] { "é", "\"" }));
        Assert.That(set["a"].ToArray(), Is.EqualTo(new[] { 1.5f, -2f }));
        Assert.That((set["z"].Rank, set["z"].Span[0]), Is.EqualTo((0, 3f)));

        (int refused, _, string says) = PythonScript.RunLines("dump.py", write);
        Assert.That(refused, Is.EqualTo(1));
        Assert.That(says, Does.Contain("exists").And.Contain("--force").And.Not.Contain("Traceback"));
    }

    /// <summary>A small model of a class, with random weights and two layers.</summary>
    private static PretrainedModel Make(Type type)
    {
        PretrainedConfig config = ModelFamilies.All.First(family => family.Classes.Contains(type)).ModelType switch
        {
            "distilbert" => new DistilBertConfig { VocabSize = 20, Dim = 16, NLayers = 2, NHeads = 4, HiddenDim = 32, MaxPositionEmbeddings = 20 },
            "codegen" => new CodeGenConfig { VocabSize = 20, NEmbd = 16, NLayer = 2, NHead = 4, RotaryDim = 4, NPositions = 16 },
            "gpt2" => new GPT2Config { VocabSize = 20, NEmbd = 16, NLayer = 2, NHead = 4, NPositions = 16 },
            "gptj" => new GPTJConfig { VocabSize = 20, NEmbd = 16, NLayer = 2, NHead = 4, RotaryDim = 4, NPositions = 16 },
            "gpt_bigcode" => new GPTBigCodeConfig { VocabSize = 20, NEmbd = 16, NLayer = 2, NHead = 4, NPositions = 16 },
            "gpt_neox" => new GPTNeoXConfig
            {
                VocabSize = 20, HiddenSize = 32, IntermediateSize = 32, NumHiddenLayers = 2, NumAttentionHeads = 4, MaxPositionEmbeddings = 16,
            },
            "llama" => LlamaOf(new LlamaConfig()),
            "qwen2" => LlamaOf(new Qwen2Config()),
            _ => BertOf(type) with
            {
                VocabSize = 20, HiddenSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 4, IntermediateSize = 32, MaxPositionEmbeddings = 20,
            },
        };
        return (PretrainedModel)typeof(PretrainedModels).GetMethod(nameof(PretrainedModels.FromConfig))!.MakeGenericMethod(type)
            .Invoke(null, [config, 0, null])!;
    }

    private static LlamaConfig LlamaOf(LlamaConfig config) => config with
    {
        VocabSize = 20, HiddenSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, IntermediateSize = 32, MaxPositionEmbeddings = 16,
    };

    private static BertConfig BertOf(Type type) => ModelFamilies.All.First(family => family.Classes.Contains(type)).ModelType switch
    {
        "roberta" => new RobertaConfig(),
        "xlm-roberta" => new XLMRobertaConfig(),
        "camembert" => new CamembertConfig(),
        "mpnet" => new MPNetConfig(),
        _ => new BertConfig(),
    };

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
