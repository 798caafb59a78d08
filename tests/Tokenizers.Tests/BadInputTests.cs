using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Bad files and options: a TokenizerException that says where, what was found, what was needed and what to do.</summary>
public class BadInputTests
{
    [Test]
    public void A_missing_directory_is_named() => AssertRefused(() => Tokenizer.Load("/no/such/directory"), "There is no directory /no/such/directory.");

    [Test]
    public void A_directory_without_a_tokenizer_says_what_it_needs() =>
        AssertRefused(() => Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>>()), "tokenizer.json", "vocab.txt");

    [TestCase("")]
    [TestCase("{")]
    public void Broken_json_is_refused(string json) => AssertRefused(() => Tokenizer.FromJson(Tiny.Bytes(json)), "tokenizer.json", "is not JSON");

    [TestCase("version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS, not the file itself. Get the file with: git lfs pull.")]
    [TestCase("[]", "must be an object")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"\ud800":0},"merges":[]}}""", "half a surrogate pair")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":NaN},"merges":[]}}""", "vocab[\"a\"] is NaN; it must be an id")]
    [TestCase("""{"model":{"type":"BPE","vocab":{},"merges":[],"dropout":-Infinity}}""", "dropout is -Infinity; it must be a number")]
    [TestCase("{}", "no \"model\"")]
    [TestCase("""{"version":"2.0"}""", "\"1.0\"")]
    [TestCase("""{"model":{"type":"Unigram","vocab":[]}}""", "Unigram")]
    [TestCase("""{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"[UNK]"}}""", "[UNK]")]
    [TestCase("""{"model":{"type":"WordPiece","vocab":{"[UNK]":0},"unk_token":7}}""", "must be a string")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":3000000000},"merges":[]}}""", "2,147,483,647")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "from 0")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1.5},"merges":[]}}""", "whole number")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1,"b":1},"merges":[]}}""", "id 1 belongs to")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1,"a":2},"merges":[]}}""", "twice")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1,"b":2},"merges":["a b"]}}""", "\"ab\"")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1},"merges":[["a","b","c"]]}}""", "merges[0] is [\"a\",\"b\",\"c\"]; it must be two tokens")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1},"merges":["a x"]}}""", "\"x\"")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1},"merges":["a"]}}""", "one space")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1},"merges":[["a"]]}}""", "merges[0]")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1},"merges":{}}}""", "an array")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1},"merges":[],"dropout":0.1}}""", "dropout")]
    [TestCase("""{"model":{"type":"Unigram","vocab":[["a",0]]}}""", "without unk_id")]
    [TestCase("""{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}}""", "one of the 1 pieces")]
    [TestCase("""{"model":{"type":"Unigram","vocab":[["a",0],["a",1]],"unk_id":0}}""", "\"a\" again, which has id 0")]
    [TestCase("""{"model":{"type":"Unigram","vocab":[["a"]],"unk_id":0}}""", "vocab[0]")]
    [TestCase("""{"model":{"type":"Unigram","vocab":[["a","x"]],"unk_id":0}}""", "must be a number")]
    [TestCase("""{"model":{"type":"Unigram","vocab":{"a":1},"unk_id":0}}""", "an array of pieces and scores")]
    [TestCase("""{"pre_tokenizer":{"type":"FixedLength","length":0},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "length is 0; it must be a number")]
    [TestCase("""{"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":0}}""", "behind a ByteLevel")]
    [TestCase("""{"normalizer":{"type":"Mystery"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "Mystery")]
    [TestCase("""{"normalizer":{"type":"Precompiled","precompiled_charsmap":"?"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "is not base64")]
    [TestCase("""{"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "has 3 bytes")]
    [TestCase("""{"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAQAAA=="},"model":{"type":"BPE","vocab":{},"merges":[]}}""",
        "array has 1024 bytes")]
    [TestCase("""{"pre_tokenizer":{"type":"Sentences"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "Sentences")]
    [TestCase("""{"pre_tokenizer":{"type":"Metaspace","replacement":"__"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "one character")]
    [TestCase("""{"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"last"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "\"first\"")]
    [TestCase("""{"decoder":{"type":"Mystery"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "Mystery")]
    [TestCase("""{"post_processor":{"type":"Mystery"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "Mystery")]
    [TestCase("""{"post_processor":{"type":"RobertaProcessing","sep":["</s>"],"cls":["<s>",0]},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "sep")]
    [TestCase("""{"added_tokens":[{"id":1,"content":"a"},{"id":1,"content":"b"}],"model":{"type":"BPE","vocab":{},"merges":[]}}""",
        "id 1 belongs to \"a\" and to \"b\"")]
    [TestCase("""{"added_tokens":[{"content":"a"}],"model":{"type":"BPE","vocab":{},"merges":[]}}""", "\"id\"")]
    public void A_bad_tokenizer_json_is_refused(string json, string says) => AssertRefused(() => Tokenizer.FromJson(Tiny.Bytes(json)), "tokenizer.json", says);

    [Test]
    public void A_damaged_map_of_characters_is_refused_or_harmless()
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(TestFiles.Tokenizer("xlmr-multi-8k"), "tokenizer.json")))!;
        JsonNode precompiled = json["normalizer"]!["normalizers"]![0]!;
        byte[] map = Convert.FromBase64String(precompiled["precompiled_charsmap"]!.GetValue<string>());
        json["model"]!["vocab"] = new JsonArray(new JsonArray("<unk>", 0));
        (json["model"]!["unk_id"], json["added_tokens"], json["post_processor"]) = (0, null, null);
        string text = string.Concat(Enumerable.Range(1, 0x3400).Where(c => c is < 0xD800).Select(c => (char)c)) + "ｶﾞ㍿ﷺﬁ각e\u0301\u0323";
        var random = new Random(3);
        int refused = 0;
        for (int i = 0; i < 100; i++)
        {
            byte[] damaged = [.. map];
            for (int flips = 0; flips < 20; flips++) damaged[random.Next(4, damaged.Length)] ^= (byte)(1 << random.Next(8));
            precompiled["precompiled_charsmap"] = Convert.ToBase64String(damaged);
            try
            {
                Tokenizer.FromJson(Tiny.Bytes(json.ToJsonString())).EncodeToIds(text);
            }
            catch (TokenizerException e) when (e.Message.Contains("precompiled_charsmap is damaged", StringComparison.Ordinal))
            {
                refused++;
            }
        }
        Assert.That(refused, Is.GreaterThan(50));
    }

    [TestCase("""{"model":{"type":"BPE","vocab":{"\ud800":1},"merges":[]}}""")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":1},"merges":[],"unk_token":"\udc00"}}""")]
    public void Half_a_surrogate_pair_is_refused(string json) => AssertRefused(() => Tokenizer.FromJson(Tiny.Bytes(json)), "surrogate");

    [Test]
    public void Json_that_is_not_utf8_is_refused() =>
        AssertRefused(() => Tokenizer.FromJson(new byte[] { (byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)':', (byte)'1', (byte)'}' }),
            "tokenizer.json", "UTF-8");

    [Test]
    public void Deeply_nested_json_is_refused() => AssertRefused(() => Tokenizer.FromJson(Tiny.Bytes(new string('[', 100_000))), "tokenizer.json");

    [Test]
    public void A_template_that_names_an_unknown_special_token_is_refused()
    {
        JsonObject json = Tiny.ByteLevelJson();
        json["post_processor"] =
            JsonNode.Parse("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[X]","type_id":0}}],"pair":[],"special_tokens":{}}""");
        AssertRefused(() => Tiny.Load(json), "[X]", "special_tokens");
    }

    [Test]
    public void Vocab_json_without_merges_is_refused() =>
        AssertRefused(() => Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>> { ["vocab.json"] = Tiny.Bytes("{}") }), "merges.txt");

    [Test]
    public void Merges_of_another_tokenizer_are_refused()
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            ["vocab.json"] = Tiny.Bytes("""{"<s>":0,"</s>":1,"a":2}"""), ["merges.txt"] = Tiny.Bytes("#version: 0.2\na b\n"),
        };
        AssertRefused(() => Tokenizer.FromFiles(files), "merges.txt", "\"b\"");
    }

    [Test]
    public void A_vocabulary_of_no_known_kind_asks_for_the_kind()
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>> { ["vocab.json"] = Tiny.Bytes("""{"a":0}"""), ["merges.txt"] = Tiny.Bytes("#version: 0.2\n") };
        AssertRefused(() => Tokenizer.FromFiles(files), "ModelType");
        Assert.That(Tokenizer.FromFiles(files, new TokenizerLoadOptions { ModelType = "gpt2" }).Encode("a").Ids, Is.EqualTo(new[] { 0 }));
    }

    [Test]
    public void A_vocab_txt_that_is_not_text_is_refused() =>
        AssertRefused(() => Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>> { ["vocab.txt"] = new byte[] { 65, 0xFF, 0xFE } }), "vocab.txt",
            "UTF-8");

    [Test]
    public void A_vocab_txt_without_its_special_tokens_is_refused()
    {
        AssertRefused(() => Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>> { ["vocab.txt"] = Tiny.Bytes("a\nb\n") }), "[UNK]");
        AssertRefused(() => Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>> { ["vocab.txt"] = Tiny.Bytes("[UNK]\n") }), "cls_token");
    }

    [TestCase("1e30", null)]
    [TestCase("1000000000000000019884624838656", null)]
    [TestCase("512", 512)]
    public void Model_max_length_of_1e30_is_none(string number, int? length)
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Tiny.Bytes(Tiny.ByteLevelJson()), Tiny.Bytes($$"""{"model_max_length":{{number}}}"""));
        Assert.That(tokenizer.ModelMaxLength, Is.EqualTo(length));
    }

    [Test]
    public void Truncation_below_the_special_tokens_is_refused()
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k"));
        AssertRefused(() => tokenizer.Encode("a b", options: new EncodeOptions { Truncation = new Truncation(1) }), "2 special tokens", "MaxLength");
        Assert.That(tokenizer.Encode("a b", options: new EncodeOptions { Truncation = new Truncation(2) }).Ids, Is.EqualTo(new[] { 0, 2 }));
    }

    [TestCase(5, 5)]
    [TestCase(5, 4)]
    [TestCase(5, -1)]
    public void A_stride_that_windows_have_no_room_for_is_refused(int maxLength, int stride)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k"));
        AssertRefused(() => tokenizer.Encode("def f(x): return x", options: new EncodeOptions { Truncation = new Truncation(maxLength) { Stride = stride } }),
            "stride");
    }

    [Test]
    public void Truncating_a_second_text_that_is_not_there_is_refused() =>
        AssertRefused(
            () => Tiny.ByteLevel().Encode("abc", options: new EncodeOptions { Truncation = new Truncation(2) { Strategy = TruncationStrategy.OnlySecond } }),
            "Second sequence not provided");

    [Test]
    public void Padding_without_a_pad_token_asks_for_one() =>
        AssertRefused(() => Tiny.ByteLevel().EncodeBatch(["a", "bc"], new EncodeOptions { Padding = new Padding() }), "PadId");

    [Test]
    public void A_word_of_a_million_letters_is_encoded()
    {
        // Quadratic merging would take hours here.
        Tokenizer tokenizer = Tiny.ByteLevel(["a a", "aa aa"]);
        Assert.That(tokenizer.Encode(new string('a', 1_000_000)).Length, Is.EqualTo(250_000));
    }

    [Test]
    public void A_huge_id_costs_no_memory()
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Tiny.Bytes("""{"model":{"type":"BPE","vocab":{"a":2147483647},"merges":[]}}"""));
        Assert.That(tokenizer.IdToToken(int.MaxValue), Is.EqualTo("a"));
    }

    [Test]
    public void A_null_among_texts_is_refused() =>
        Assert.That(() => Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k")).EncodeBatch(["a", null!]), Throws.ArgumentNullException);

    [TestCase(2_000_000_000, null)]
    [TestCase(int.MaxValue - 1, int.MaxValue)]
    [TestCase(null, int.MaxValue)]
    public void Padding_without_bound_is_refused(int? length, int? multipleOf) => AssertRefused(
        () => Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k"))
            .Encode("a", null, new EncodeOptions { Padding = new Padding { Length = length, MultipleOf = multipleOf, PadId = 1 } }),
        "at most 16777216");

    [TestCase("3")]
    [TestCase("17")]
    [TestCase("longestfirst")]
    public void A_truncation_strategy_must_be_a_name(string strategy) => AssertRefused(
        () => Tokenizer.FromJson(Tiny.Bytes("""{"truncation":{"strategy":"?","max_length":3},"model":{"type":"BPE","vocab":{"a":1},"merges":[]}}"""
            .Replace("?", strategy, StringComparison.Ordinal))),
        "truncation.strategy", "LongestFirst");

    private static void AssertRefused(Action action, params string[] says)
    {
        TokenizerException? refused = Assert.Throws<TokenizerException>(() => action());
        foreach (string part in says) Assert.That(refused!.Message, Does.Contain(part));
    }
}
