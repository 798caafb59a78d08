using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Normalizers, decoders and models of tokenizer.json one by one.</summary>
[Parallelizable(ParallelScope.All)]
public class ComponentTests
{
    [TestCase("""{"type":"Prepend","prepend":"▁"}""", "ab", "▁ab")]
    [TestCase("""{"type":"Prepend","prepend":"▁"}""", "", "")]
    [TestCase("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""", "a  b", "a▁▁b")]
    [TestCase("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}""", "a   b c", "a▁b c")]
    [TestCase("""{"type":"Replace","pattern":{"String":"𝔘"},"content":"UU"}""", "x𝔘𝔘y", "xUUUUy")]
    [TestCase("""{"type":"Replace","pattern":{"String":"b"},"content":""}""", "abba", "aa")]
    [TestCase("""{"type":"Strip","strip_left":false,"strip_right":true}""", " a \u3000\n", " a")]
    [TestCase("""{"type":"Strip"}""", "\t a b ", "a b")]
    [TestCase("""{"type":"Strip"}""", " \n ", "")]
    [TestCase("""{"type":"NFKC"}""", "ﬁ Ⅳ ½ e\u0301 ｶﾞ ㍿", "fi IV 1⁄2 é ガ 株式会社")]
    [TestCase("""{"type":"NFKD"}""", "ﬁé", "fie\u0301")]
    [TestCase("""{"type":"NFD"}""", "é", "e\u0301")]
    [TestCase("""{"type":"StripAccents"}""", "e\u0301", "e")]
    [TestCase("""{"type":"Nmt"}""", "a\u0001b\tc\u200Bd\uFEFF", "ab c d ")]
    public void Normalizers_rewrite_as_those_of_the_library(string normalizer, string text, string normalized)
    {
        Tokenizer tokenizer = Tiny.Load(Json(model: new JsonObject { ["type"] = "BPE", ["vocab"] = new JsonObject(), ["merges"] = new JsonArray() },
            normalizer: JsonNode.Parse(normalizer)));
        Assert.That(tokenizer.Parts.Added.Normalize(text), Is.EqualTo(normalized));
    }

