using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

public class AddedTokenTests
{
    [Test]
    public void The_leftmost_and_then_the_longest_added_token_is_found()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "<a>"), Tiny.Added(257, "<a><b>"), Tiny.Added(258, "><")]);
        Assert.That(tokenizer.Encode("x<a><b><a>").Tokens, Is.EqualTo(new[] { "x", "<a><b>", "<a>" }));
    }

    [Test]
    public void Lstrip_and_rstrip_take_white_space_into_the_token()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "<l>", lstrip: true), Tiny.Added(257, "<r>", rstrip: true)]);
        TokenEncoding encoding = tokenizer.Encode("a \n<l> <r> \t");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo(new[] { "a", " \n<l>", "Ġ", "<r> \t" }));
            Assert.That(encoding.Offsets, Is.EqualTo(new[] { (0, 1), (1, 6), (6, 7), (7, 12) }));
        });
    }

    [TestCase("ab cab abc ab", "2,13")]
    [TestCase("éab ab\u0301 (ab)", "11")]
    public void A_single_word_token_has_no_word_character_next_to_it(string text, string ends)
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "ab", singleWord: true)]);
        TokenEncoding encoding = tokenizer.Encode(text);
        IEnumerable<int> found = Enumerable.Range(0, encoding.Length).Where(i => encoding.Ids[i] == 256).Select(i => encoding.Offsets[i].End);
        Assert.That(string.Join(',', found), Is.EqualTo(ends));
    }

    [Test]
    public void A_normalized_token_is_found_in_the_normalised_text_and_others_in_the_text_as_given()
    {
        Tokenizer tokenizer = Tiny.WordPiece(["x"],
            json => json["added_tokens"] = new JsonArray(Tiny.Added(2, "Été", normalized: true), Tiny.Added(3, "No", normalized: false)));
        Assert.That(tokenizer.Encode("ÉTÉ NO No ete").Ids, Is.EqualTo(new[] { 2, 0, 3, 2 }));
    }

    [Test]
    public void Added_tokens_are_numbered_from_the_size_of_the_vocabulary()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(400, "<first>"), Tiny.Added(401, "<second>"), Tiny.Added(402, "A")]);
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.TokenToId("<first>"), Is.EqualTo(256));
            Assert.That(tokenizer.TokenToId("<second>"), Is.EqualTo(257));
            Assert.That(tokenizer.TokenToId("A"), Is.EqualTo(65));
            Assert.That(tokenizer.VocabularySize, Is.EqualTo(258));
        });
    }
}
