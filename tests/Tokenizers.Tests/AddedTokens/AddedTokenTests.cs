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
    public void Behind_the_highest_id_there_is_none_for_another_token()
    {
        ReadOnlyMemory<byte> json = Tiny.Bytes("""
            {"added_tokens":[{"id":7,"content":"a"},{"id":8,"content":"b"}],"model":{"type":"BPE","vocab":{"a":2147483647},"merges":[]}}
            """);
        Assert.That(() => Tokenizer.FromJson(json), Throws.TypeOf<TokenizerException>().With.Message.Contains(
            "The added token \"b\" gets the id after the highest, which is 2147483647: there is none"));
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
    public void Tokens_that_are_read_as_text_keep_their_ids_for_decoding()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "<a>", special: true), Tiny.Added(257, "  "), Tiny.Added(258, "<b>", normalized: true)]);
        Assert.That(tokenizer.Encode("<a>  <b>").Ids, Is.EqualTo(new[] { 256, 257, 258 }));
        Tokenizer texts = tokenizer.ReadingAsText(token => token.Content[0] == '<');
        int[] ids = texts.EncodeToIds("<a>  <b>");
        Assert.That(ids, Is.EqualTo((int[])[.. "<a>".Select(c => (int)c), 257, .. "<b>".Select(c => (int)c)]));
        Assert.That((texts.TokenToId("<a>"), texts.Decode([256, .. ids, 258])), Is.EqualTo(((int?)256, "<a><a>  <b><b>")));
        Assert.That(texts.ReadingAsText(token => token.Content == "  ").EncodeToIds("<a>  "), Is.EqualTo("<a>  ".Select(c => (int)c)), "one after the other");
    }

    [TestCase("llama-code-4k")]
    [TestCase("llama-code-4k-metaspace")]
    public void With_nothing_before_it_a_text_gets_no_space(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name)), inside = tokenizer.WithNothingBefore();
        string[] Tokens(Tokenizer by, string text) => [.. by.EncodeToIds(text, pair: null, EncodeOptions.Plain).Select(id => by.IdToToken(id)!)];
        Assert.That(Tokens(tokenizer, "return x"), Is.EqualTo(new[] { "▁return", "▁x" }));
        Assert.That(Tokens(inside, "return x"), Is.EqualTo(new[] { "return", "▁x" }));
        Assert.That(Tokens(inside, " return x"), Is.EqualTo(new[] { "▁return", "▁x" }));
    }

    [TestCase("llama-code-4k")]
    [TestCase("llama-code-4k-metaspace")]
    [TestCase("xlmr-multi-8k")]
    [TestCase("camembert-multi-8k")]
    public void A_text_that_goes_on_keeps_the_space_at_its_beginning(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        int[] ids = tokenizer.EncodeToIds("a b", pair: null, EncodeOptions.Plain);
        DecodeStream stream = tokenizer.ContinueDecoding();
        for (int time = 0; time < 2; time++)
        {
            string text = string.Concat(ids.Select(stream.Append)) + stream.Flush();
            Assert.That((text, tokenizer.Decode(ids)), Is.EqualTo((" a b", "a b")), $"time {time}");
        }
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
