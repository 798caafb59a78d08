using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

public class TemplateProcessingTests
{
    [Test]
    public void A_template_places_texts_and_special_tokens_with_their_types()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "<e>", special: true)], change: json => json["post_processor"] = JsonNode.Parse(
            """
            {"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":1}},{"SpecialToken":{"id":"<e>","type_id":2}}],
             "pair":[{"Sequence":{"id":"B","type_id":3}},{"SpecialToken":{"id":"<e>","type_id":4}},{"Sequence":{"id":"A","type_id":5}}],
             "special_tokens":{"<e>":{"id":"<e>","ids":[256],"tokens":["<e>"]}}}
            """));
        TokenEncoding encoding = tokenizer.Encode("a", "b");
        Assert.Multiple(() =>
        {
            Assert.That(encoding.Tokens, Is.EqualTo(new[] { "b", "<e>", "a" }));
            Assert.That(encoding.TypeIds, Is.EqualTo(new[] { 3, 4, 5 }));
            Assert.That(encoding.SpecialTokensMask, Is.EqualTo(new[] { 0, 1, 0 }));
            Assert.That(encoding.SequenceIds, Is.EqualTo(new int?[] { 1, null, 0 }));
            Assert.That(tokenizer.CountSpecialTokens(pair: false), Is.EqualTo(1));
        });
    }

    // Masks of tokenizers 0.22.2.
    [TestCase("BertProcessing", "", new[] { 1, 1, 0, 1 })]
    [TestCase("BertProcessing", "a", new[] { 1, 0, 1, 0, 1 })]
    [TestCase("RobertaProcessing", "a", new[] { 1, 0, 1, 1, 0, 1 })]
    public void What_a_template_added_is_text_to_the_processor_behind_it(string type, string text, int[] special)
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "<e>", special: true)], change: json => json["post_processor"] = JsonNode.Parse(
            $$$"""
            {"type":"Sequence","processors":[
              {"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<e>","type_id":0}}],"pair":[],
               "special_tokens":{"<e>":{"id":"<e>","ids":[256],"tokens":["<e>"]} } },
              {"type":"{{{type}}}","sep":["<e>",256],"cls":["<e>",256]}]}
            """));
        Assert.That(tokenizer.Encode(text).SpecialTokensMask, Is.EqualTo(special));
    }

    [Test]
    public void A_text_may_come_eight_times_and_its_windows_are_made_when_they_are_asked_for()
    {
        // 99 windows eight times over: 100⁸ combinations, none of which is made.
        Tokenizer tokenizer = Repeating(8);
        TokenEncoding encoding = tokenizer.Encode(new string('a', 1000), options: new EncodeOptions { Truncation = new Truncation(10) });
        Assert.That(encoding.Length, Is.EqualTo(80));
        Assert.That(() => encoding.Overflowing.Count, Throws.TypeOf<TokenizerException>().With.Message.Contains("windows"));
        Assert.That(encoding.Overflowing.Take(3).Select(window => window.Length), Is.EqualTo(new[] { 80, 80, 80 }));
    }

    [Test]
    public void The_windows_of_a_repeated_text_are_every_combination()
    {
        // "ab" and the window "c", twice: the library merges them as (c, ab), (c, c), (ab, c).
        TokenEncoding encoding = Repeating(2).Encode("abc", options: new EncodeOptions { Truncation = new Truncation(2) });
        Assert.That(encoding.Overflowing.Select(window => string.Concat(window.Tokens)), Is.EqualTo(new[] { "cab", "cc", "abc" }));
    }

    [Test]
    public void A_template_that_repeats_a_text_or_special_tokens_without_end_is_refused()
    {
        Assert.That(() => Repeating(9), Throws.TypeOf<TokenizerException>().With.Message.Contains("post_processor.single has a text 9 times; at most 8"));
        string many = string.Join(',', Enumerable.Repeat("""{"SpecialToken":{"id":"<e>","type_id":0}}""", 257));
        Assert.That(() => Tiny.ByteLevel(added: [Tiny.Added(256, "<e>")], change: json => json["post_processor"] = JsonNode.Parse(
            $$$"""{"type":"TemplateProcessing","single":[],"pair":[{{{many}}}],"special_tokens":{"<e>":{"id":"<e>","ids":[256],"tokens":["<e>"]} } }""")),
            Throws.TypeOf<TokenizerException>().With.Message.Contains("adds 257 special tokens"));
    }

    [TestCase("post_processor", "processors", """{"type":"BertProcessing","sep":["a",97],"cls":["a",97]}""", 64, "more than 64 parts")]
    [TestCase("normalizer", "normalizers", """{"type":"Lowercase"}""", 64, "more than 64 parts")]
    [TestCase("normalizer", "normalizers", """{"type":"Replace","pattern":{"String":"a"},"content":"aa"}""", 7, "128 characters of one")]
    [TestCase("normalizer", "normalizers", """{"type":"Prepend","prepend":"aaaaaaaa"}""", 2, "81 characters of one")]
    [TestCase("pre_tokenizer", "pretokenizers", """{"type":"ByteLevel"}""", 4, "81 characters of one")]
    [TestCase("decoder", "decoders", """{"type":"Replace","pattern":{"String":"a"},"content":"aaaa"}""", 4, "256 characters of one")]
    public void Parts_that_multiply_a_text_are_refused(string key, string parts, string part, int times, string says)
    {
        Tokenizer With(int count) => Tiny.ByteLevel(change: json => json[key] = new JsonObject
        {
            ["type"] = "Sequence", [parts] = new JsonArray([.. Enumerable.Range(0, count).Select(_ => JsonNode.Parse(part))]),
        });
        Assert.That(() => With(times), Throws.TypeOf<TokenizerException>().With.Message.Contains(says).And.Message.Contains(key));
        Assert.That(With(times - 1).Decode(With(times - 1).EncodeToIds("ab")), Is.Not.Empty);
    }

    private static Tokenizer Repeating(int times) => Tiny.ByteLevel(change: json => json["post_processor"] = JsonNode.Parse(
        $$$"""
        {"type":"TemplateProcessing","single":[{{{string.Join(',', Enumerable.Repeat("""{"Sequence":{"id":"A","type_id":0}}""", times))}}}],"pair":[],
         "special_tokens":{}}
        """));
}
