using static ManagedTransformers.Tokenizers.Tests.SentencePieceWriter;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>SentencePiece models without a tokenizer.json; small ones show one rule each.</summary>
public class SentencePieceTests
{
    private const string Llama = """{"tokenizer_class":"LlamaTokenizer","add_bos_token":false}""";

    [Test]
    public void Merges_by_score_are_those_that_transformers_wrote_into_tokenizer_json()
    {
        string directory = TestFiles.Tokenizer("llama-code-4k");
        var fromJson = (Bpe)Tokenizer.Load(directory).Parts.Model;
        var fromModel = (Bpe)Tokenizer.Load(directory, new TokenizerLoadOptions { IgnoreTokenizerJson = true }).Parts.Model;
        Assert.That(fromModel.Merges.Ranked, Has.Count.EqualTo(2123));
        Assert.That(fromModel.Merges.Ranked, Is.EqualTo(fromJson.Merges.Ranked));
    }

    // The ids of sentencepiece 0.1.97 for the same model.
    [TestCase("ab ab", new[] { 7, 7 }, 1, 0)]
    [TestCase(" ab  b ", new[] { 3, 7, 3, 3, 5, 3 }, 1, 0)]
    [TestCase(" ab  b ", new[] { 7, 3, 5 }, 1, 1)]
    [TestCase(" ab  b ", new[] { 6, 3, 5 }, 0, 1)]
    [TestCase(" ab  b ", new[] { 7, 3, 3, 5, 3 }, 0, 0)]
    [TestCase("  ", new[] { 3, 3, 3 }, 1, 0)]
    [TestCase("  ", new int[0], 1, 1)]
    [TestCase("  ab\n ", new[] { 7, 0 }, 1, 1)]       // a line end is no space
    [TestCase("acx", new[] { 3, 4, 0 }, 1, 0)]
    public void A_bpe_treats_spaces_as_the_model_says(string text, int[] ids, int dummyPrefix, int removeExtra)
    {
        byte[] model = Bpe([.. Number(3, dummyPrefix), .. Number(4, removeExtra)]);
        Assert.That(Load(model, Llama).EncodeToIds(text), Is.EqualTo(ids));
        if (removeExtra == 0) Assert.That(Load(model).EncodeToIds(text), Is.EqualTo(ids), "without a class");
    }

    // The ids of sentencepiece 0.1.97 for the same model.
    [TestCase("ab b", new[] { 6, 3, 5 }, 1, 1)]
    [TestCase("  ab   b  ", new[] { 6, 3, 5 }, 1, 1)]
    [TestCase("  ab   b  ", new[] { 4, 5, 3, 5 }, 0, 1)]
    [TestCase("  ab   b  ", new[] { 3, 3, 6, 3, 3, 3, 5, 3, 3 }, 1, 0)]
    [TestCase("  ab   b  ", new[] { 3, 6, 3, 3, 3, 5, 3, 3 }, 0, 0)]
    [TestCase("xyab", new[] { 3, 0, 4, 5 }, 1, 1)]
    public void A_unigram_treats_spaces_as_the_model_says(string text, int[] ids, int dummyPrefix, int removeExtra) =>
        Assert.That(Load(Unigram([.. Number(3, dummyPrefix), .. Number(4, removeExtra)])).EncodeToIds(text), Is.EqualTo(ids));

    [Test]
    public void Llama_begins_a_text_with_its_bos_unless_it_is_told_not_to()
    {
        Tokenizer tokenizer = Load(Bpe(), """{"tokenizer_class":"LlamaTokenizerFast"}""");
        TokenEncoding pair = tokenizer.Encode("ab", "b");
        Assert.That(tokenizer.EncodeToIds("ab"), Is.EqualTo(new[] { 1, 7 }));
        Assert.That(pair.Ids, Is.EqualTo(new[] { 1, 7, 1, 3, 5 }));
        Assert.That(pair.TypeIds, Is.EqualTo(new[] { 0, 0, 1, 1, 1 }));
        Assert.That(tokenizer.Decode([1, 7, 7], new DecodeOptions { SkipSpecialTokens = true }), Is.EqualTo("ab ab"));
    }

