using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

public class RuleTests
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
        Encoding encoding = Tiny.ByteLevel().Encode("a😀b");
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
        Encoding encoding = tokenizer.Encode("a \n<l> <r> \t");
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
        Encoding encoding = tokenizer.Encode(text);
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
        Encoding encoding = Tiny.WordPiece(["cafe", "中", "##s"]).Encode("\u0007CAFE\u0301s中");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo(new[] { "cafe", "##s", "中" }));
            Assert.That(encoding.Offsets, Is.EqualTo(new[] { (1, 5), (6, 7), (7, 8) }));
        });
    }

    [Test]
    public void A_word_of_more_than_100_characters_is_unknown()
    {
        Tokenizer tokenizer = Tiny.WordPiece(["a", "##a"]);
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Encode(new string('a', 100)).Length, Is.EqualTo(100));
            Assert.That(tokenizer.Encode(new string('a', 101)).Tokens, Is.EqualTo(new[] { "[UNK]" }));
        });
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
        Encoding encoding = tokenizer.Encode("ab");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo(new[] { "Ġ", "a", "b" }));
            Assert.That(encoding.Offsets, Is.EqualTo(new[] { (0, 1), (0, 1), (1, 2) }));
            Assert.That(tokenizer.Encode(" ab").Length, Is.EqualTo(3));
        });
    }

    [Test]
    public void A_template_places_texts_and_special_tokens_with_their_types()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "<e>", special: true)], change: json => json["post_processor"] = JsonNode.Parse(
            """
            {"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":1}},{"SpecialToken":{"id":"<e>","type_id":2}}],
             "pair":[{"Sequence":{"id":"B","type_id":3}},{"SpecialToken":{"id":"<e>","type_id":4}},{"Sequence":{"id":"A","type_id":5}}],
             "special_tokens":{"<e>":{"id":"<e>","ids":[256],"tokens":["<e>"]}}}
            """));
        Encoding encoding = tokenizer.Encode("a", "b");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo(new[] { "b", "<e>", "a" }));
            Assert.That(encoding.TypeIds, Is.EqualTo(new[] { 3, 4, 5 }));
            Assert.That(encoding.SpecialTokensMask, Is.EqualTo(new[] { 0, 1, 0 }));
            Assert.That(encoding.SequenceIds, Is.EqualTo(new int?[] { 1, null, 0 }));
            Assert.That(tokenizer.CountSpecialTokens(pair: false), Is.EqualTo(1));
        });
    }

    [Test]
    public void Words_that_were_split_before_keep_their_numbers()
    {
        Encoding encoding = Tiny.ByteLevel().EncodeWords(["ab", "c"]);
        Assert.Multiple(() =>
        {
            Assert.That(encoding.WordIds, Is.EqualTo(new int?[] { 0, 0, 1 }));
            Assert.That(encoding.Offsets, Is.EqualTo(new[] { (0, 1), (1, 2), (0, 1) }));
        });
    }

    [TestCase(TextSide.Right, "a,b,c", "b,c,d;c,d,e")]
    [TestCase(TextSide.Left, "c,d,e", "b,c,d;a,b,c")]
    public void Truncation_gives_windows_that_share_the_stride(TextSide side, string kept, string windows)
    {
        Encoding encoding = Tiny.ByteLevel().Encode("abcde", options: new EncodeOptions { Truncation = new Truncation(3) { Stride = 2, Direction = side } });
        Assert.Multiple(() =>
        {
            Assert.That(string.Join(',', encoding.Tokens), Is.EqualTo(kept));
            Assert.That(string.Join(';', encoding.Overflowing.Select(o => string.Join(',', o.Tokens))), Is.EqualTo(windows));
        });
    }

    [TestCase(TextSide.Right, 8, "a,b,p,p,p,p,p,p")]
    [TestCase(TextSide.Left, null, "p,p,a,b")]
    public void Padding_fills_to_the_longest_or_a_length_and_a_multiple(TextSide side, int? length, string tokens)
    {
        var padding = new Padding { Direction = side, Length = length is null ? null : 5, MultipleOf = length is null ? null : 4, PadId = 1, PadToken = "p" };
        Encoding padded = Tiny.ByteLevel().EncodeBatch(["ab", "abcd"], new EncodeOptions { Padding = padding })[0];
        Assert.Multiple(() =>
        {
            Assert.That(string.Join(',', padded.Tokens), Is.EqualTo(tokens));
            Assert.That(padded.AttentionMask.Sum(), Is.EqualTo(2));
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
}
