using System.Text;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class StreamTests
{
    private static readonly Tokenizer Tokenizer = Tokenizers.Tokenizer.Load(TestData.Model("demo-codegen"));
    private DecoderForCausalLM _model = null!;
    private TextGenerator _generator = null!;

    // What is said, the stop strings, and what of it is given.
    private static IEnumerable<TestCaseData> Texts() =>
    [
        new("x = \"😀→語é\"\n", Array.Empty<string>(), "x = \"😀→語é\"\n"),
        new("😀😁", new[] { "😁" }, "😀"),
        new("😀😁", new[] { "😂" }, "😀😁"),
        new("return x\n\nprint(x)\n", new[] { "rn x\n\npri" }, "retu"),
        new("aaab", new[] { "aab" }, "a"),
        new("ababac!", new[] { "abac" }, "ab"),
        new("return x\n", new[] { "x\nprint" }, "return x\n"),
        new("return x\n", new[] { "return x\n" }, ""),
        new("one two three", new[] { "two", "two three" }, "one "),
        new("one two three", new[] { "two three", "two" }, "one "),
        new("abcdef", new[] { "cd", "bc" }, "a"),
        new("abcdef", new[] { "bc", "cd" }, "a"),
        new("語語→", new[] { "語→" }, "語"),
    ];

    [OneTimeSetUp]
    public void Load()
    {
        _model = TinyDecoder.Model(Tokenizer.VocabularySize, positions: 128);
        _generator = TextGenerator.Create(_model, Tokenizer);
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
    }

    [TestCaseSource(nameof(Texts))]
    public async Task Pieces_are_whole_characters_and_together_the_text_its_tokens_and_probabilities(string said, string[] stops, string given)
    {
        foreach (int[] tokens in new[] { Tokenizer.Encode(said).Ids, ByCharacter(said) })
        {
            GenerationOptions options = Saying("x", tokens) with { StopStrings = stops, TopLogProbabilities = 1 };
            GeneratedSequence whole = _generator.GenerateSequences(["x"], options).Sequences[0];
            Assert.That(whole.Text, Is.EqualTo(given));
            List<TextPiece> pieces = await Read(_generator.StreamAsync("x", options));
            Assert.That(string.Concat(pieces.Select(piece => piece.Text)), Is.EqualTo(given));
            foreach (TextPiece piece in pieces)
                Assert.That(() => new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(piece.Text), Throws.Nothing, "no half of a surrogate pair");
            Assert.That(pieces.Select(piece => piece.Text), Has.None.Contains('\uFFFD'));
            Assert.That(pieces.SelectMany(piece => piece.TokenIds), Is.EqualTo(whole.TokenIds));
            Assert.That(pieces.SelectMany(piece => piece.LogProbabilities!).Select(one => (one.TokenId, one.LogProbability)),
                Is.EqualTo(whole.LogProbabilities!.Select(one => (one.TokenId, one.LogProbability))));
            Assert.That(pieces.SkipLast(1).All(piece => piece is { FinishReason: null, Usage: null, Text: not "" }));
            Assert.That((pieces[^1].FinishReason, pieces[^1].Usage!.NewTokens), Is.EqualTo(((FinishReason?)whole.FinishReason, whole.TokenIds.Count)));
            Assert.That(whole.FinishReason, Is.EqualTo(given == said ? FinishReason.Length : FinishReason.StopString));
        }
    }

    [Test]
    public async Task Text_comes_as_soon_as_no_stop_string_can_begin_in_it()
    {
        GenerationOptions options = Saying("x", ByCharacter("ab--c-")) with { StopStrings = ["--x"] };
        List<TextPiece> pieces = await Read(_generator.StreamAsync("x", options));
        Assert.That(pieces.Select(piece => piece.Text), Is.EqualTo(new[] { "a", "b", "--c", "-" }));
    }

    [Test]
    public async Task Half_a_character_at_the_end_is_what_decoding_makes_of_it()
    {
        int[] half = ByCharacter("a😀")[..^1];
        GenerationOptions options = Saying("x", half);
        List<TextPiece> pieces = await Read(_generator.StreamAsync("x", options));
        Assert.That(string.Concat(pieces.Select(piece => piece.Text)), Is.EqualTo(_generator.Generate("x", options)).And.EqualTo("a\uFFFD"));
    }

    [Test]
    public void What_the_text_says_is_the_reason_before_any_limit()
    {
        int[] tokens = [.. ByCharacter("ab"), 1];
        GenerationOptions limited = Saying("x", tokens) with { EosTokenId = [1], MaxTime = TimeSpan.FromTicks(1) };
        FinishReason Reason(GenerationOptions options) => _generator.GenerateSequences(["x"], options).Sequences[0].FinishReason;
        Assert.That(Reason(limited), Is.EqualTo(FinishReason.MaxTime));
        Assert.That(Reason(limited with { MaxNewTokens = 1 }), Is.EqualTo(FinishReason.Length));
        Assert.That(Reason(limited with { MaxNewTokens = 1, StoppingCriteria = [new Always()] }), Is.EqualTo(FinishReason.Criterion));
        Assert.That(Reason(limited with { MaxNewTokens = 1, StoppingCriteria = [new Always()], StopStrings = ["a"] }), Is.EqualTo(FinishReason.StopString));
        Assert.That(Reason(limited with { MaxNewTokens = 3, MaxTime = null, StopStrings = ["zz"] }), Is.EqualTo(FinishReason.EndToken),
            "at the greatest length");
    }

    [Test]
    public async Task A_stream_can_be_read_twice_and_need_not_be_read_at_all()
    {
        using DecoderForCausalLM model = TinyDecoder.Model(Tokenizer.VocabularySize);
        using TextGenerator generator = TextGenerator.Create(model, Tokenizer);
        IAsyncEnumerable<TextPiece> stream = generator.StreamAsync("x", Saying("x", ByCharacter("abc")));
        List<TextPiece> first = await Read(stream), second = await Read(stream);
        Assert.That(second.Select(piece => piece.Text), Is.EqualTo(first.Select(piece => piece.Text)));
        Assert.That(() => generator.StreamAsync("x", new GenerationOptions { NumBeams = 2 }), Throws.TypeOf<ModelInputException>(),
            "refused before it is read");
    }

    [Test]
    public async Task An_exception_comes_through_and_generator_and_session_go_on()
    {
        GenerationOptions good = Saying("x", ByCharacter("abc")),
            bad = good with { LogitsProcessors = [.. good.LogitsProcessors!, new TinyDecoder.Failing(3)] };
        using GenerationSession session = _generator.CreateSession();
        foreach (IAsyncEnumerable<TextPiece> stream in new[] { _generator.StreamAsync("x", bad), session.StreamAsync("x", bad) })
            await Assert.ThatAsync(async () => await Read(stream), Throws.TypeOf<InvalidOperationException>().With.Message.EqualTo("the processor's own"));
        Assert.That(_generator.Generate("x", good), Is.EqualTo("abc"));
        Assert.That(session.Generate("x", good).Sequences[0].Text, Is.EqualTo("abc"));
    }

    [Test]
    public async Task Who_stops_reading_frees_the_session()
    {
        using GenerationSession session = _generator.CreateSession();
        GenerationOptions options = Saying("x", ByCharacter("abcdef"));
        await foreach (TextPiece _ in session.StreamAsync("x", options))
            break;
        Assert.That(session.TokenIds, Is.EqualTo(Tokenizer.Encode("x").Ids));
        Assert.That(session.Generate("x", options).Sequences[0].Text, Is.EqualTo("abcdef"));
    }

    private static GenerationOptions Saying(string prompt, int[] tokens) => new()
    {
        MaxNewTokens = tokens.Length, EosTokenId = [], LogitsProcessors = [new TinyDecoder.Script(Tokenizer.Encode(prompt).Ids.Length, tokens)],
    };

    // A token for each character, or for each byte where no token is that character.
    private static int[] ByCharacter(string text) => [.. text.EnumerateRunes().SelectMany(rune => Tokenizer.Encode(rune.ToString()).Ids)];

    private static async Task<List<TextPiece>> Read(IAsyncEnumerable<TextPiece> stream)
    {
        var pieces = new List<TextPiece>();
        await foreach (TextPiece piece in stream)
            pieces.Add(piece);
        return pieces;
    }

    private sealed class Always : StoppingCriterion
    {
        public override bool IsMet(GenerationState state) => true;
    }

    // transformers' TextGenerationPipeline gives prompt and text together; Decode of the new tokens alone would lose the space.
    [Test]
    public async Task A_text_begins_with_the_space_that_stands_between_it_and_the_prompt()
    {
        Tokenizer tokenizer = TestData.Tokenizer("llama-code-4k");
        using DecoderForCausalLM model = TinyDecoder.Model(4000);
        using TextGenerator generator = TextGenerator.Create(model, tokenizer);
        int[] words = [tokenizer.TokenToId("▁return")!.Value, tokenizer.TokenToId("▁x")!.Value];
        GenerationOptions Says(int promptLength) => new() { MaxNewTokens = 2, LogitsProcessors = [new TinyDecoder.Script(promptLength, words)] };
        int[] prompt = generator.Encode("def");
        Assert.That(generator.Generate("def", Says(prompt.Length)), Is.EqualTo(" return x"));
        Assert.That(generator.GenerateSequences([prompt], Says(prompt.Length) with { NumBeams = 2 }).Sequences[0].Text, Is.EqualTo(" return x"));
        Assert.That(generator.Generate("def", Says(prompt.Length) with { StopStrings = [" x"] }), Is.EqualTo(" return"));
        string streamed = "";
        await foreach (TextPiece piece in generator.StreamAsync("def", Says(prompt.Length)))
            streamed += piece.Text;
        Assert.That(streamed, Is.EqualTo(" return x"));
        Assert.That(generator.Generate("", Says(1)), Is.EqualTo("return x"), "behind <s> alone the text begins");
    }
}