    [Test]
    public void Special_tokens_of_a_model_without_a_class_are_those_of_trainer_spec()
    {
        Tokenizer tokenizer = Load(Bpe(null, new SentencePiece("<x>", 0, PieceType.UserDefined)));
        Assert.That(tokenizer.SpecialTokens.Summary, Is.EqualTo("bos <s> 1, eos </s> 2, unk <unk> 0, sep </s> 2, cls <s> 1"));
        Assert.That(tokenizer.EncodeToIds("a<x></s>"), Is.EqualTo(new[] { 3, 4, 8, 2 }));
        Assert.That(tokenizer.Decode([8, 2, 7], new DecodeOptions { SkipSpecialTokens = true }), Is.EqualTo("<x> ab"), "user-defined pieces are not special");
    }

    [Test]
    public void Unknown_characters_become_the_pieces_of_their_bytes()
    {
        SentencePiece[] bytes = [.. Enumerable.Range(0, 256).Select(b => new SentencePiece($"<0x{b:X2}>", 0, PieceType.Byte))];
        byte[] model = [.. Bpe(null, bytes), .. Message(2, Number(35, 1))];        // what comes twice is merged
        Tokenizer tokenizer = Load(model, Llama);
        Assert.That(tokenizer.EncodeToIds("aé"), Is.EqualTo(new[] { 3, 4, 8 + 0xC3, 8 + 0xA9 }));
        Assert.That(tokenizer.Decode([3, 4, 8 + 0xC3, 8 + 0xA9]), Is.EqualTo("aé"));
    }

    [Test]
    public void Every_model_that_ends_early_is_refused_or_whole()
    {
        byte[] model = Bpe();
        int refused = 0;
        for (int length = 0; length < model.Length; length++)
        {
            try
            {
                Load(model[..length]);
            }
            catch (TokenizerException)
            {
                refused++;
            }
        }
        // 8 pieces, then two specs: it can end after any of the last 8 parts once unk is there, and is whole without the others.
        Assert.That(model.Length - refused, Is.EqualTo(9));
    }

    [Test]
    public void Every_model_with_a_wrong_byte_loads_or_is_refused_as_documented()
    {
        byte[] model = [.. Unigram(), .. Message(3, Message(2, File.ReadAllBytes(Xlmr)[..2000]))];
        for (int at = 0; at < model.Length; at++)
        {
            foreach (byte wrong in new byte[] { 0, 0x7F, 0xFF, (byte)(model[at] ^ 1), (byte)(model[at] ^ 0x80) })
            {
                byte[] damaged = [.. model];
                damaged[at] = wrong;
                try
                {
                    Load(damaged).EncodeToIds("ab é <s> ﬁ");
                }
                catch (TokenizerException)
                {
                }
            }
        }
        Assert.That(() => Load(model), Throws.TypeOf<TokenizerException>().With.Message.Contains("precompiled_charsmap is damaged"));
    }

