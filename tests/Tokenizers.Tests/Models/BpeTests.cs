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
}
