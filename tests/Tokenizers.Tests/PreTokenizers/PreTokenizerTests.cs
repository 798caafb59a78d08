using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

public class PreTokenizerTests
{
    [TestCase("Hello  world", "Hello| | world")]
    [TestCase("don't we'll I'm they've you're he'd it's", "don|'t| we|'ll| I|'m| they|'ve| you|'re| he|'d| it|'s")]
    [TestCase("a\n\n b   ", "a|\n\n| b|   ")]
    [TestCase("x=12,y3", "x|=|12|,|y|3")]
    [TestCase("'S 'x", "'|S| '|x")]
    [TestCase("½Ⅷ٣ 𝟙é𐐀", "½Ⅷ٣| 𝟙|é𐐀")]
    [TestCase("\u00a0a \u00a0b", "\u00a0|a| |\u00a0|b")]
    [TestCase("  ", "  ")]
    public void The_pattern_of_gpt2_splits(string text, string words)
    {
        var found = new List<string>();
        for (int start = 0; start < text.Length;)
        {
            int end = Gpt2Pattern.NextWord(text, start);
            found.Add(text[start..end]);
            start = end;
        }

        Assert.That(string.Join('|', found), Is.EqualTo(words));
    }

    [TestCase(true, "a|1|2|b")]
    [TestCase(false, "a|12|b")]
    public void Digits_are_set_apart_one_by_one_or_in_runs(bool individual, string words)
    {
        Tokenizer tokenizer = Tiny.ByteLevel(["1 2"], change: json => json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(new JsonObject { ["type"] = "Digits", ["individual_digits"] = individual }, json["pre_tokenizer"]!.DeepClone()),
        });
        Assert.That(string.Join('|', tokenizer.Encode("a12b").Tokens), Is.EqualTo(words));
    }

    [Test]
    public void A_prefix_space_shares_the_offset_of_the_first_character()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(change: json => json["pre_tokenizer"]!["add_prefix_space"] = true);
        TokenEncoding encoding = tokenizer.Encode("ab");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo(new[] { "Ġ", "a", "b" }));
            Assert.That(encoding.Offsets, Is.EqualTo(new[] { (0, 1), (0, 1), (1, 2) }));
            Assert.That(tokenizer.Encode(" ab").Length, Is.EqualTo(3));
        });
    }
}
