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
}
