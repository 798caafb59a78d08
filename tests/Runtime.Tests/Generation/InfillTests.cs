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
        var format = new InfillFormat(_generator.Tokenizer);
        int[] prompt = format.Prompt(new InfillRequest(Parts)).TokenIds;
        Assert.That(prompt,
            Is.EqualTo((int[])[.. Ids(Parts[0]), Mask1, .. Ids(Parts[1]), Mask2, .. Ids(Parts[2]), Mask3, .. Ids(Parts[3]), EndOfText, Sep, Mask1]));
        Assert.That(format.Next(prompt, "x = 1", gap: 1), Is.EqualTo((int[])[.. prompt, .. Ids("x = 1"), Eom, Mask2]));
    }

    [Test]
    public void Every_answer_stands_before_the_next_question()
    {
        IReadOnlyList<string> answers = _generator.Infill(Parts, Options);
        int[] prompt = new InfillFormat(_generator.Tokenizer).Prompt(new InfillRequest(Parts)).TokenIds;
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

    [Test]
    public async Task Streamed_pieces_together_are_the_text_of_the_gap()
    {
        using var demo = TextGenerator.Load(TestData.Model("demo-codegen"));
        var request = new InfillRequest("def hello_world():\n    ", "    return name");
        (string text, TextPiece? last) = ("", null);
        await foreach (TextPiece piece in demo.StreamInfillAsync(request))
            (text, last) = (text + piece.Text, piece);
        Assert.That(text, Is.EqualTo(demo.Infill(request.Parts[0], request.Parts[1])).And.EqualTo("print(\"Hello World\")"));
        Assert.That((last!.FinishReason, last.TokenIds[^1]), Is.EqualTo(((FinishReason?)FinishReason.EndToken, Eom)), "<eom> ends it and has no text");
        Assert.That(() => demo.StreamInfillAsync(new InfillRequest(["a", "b", "c"])),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("2 gaps; one can be streamed"));
    }

    [Test]
    public async Task A_session_computes_what_comes_after_the_edit()
    {
        using var demo = TextGenerator.Load(TestData.Model("demo-codegen"));
        using GenerationSession session = demo.CreateSession();
        var request = new InfillRequest("def hello_world():\n    ", "    return name") { Files = [("a.py", "a = 1\nb = 2\n")] };
        string text = demo.InfillSequences(request).Sequences[0].Text;
        GenerationOutput first = session.Infill(request), again = session.Infill(request);
        Assert.That((first.Sequences[0].Text, again.Sequences[0].Text), Is.EqualTo((text, text)));
        Assert.That((first.Usage.CachedTokens, again.Usage.CachedTokens), Is.EqualTo((0, first.Usage.PromptTokens - 1)));

        var typed = new InfillRequest("def hello_world():\n    print", "    return name") { Files = request.Files };
        string streamed = "";
        await foreach (TextPiece piece in session.StreamInfillAsync(typed))
            streamed += piece.Text;
        Assert.That(streamed, Is.EqualTo(demo.InfillSequences(typed).Sequences[0].Text));
        int before = Ids("#a.py\na = 1\nb = 2\ndef hello_world():\n    ").Length;
        Assert.That(session.Infill(request).Usage.CachedTokens, Is.GreaterThanOrEqualTo(before - 1), "the file and the prefix up to the edit");
    }

    [Test]
    public void Several_gaps_in_a_session_are_those_without()
    {
        using GenerationSession session = _generator.CreateSession();
        GenerationOutput output = session.Infill(new InfillRequest(Parts), Options);
        Assert.That(output.Sequences.Select(one => one.Text), Is.EqualTo(_generator.Infill(Parts, Options)));
        Assert.That(output.Sequences.Select(one => one.PromptIndex), Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(output.Usage.CachedTokens, Is.GreaterThan(2 * Ids(string.Concat(Parts)).Length), "each prompt begins with the one before");
    }

    [TestCase("<|file_sep|>")]
    [TestCase("<|fim_pad|>")]
    [TestCase("<|endoftext|>")]
    public void A_token_of_the_format_ends_the_text(string end)
    {
        Tokenizer tokenizer = InfillTokenizers.Qwen;
        using CodeGenForCausalLM model = Model(4278);
        using TextGenerator generator = TextGenerator.Create(model, tokenizer);
        GeneratedSequence one = Written(generator, new InfillRequest("x", "y"), [.. tokenizer.EncodeToIds(" + 1"), tokenizer.TokenToId(end)!.Value, 0, 0]);
        Assert.That((one.Text, one.FinishReason, one.TokenIds.Count), Is.EqualTo((" + 1", FinishReason.EndToken, tokenizer.CountTokens(" + 1") + 1)));
    }

    // decode_infilling of meta-llama/codellama: no leading space is taken off, where decoding by itself does.
    [TestCase(false)]
    [TestCase(true)]
    public async Task A_space_at_the_beginning_of_CodeLlamas_answer_stays(bool metaspace)
    {
        Tokenizer tokenizer = metaspace ? InfillTokenizers.CodeLlamaMetaspace : InfillTokenizers.CodeLlama;
        using CodeGenForCausalLM model = Model(4004);
        using TextGenerator generator = TextGenerator.Create(model, tokenizer);
        int[] answer = [tokenizer.TokenToId("▁return")!.Value, tokenizer.TokenToId("▁x")!.Value, 4003];
        Assert.That(tokenizer.Decode(answer.AsSpan(..2)), Is.EqualTo("return x"));
        var request = new InfillRequest("  ", "\n");
        Assert.That(Written(generator, request, answer).Text, Is.EqualTo(" return x"));
        int prompt = new InfillFormat(tokenizer).Prompt(request).TokenIds.Length;
        string streamed = "";
        await foreach (TextPiece piece in generator.StreamInfillAsync(request, Scripted(prompt, answer)))
            streamed += piece.Text;
        Assert.That(streamed, Is.EqualTo(" return x"));
    }

    [Test]
    public void A_stop_string_and_a_recipe_end_the_text_of_a_gap()
    {
        using var demo = TextGenerator.Load(TestData.Model("demo-codegen"));
        (string prefix, string suffix) = ("def hello_world():\n    ", "    return name");
        Assert.That(demo.Infill(prefix, suffix, new GenerationOptions { StopStrings = [" World"] }), Is.EqualTo("print(\"Hello"));
        Assert.That(demo.Infill(prefix, suffix, new GenerationOptions { TruncateBeforePattern = ["Hello"] }), Is.EqualTo("print(\""));
    }

    [Test]
    public void A_prompt_that_is_too_long_is_refused_or_cut_and_the_usage_says_how_much()
    {
        var request = new InfillRequest(string.Concat(Enumerable.Repeat("x = 1\n", 30)), "\nprint(x)\n") { Files = [("a.py", "a"), ("b.py", "b")] };
        Assert.That(() => _generator.InfillSequences(request, Options),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 96").And.Message.Contains("TruncatePrompt"));
        GenerationUsage usage = _generator.InfillSequences(request, Options with { TruncatePrompt = true }).Usage;
        int fixedTokens = 4, prefix = Ids(request.Parts[0]).Length, suffix = Ids(request.Parts[1]).Length;     // <mask_1> <|endoftext|> <sep> <mask_1>
        Assert.That((usage.PromptTokens, usage.DroppedFiles), Is.EqualTo((91, 2)), "96 less 5 new tokens");
        Assert.That(usage.DroppedTokens, Is.EqualTo(prefix + suffix + fixedTokens - 91));

        using GenerationSession session = _generator.CreateSession(new SessionOptions { MaxLength = 40 });
        Assert.That(session.Infill(request, Options with { TruncatePrompt = true }).Usage.PromptTokens, Is.EqualTo(35));
    }

    private static CodeGenForCausalLM Model(int vocabSize) => PretrainedModels.FromConfig<CodeGenForCausalLM>(
        new CodeGenConfig { VocabSize = vocabSize, NPositions = 96, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4 }, seed: 3);

    private static GeneratedSequence Written(TextGenerator generator, InfillRequest request, int[] answer) =>
        generator.InfillSequences(request, Scripted(new InfillFormat(generator.Tokenizer).Prompt(request).TokenIds.Length, answer)).Sequences[0];

    private static GenerationOptions Scripted(int promptLength, int[] answer) =>
        new() { MaxNewTokens = answer.Length, LogitsProcessors = [new TinyDecoder.Script(promptLength, answer)] };

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
