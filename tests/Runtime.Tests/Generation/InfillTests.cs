using System.Text.Json.Nodes;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Several gaps: the demo model has one mask, so a model with random weights stands in, with the demo's tokenizer and two masks more.</summary>
public sealed class InfillTests
{
    private const int Eom = 8191, Mask1 = 8189, Mask2 = 8192, Mask3 = 8193, Sep = 8190, EndOfText = 8188;
    private static readonly string[] Parts = ["def f():\n    ", "\n    return ", "\nprint(", ")\n"];
    private static readonly GenerationOptions Options = new() { MaxNewTokens = 5 };

    private CodeGenForCausalLM _model = null!;
    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _model = PretrainedModels.FromConfig<CodeGenForCausalLM>(
            new CodeGenConfig { VocabSize = 8194, NPositions = 96, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4, EosTokenId = [EndOfText] }, seed: 3);
        _generator = TextGenerator.Create(_model, TokenizerWithMasks(2, 3));
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
    }

    [Test]
    public void The_prompt_has_a_mask_for_every_gap_and_asks_for_the_first()
    {
        var format = new InfillFormat(_generator.Tokenizer, gaps: 3);
        int[] prompt = format.Prompt(Parts);
        Assert.That(prompt,
            Is.EqualTo((int[])[.. Ids(Parts[0]), Mask1, .. Ids(Parts[1]), Mask2, .. Ids(Parts[2]), Mask3, .. Ids(Parts[3]), EndOfText, Sep, Mask1]));
        Assert.That(format.Next(prompt, "x = 1", gap: 1), Is.EqualTo((int[])[.. prompt, .. Ids("x = 1"), Eom, Mask2]));
    }

    [Test]
    public void Every_answer_stands_before_the_next_question()
    {
        IReadOnlyList<string> answers = _generator.Infill(Parts, Options);
        var format = new InfillFormat(_generator.Tokenizer, gaps: 3);
        int[] prompt = format.Prompt(Parts);
        int[] ends = [EndOfText, Eom];
        for (int gap = 0; gap < 3; gap++)
        {
            int[] ids = _generator.GenerateIds([prompt], Options with { EosTokenId = ends })[0];
            Assert.That(answers[gap], Is.EqualTo(_generator.Tokenizer.Decode([.. ids.TakeWhile(id => !ends.Contains(id))])));
            prompt = gap == 2 ? prompt : [.. prompt, .. Ids(answers[gap]), Eom, gap == 0 ? Mask2 : Mask3];
        }
        Assert.That(answers.Distinct().Count(), Is.GreaterThan(1));
    }

    [Test]
    public void Two_texts_are_the_case_of_one_gap() =>
        Assert.That(_generator.Infill(["a = ", "\n"], Options).Single(), Is.EqualTo(_generator.Infill("a = ", "\n", Options)));

    [Test]
    public void More_gaps_than_masks_are_refused_with_the_numbers()
    {
        Assert.That(() => _generator.Infill(["a", "b", "c", "d", "e"]),
            Throws.TypeOf<ConfigException>().With.Message.Contains("no <mask_4>").And.Message.Contains("4 gaps")
                .And.Message.Contains("at most 3 gaps at a time"));
        using var demo = TextGenerator.Load(TestData.Model("demo-codegen"));
        Assert.That(() => demo.Infill(["a", "b", "c"]),
            Throws.TypeOf<ConfigException>().With.Message.Contains("no <mask_2>").And.Message.Contains("one gap at a time"));
    }

    [TestCase]
    [TestCase("alone")]
    public void Fewer_than_two_texts_are_refused(params string[] parts) =>
        Assert.That(() => _generator.Infill(parts), Throws.ArgumentException.With.Message.Contains($"There are {parts.Length} texts"));

    private int[] Ids(string text) => _generator.Tokenizer.Encode(text, pair: null, EncodeOptions.Plain).Ids;

    private static Tokenizer TokenizerWithMasks(params int[] masks)
    {
        string directory = TestData.Model("demo-codegen");
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "tokenizer.json")))!;
        foreach (int mask in masks)
        {
            JsonNode token = json["added_tokens"]!.AsArray().Single(added => added!["content"]!.GetValue<string>() == "<mask_1>")!.DeepClone();
            (token["content"], token["id"]) = ($"<mask_{mask}>", Mask2 + mask - 2);
            json["added_tokens"]!.AsArray().Add(token);
        }
        return Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>>
        {
            ["tokenizer.json"] = System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()),
            ["tokenizer_config.json"] = File.ReadAllBytes(Path.Combine(directory, "tokenizer_config.json")),
        });
    }
}
