using System.Text.Json.Nodes;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Tokenizers.Tests;

public class BpeTests
{
    [Test]
    public void The_better_merge_goes_first_and_of_two_equal_ones_the_left_one()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(["b c", "a b", "a a"]);
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Encode("abc").Tokens, Is.EqualTo(new[] { "a", "bc" }));
            Assert.That(tokenizer.Encode("aaa").Tokens, Is.EqualTo(new[] { "aa", "a" }));
        });
    }

    [Test]
    public void Long_words_are_merged_as_short_ones()
    {
        // Up to 48 symbols a plain loop merges, beyond that a queue. Merges never cross "c", so a long word is its short parts.
        Tokenizer tokenizer = Tiny.ByteLevel(["a b", "ab a", "b a", "ab ab", "aba b", "a a", "aa aa"]);
        string[] parts = ["abaabbabc", "aaaaaaaac", "babababc", "abbac", "aaabaaac"];
        string[] expected = [.. parts.SelectMany(part => tokenizer.Encode(part).Tokens)];
        Assert.That(tokenizer.Encode(string.Concat(Enumerable.Repeat(parts, 3).SelectMany(p => p))).Tokens,
            Is.EqualTo((string[])[.. expected, .. expected, .. expected]));
    }

    [Test]
    public void A_character_of_four_bytes_has_four_tokens_with_one_offset()
    {
        TokenEncoding encoding = Tiny.ByteLevel().Encode("a😀b");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Offsets, Is.EqualTo(new[] { (0, 1), (1, 2), (1, 2), (1, 2), (1, 2), (2, 3) }));
            Assert.That(encoding.Utf16Offsets, Is.EqualTo(new[] { (0, 1), (1, 3), (1, 3), (1, 3), (1, 3), (3, 4) }));
        });
    }

    [Test]
    public void A_lone_surrogate_is_encoded_as_the_replacement_character()
    {
        Tokenizer tokenizer = Tiny.ByteLevel();
        Assert.That(tokenizer.Encode("a\ud83db").Ids, Is.EqualTo(tokenizer.Encode("a\ufffdb").Ids));
    }

    // Ids of tokenizers 0.22.2: a byte is its own id, then come "a", "a</w>" and "##a".
    [TestCase("end_of_word_suffix", "</w>", "日a", new[] { 230, 151, 165, 257 })]
    [TestCase("end_of_word_suffix", "</w>", "a日", new[] { 256, 230, 151, 165, 60, 47, 119, 62 })]
    [TestCase("continuing_subword_prefix", "##", "日a", new[] { 230, 151, 165, 258 })]
    [TestCase("continuing_subword_prefix", "##", "日日é", new[] { 230, 151, 165, 35, 35, 230, 151, 165, 35, 35, 195, 169 })]
    public void A_prefix_or_suffix_falls_back_to_bytes_with_its_character(string option, string value, string text, int[] ids)
    {
        Tokenizer tokenizer = WithByteFallback(model => model[option] = value);
        TokenEncoding encoding = tokenizer.Encode(text);
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Ids, Is.EqualTo(ids));
            Assert.That(encoding.Utf16Offsets[^1].End, Is.EqualTo(text.Length));
        });
    }

    [Test]
    public void Bytes_go_before_the_unknown_token_whose_bytes_are_missing()
    {
        // 0xE6, the first byte of 日, is no token. Ids and offsets of tokenizers 0.22.2.
        TokenEncoding apart = WithByteFallback(model => WithoutByteE6(model, fuse: false)).Encode("日日éa");
        TokenEncoding fused = WithByteFallback(model => WithoutByteE6(model, fuse: true)).Encode("日日éa");
        Assert.Multiple(() =>
        {
            Assert.That(apart.Ids, Is.EqualTo(new[] { 230, 195, 169, 230, 256 }));
            Assert.That(fused.Ids, Is.EqualTo(new[] { 195, 169, 230, 256 }));
            Assert.That(fused.Offsets, Is.EqualTo(new[] { (0, 1), (0, 1), (0, 3), (3, 4) }));
        });
    }

    private static void WithoutByteE6(JsonObject model, bool fuse)
    {
        JsonObject vocab = model["vocab"]!.AsObject();
        vocab.Remove("<0xE6>");
        vocab.Add("?", 0xE6);
        (model["unk_token"], model["fuse_unk"]) = ("?", fuse);
    }

    private static Tokenizer WithByteFallback(Action<JsonObject> change)
    {
        var vocab = new JsonObject();
        for (int b = 0; b < 256; b++) vocab.Add($"<0x{b:X2}>", b);
        foreach (string token in new[] { "a", "a</w>", "##a" }) vocab.Add(token, vocab.Count);
        var model = new JsonObject { ["type"] = "BPE", ["byte_fallback"] = true, ["vocab"] = vocab, ["merges"] = new JsonArray() };
        change(model);
        return Tiny.Load(new JsonObject { ["model"] = model });
    }

    [TestCase("continuing_subword_prefix", "aba", new[] { 0, 3, 1 }), TestCase("end_of_word_suffix", "aba", new[] { 0, 2, 1 })]
    public void A_prefix_or_suffix_has_at_most_16_characters(string option, string text, int[] ids)
    {
        string affix = new('#', 16);
        Tokenizer With(string value, string a, string b) => Tiny.Load(new JsonObject
        {
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["vocab"] = new JsonObject { ["a"] = 0, [a] = 1, ["b"] = 2, [b] = 3 }, ["merges"] = new JsonArray(), [option] = value,
            },
        });
        Tokenizer tokenizer = option.StartsWith('c') ? With(affix, $"{affix}a", $"{affix}b") : With(affix, $"a{affix}", $"b{affix}");
        Assert.That(tokenizer.EncodeToIds(text), Is.EqualTo(ids));
        Assert.That(() => With($"{affix}#", "c", "d"),
            Throws.TypeOf<TokenizerException>().With.Message.Contains($"model.{option} has 17 characters").And.Message.Contains("at most 16"));
    }

    [Test]
    public void A_prefix_takes_no_memory_for_each_character()
    {
        Tokenizer tokenizer = Tiny.Load(new JsonObject
        {
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["vocab"] = new JsonObject { ["a"] = 0, ["##a"] = 1 }, ["merges"] = new JsonArray(), ["continuing_subword_prefix"] = "##",
            },
        });
        string text = new('a', 10_000);
        Assert.That(Allocations.Of(() => tokenizer.CountTokens(text)) / text.Length, Is.LessThan(60));        // with a string for each it was 100
    }
}