    private static IEnumerable<TestCaseData> Bad()
    {
        static SentencePiece Normal(string text, float score = -5) => new(text, score, PieceType.Normal);
        yield return new(Array.Empty<byte>(), "0 pieces, 0 of them of type Unknown");
        yield return new("{\"model\": 1}"u8.ToArray(), "field 15 has wire type 3");
        yield return new(Bpe(null, Normal("c", float.NaN)), "piece 8, \"c\", has the score NaN");
        yield return new(Bpe(null, Normal("c", float.PositiveInfinity)), "has the score");
        yield return new(Bpe(null, Normal("")), "piece 8 has no text");
        yield return new(Bpe(null, Normal("ab")), "the piece \"ab\" twice, with ids 6 and 8");
        yield return new(Bpe(null, Normal(new string('a', 300))), "has 300 characters; one that is merged has at most 256");
        yield return new(Bpe(null, new SentencePiece("c", 0, PieceType.Unused)), "is of type Unused");
        yield return new(Bpe(null, new SentencePiece("c", 0, PieceType.Unknown)), "9 pieces, 2 of them of type Unknown");
        yield return new(Bpe(null, new SentencePiece("c", 0, (PieceType)9)), "has type 9; known are Normal");
        yield return new(Bpe(null, new SentencePiece("<0x00>", 0, PieceType.Byte)), "byte_fallback false, and has");
        yield return new(Bpe(Number(5, 0)), "escape_whitespaces false");
        yield return new(Bpe(Message(2, [1, 2])), "precompiled_charsmap is damaged: it has 2 bytes");
        yield return new(Bpe(Number(2, 7)), "normalizer_spec is damaged or something else: at byte 1 of 2, field 2 has wire type 0 (Varint); it must be 2");
        yield return new(Model(Number(3, 3), [], Begin), "model_type 3 (word)");
        yield return new(Model(Number(3, 4), [], Begin), "model_type 4 (char)");
        yield return new(Model(Number(24, 1), [], Begin), "treat_whitespace_as_suffix");
        yield return new(Model(Number(35, 1), [], Begin), "byte_fallback true, and has no pieces of type Byte");
        yield return new((byte[])[.. Bpe(), .. Message(5, Message(2, [1]))], "denormalizer_spec");
        yield return new((byte[])[.. Bpe(), 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], "field 1 has 4294967295 bytes, of which 0 are there");
        yield return new((byte[])[.. Bpe(), 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], "bytes, of which 0 are there");
        yield return new((byte[])[.. Bpe(), .. Enumerable.Repeat((byte)0xFF, 11)], "a number has more than 10 bytes");
        yield return new((byte[])[.. Bpe(), 0x0B], "field 1 has wire type 3");
        yield return new((byte[])[.. Bpe(), .. Message(1, Message(1, [0xFF]))], "piece 8 is damaged or something else: at byte 3 of 3, field 1 is not UTF-8");
    }

    [TestCaseSource(nameof(Bad))]
    public void What_is_wrong_with_a_model_is_said(byte[] model, string said) =>
        Assert.That(() => Load(model), Throws.TypeOf<TokenizerException>().With.Message.Contains(said));

    [Test]
    public void A_class_and_a_model_that_do_not_belong_together_are_refused()
    {
        byte[] model = Model([], [], new("<pad>", 0, PieceType.Control), new("<unk>", 0, PieceType.Unknown), new("</s>", 0, PieceType.Control));
        Assert.That(() => Load(model, """{"tokenizer_class":"XLMRobertaTokenizer"}"""),
            Throws.TypeOf<TokenizerException>().With.Message.Contains("begins with the pieces \"<pad>\", \"<unk>\", \"</s>\""));
        Assert.That(() => Load(Bpe(), """{"tokenizer_class":"RobertaTokenizer"}"""),
            Throws.TypeOf<TokenizerException>().With.Message.Contains("is made of vocab.json and merges.txt; the given files has tokenizer.model"));
        Assert.That(() => Load(Bpe(), """{"tokenizer_class":"LlamaTokenizer","sp_model_kwargs":{"enable_sampling":true}}"""),
            Throws.TypeOf<TokenizerException>().With.Message.Contains("sp_model_kwargs has enable_sampling"));
    }

    private static string Xlmr => Path.Combine(TestFiles.Tokenizer("xlmr-multi-8k"), "sentencepiece.bpe.model");

    private static Tokenizer Load(byte[] model, string? config = null)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>> { ["tokenizer.model"] = model };
        if (config is not null) files.Add("tokenizer_config.json", Tiny.Bytes(config));
        return Tokenizer.FromFiles(files);
    }
}