    [TestCase("""{"type":"Metaspace"}""", "▁a|▁b|c", "a bc")]
    [TestCase("""{"type":"Metaspace","prepend_scheme":"never"}""", "▁a|▁b|c", " a bc")]
    [TestCase("""{"type":"Replace","pattern":{"String":"▁"},"content":" "}""", "▁a|b▁|▁", " ab  ")]
    [TestCase("""{"type":"Strip","content":" ","start":1,"stop":2}""", "  a   | b", " a b")]
    [TestCase("""{"type":"ByteFallback"}""", "a|<0xC3>|<0xBC>|b", "aüb")]
    [TestCase("""{"type":"ByteFallback"}""", "<0x61>|<0xC3>|b|<0xE4>", "\uFFFD\uFFFDb\uFFFD")]     // a run that is not UTF-8 is lost as a whole
    [TestCase("""{"type":"BPEDecoder","suffix":"</w>"}""", "a|b</w>|c</w>", "ab c")]
    [TestCase("""{"type":"CTC"}""", "<pad>|h|h|<pad>|i|<pad>|i|\u007C", "hii")]
    [TestCase("""
        {"type":"Sequence","decoders":[
            {"type":"Replace","pattern":{"String":"▁"},"content":" "},
             {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
        """,
        "▁▁a|▁|<0xC3>|<0xBC>", " a ü")]
    [TestCase("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":" ","start":2,"stop":1}]}""", " | | |a| ", " a")]
    [TestCase("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"String":"ab"},"content":"-"}]}""", "xa|by", "x-y")]
    public void Decoders_write_as_those_of_the_library(string decoder, string tokens, string text)
    {
        string[] vocabulary = [.. tokens.Split('|').Distinct()];
        var vocab = new JsonObject([.. vocabulary.Select((token, i) => KeyValuePair.Create(token, (JsonNode?)i))]);
        Tokenizer tokenizer = Tiny.Load(Json(
            new JsonObject { ["type"] = "BPE", ["vocab"] = vocab, ["merges"] = new JsonArray() }, decoder: JsonNode.Parse(decoder)));
        int[] ids = [.. tokens.Split('|').Select(token => tokenizer.TokenToId(token)!.Value)];
        DecodeStream stream = tokenizer.CreateDecodeStream();
        string streamed = string.Concat(ids.Select(stream.Append)) + stream.Flush();
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Decode(ids), Is.EqualTo(text));
            Assert.That(streamed, Is.EqualTo(text), "as a stream");
        });
    }

    [TestCase("ab", "ab")]              // −2 beats −1 −1.5
    [TestCase("abc", "a|bc")]           // −1 −1 beats −2 −3
    [TestCase("axyb", "a|xy|b")]        // what is unknown is one token, named by its text
    [TestCase("𝔘", "𝔘")]
    [TestCase("bb", "b|b")]
    public void A_unigram_takes_the_pieces_with_the_highest_sum(string text, string tokens) =>
        Assert.That(string.Join('|', Unigram().Encode(text).Tokens), Is.EqualTo(tokens));

    [Test]
    public void A_tie_of_a_unigram_goes_to_the_longer_last_piece()
    {
        JsonArray vocab = [new JsonArray("<unk>", 0), new JsonArray("a", -1), new JsonArray("aa", -2)];
        Tokenizer tokenizer = Tiny.Load(Json(new JsonObject { ["type"] = "Unigram", ["unk_id"] = 0, ["vocab"] = vocab }));
        Assert.That(tokenizer.EncodeToIds("aaa"), Is.EqualTo((int[])[1, 2]));
    }

    [Test]
    public void A_unigram_with_byte_fallback_writes_unknown_characters_as_bytes()
    {
        Tokenizer tokenizer = Unigram(json => json["byte_fallback"] = true);
        TokenEncoding encoding = tokenizer.Encode("aü");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo((string[])["a", "<0xC3>", "<0xBC>"]));
            Assert.That(encoding.Offsets, Is.EqualTo(((int, int)[])[(0, 1), (1, 2), (1, 2)]));
        });
    }

    [Test]
    public void A_word_level_model_knows_words_or_does_not()
    {
        var vocab = new JsonObject { ["[UNK]"] = 0, ["return"] = 1, ["x"] = 2 };
        Tokenizer tokenizer = Tiny.Load(Json(new JsonObject { ["type"] = "WordLevel", ["vocab"] = vocab, ["unk_token"] = "[UNK]" },
            preTokenizer: new JsonObject { ["type"] = "Whitespace" }));
        Assert.That(tokenizer.EncodeToIds("return y x"), Is.EqualTo((int[])[1, 0, 2]));
    }

    [Test]
    public void Scores_are_rounded_as_those_of_the_library()
    {
        // "a", "xx", unknown and "a", unknown, "xx" have the same sum but for rounding. 9280000000000001 is no float64: the library reads 9.28.
        Tokenizer tokenizer = Unigram(json => json["vocab"] = JsonNode.Parse("""[["<unk>",0],["a",-7.1],["xx",-9.280000000000001],["zzz",-11.92]]"""));
        Assert.That(tokenizer.EncodeToIds("axxx"), Is.EqualTo(new[] { 1, 2, 0 }));
    }

    // Large and small, more digits than 64 bits have, and none after the point.
    [TestCase("-3.5", -3.5)]
    [TestCase("12", 12)]
    [TestCase("1.5e3", 1500)]
    [TestCase("25E-1", 2.5)]
    [TestCase("123456789012345678901234", 12345678901234567890e4)]
    [TestCase("-0.12345678901234567890123", -0.1234567890123456789)]
    [TestCase("0.0", 0)]
    public void A_score_is_read_whatever_its_form(string json, double score) =>
        Assert.That(ScoreJson.Read(json, nearest: double.NaN), Is.EqualTo(score).Within(1).Ulps);

    [Test]
    public void A_unigram_has_pieces_of_at_most_256_characters()
    {
        string longest = new('x', 256);
        static Tokenizer Of(string piece) => Unigram(json =>
            json["vocab"] = new JsonArray(new JsonArray("<unk>", 0), new JsonArray("x", -9), new JsonArray(piece, -1)));
        Assert.That(Of(longest).EncodeToIds($"{longest}x"), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(() => Of($"{longest}x"), Throws.TypeOf<TokenizerException>().With.Message.Contains("a piece of 257 characters (id 2"));
    }

    private static Tokenizer Unigram(Action<JsonObject>? change = null)
    {
        (string Piece, double Score)[] pieces =
            [("<unk>", 0), ("a", -1), ("b", -1.5), ("c", -3), ("ab", -2), ("bc", -1), ("<0xC3>", -9), ("<0xBC>", -9)];
        var model = new JsonObject
        {
            ["type"] = "Unigram", ["unk_id"] = 0, ["vocab"] = new JsonArray([.. pieces.Select(one => new JsonArray(one.Piece, one.Score))]),
        };
        change?.Invoke(model);
        return Tiny.Load(Json(model));
    }

    private static JsonObject Json(JsonObject model, JsonNode? normalizer = null, JsonNode? preTokenizer = null, JsonNode? decoder = null) =>
        new() { ["normalizer"] = normalizer, ["pre_tokenizer"] = preTokenizer, ["decoder"] = decoder, ["model"] = model };
}
