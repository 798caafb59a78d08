using System.Text.Json.Nodes;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Tokenizers.Tests;

public class NormalizerTests
{
    [TestCase("Hello\u0000\u00ad, WÖRLD", "hello|,|world")]
    [TestCase("中文a", "中|文|a")]
    [TestCase("İx ǅ ΑΣ", "ix|ǆ|ας")]
    [TestCase("ﬁ 각", "ﬁ|\u1100\u1161\u11a8")]
    public void The_bert_normalizer_cleans_lowers_and_strips(string text, string words)
    {
        // A final sigma is lowered as any other: ΑΣ is ασ.
        string[] expected = words.Replace("ας", "ασ", StringComparison.Ordinal).Split('|');
        Assert.That(Tiny.WordPiece(expected).Encode(text).Tokens, Is.EqualTo(expected));
    }

    [TestCase(null, true, "e")]
    [TestCase(null, false, "é")]
    [TestCase(false, true, "é")]
    [TestCase(true, false, "e")]
    public void Strip_accents_null_follows_lowercase(bool? stripAccents, bool lowercase, string token)
    {
        Tokenizer tokenizer = Tiny.WordPiece(["e", "é"], json =>
        {
            json["normalizer"]!["strip_accents"] = stripAccents;
            json["normalizer"]!["lowercase"] = lowercase;
        });
        Assert.That(tokenizer.Encode("é").Tokens, Is.EqualTo(new[] { token }));
    }

    [Test]
    public void Offsets_lead_back_to_the_text_through_normalisation()
    {
        TokenEncoding encoding = Tiny.WordPiece(["cafe", "中", "##s"]).Encode("\u0007CAFE\u0301s中");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo(new[] { "cafe", "##s", "中" }));
            Assert.That(encoding.Offsets, Is.EqualTo(new[] { (1, 5), (6, 7), (7, 8) }));
        });
    }

    [Test]
    public void The_composition_of_nfc_and_the_decomposition_of_nfd_are_those_of_unicode()
    {
        static string Through(string type, string text) =>
            string.Concat(Tiny.ByteLevel(change: json => json["normalizer"] = new JsonObject { ["type"] = type }) is var t ? t.Decode(t.Encode(text).Ids) : "");
        Assert.Multiple(() =>
        {
            Assert.That(Through("NFD", "ế각\u1e9b\u0323"), Is.EqualTo("e\u0302\u0301\u1100\u1161\u11a8\u017f\u0323\u0307"));
            Assert.That(Through("NFC", "e\u0302\u0301\u1100\u1161\u11a8a\u0315\u0300"), Is.EqualTo("ế각à\u0315"));
            Assert.That(Through("NFC", "\u0344\u212b"), Is.EqualTo("\u0308\u0301Å"));
        });
    }

    [TestCase("""{"type":"BertNormalizer"}""", "a中", " 中 ", new[] { 0, 1, 1, 2, 1, 2, 1, 2 })]      // the space before it stands for it, too
    [TestCase("""{"type":"ByteLevel"}""", "aéb", "aÃ©b", new[] { 0, 1, 1, 2, 1, 2, 2, 3 })]
    [TestCase("""{"type":"Prepend","prepend":""}""", "ab", "", new[] { 0, 0, 1, 2 })]
    public void Offsets_are_those_of_the_library(string normalizer, string text, string spaced, int[] offsets)
    {
        var vocab = new JsonObject { ["a"] = 0, ["b"] = 1, [" "] = 2, ["中"] = 3, ["Ã"] = 4, ["©"] = 5 };
        Tokenizer tokenizer = Tiny.Load(new JsonObject
        {
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocab, ["merges"] = new JsonArray() },
        });
        TokenEncoding encoding = tokenizer.Encode(text);
        Assert.That(string.Concat(encoding.Tokens), Does.Contain(spaced));
        Assert.That(encoding.Offsets.SelectMany(span => new[] { span.Start, span.End }), Is.EqualTo(offsets));
    }

    [Test]
    public void A_replaced_text_takes_the_memory_of_its_characters_once()
    {
        // 3 million characters of 12 bytes; lists that double took 90 MB.
        string given = new('a', 100_000);
        var nothing = new LiteralPattern("");
        long bytes = Allocations.Of(() => new NormalizedText(given, 0, given.Length, CancellationToken.None).Replace(nothing, new string('b', 29)));
        Assert.That(bytes / 3e6, Is.LessThan(14));
    }
}
