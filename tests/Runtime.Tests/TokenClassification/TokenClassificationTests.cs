using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class TokenClassificationTests
{
    private static readonly string[] Labels = ["O", "B-NAME", "I-NAME", "B-KEY", "I-KEY"];
    private const string Text = "owner = \"Zoë 😀 Müller\"  # key 12345\nprint(owner)\n";
    private static readonly TokenClassificationOptions EveryToken = new() { Aggregation = AggregationStrategy.None, IgnoreLabels = [] };

    private BertForTokenClassification _model = null!;
    private TokenClassificationPipeline _tagger = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _model = TestData.Tiny<BertForTokenClassification>(8200, 64, Labels);
        _tagger = TokenClassificationPipeline.Create(_model, TestData.Tokenizer("digits-python-8k"));
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _tagger.Dispose();
        _model.Dispose();
    }

    [Test]
    public void Every_token_has_the_label_and_probability_of_the_model_reading_cls_text_sep()
    {
        float[][] expected = Probabilities(Text);
        var entities = _tagger.Tag(Text, EveryToken);
        Assert.That(entities.Select(e => e.Label), Is.EqualTo(expected.Select(p => Labels[Array.IndexOf(p, p.Max())])));
        Assert.That(entities.Select(e => e.Score), Is.EqualTo(expected.Select(p => p.Max())).Within(1e-5));
    }

    [Test]
    public void Spans_cut_the_string_in_utf16_and_count_code_points()
    {
        var entities = _tagger.Tag(Text, EveryToken);
        Assert.That(entities.Select(e => Text[e.Start..e.End]), Is.EqualTo(entities.Select(e => e.Text)));
        Entity last = entities[^1];
        // One emoji before it: two UTF-16 units, one code point.
        Assert.That((last.End - last.CodePointEnd, last.End), Is.EqualTo((1, Text.Length)));
    }

    [Test]
    public void Spans_begin_with_the_space_of_a_byte_level_token_unless_they_are_trimmed()
    {
        const string text = "mail  ada@example.org \n";
        var options = new TokenClassificationOptions { Aggregation = AggregationStrategy.Max, IgnoreLabels = [] };
        Entity[] spaced = [.. _tagger.Tag(text, options)], trimmed = [.. _tagger.Tag(text, options with { TrimOffsets = true })];
        Assert.That(string.Concat(spaced.Select(e => e.Text)), Is.EqualTo(text));
        for (int i = 0; i < spaced.Length; i++)
        {
            string expected = string.IsNullOrWhiteSpace(spaced[i].Text) ? spaced[i].Text : spaced[i].Text.Trim();
            Assert.That((trimmed[i].Text, text[trimmed[i].Start..trimmed[i].End]), Is.EqualTo((expected, expected)));
            Assert.That((trimmed[i].CodePointStart, trimmed[i].CodePointEnd), Is.EqualTo((trimmed[i].Start, trimmed[i].End)));
        }
        Assert.That(trimmed.Select(e => e.Text), Is.Not.EqualTo(spaced.Select(e => e.Text)));
    }

    [Test]
    public void Ignored_labels_are_left_out()
    {
        var all = _tagger.Tag(Text, new TokenClassificationOptions { IgnoreLabels = [] });
        string ignored = all[0].Label;
        var without = _tagger.Tag(Text, new TokenClassificationOptions { IgnoreLabels = [ignored] });
        Assert.That(without, Is.EqualTo(all.Where(e => e.Label != ignored)));
    }

    [Test]
    public void Text_that_fits_one_window_gives_the_same_with_a_stride() =>
        Assert.That(_tagger.Tag(Text, new TokenClassificationOptions { Stride = 8 }), Is.EqualTo(_tagger.Tag(Text)));

    [Test]
    public void Overlapping_windows_are_summed_and_renormalised()
    {
        TokenEncoding encoding = Plain(Text);
        int room = encoding.Length - 3;                                     // two windows: the second begins 4 tokens before the first ends
        float[][] first = Probabilities(encoding.Ids[..room]), second = Probabilities(encoding.Ids[(room - 4)..]);
        var entities = _tagger.Tag(Text, EveryToken with { WindowLength = room + 2, Stride = 4 });
        for (int t = 0; t < encoding.Length; t++)
        {
            float[] p = t < room - 4 ? first[t] : t >= room ? second[t - room + 4] : [.. first[t].Zip(second[t - room + 4], (x, y) => (x + y) / 2)];
            Assert.That(entities[t].Score, Is.EqualTo(p.Max()).Within(1e-5), $"token {t}");
        }
    }

    [Test]
    public void Long_text_needs_a_stride_and_then_every_token_is_read()
    {
        string text = string.Concat(Enumerable.Repeat(Text, 8));
        Assert.That(() => _tagger.Tag(text), Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 64").And.Message.Contains("Stride"));
        Assert.That(_tagger.Tag(text, EveryToken with { Stride = 16 }), Has.Count.EqualTo(Plain(text).Length));
    }

    [Test]
    public void Texts_together_give_what_each_gives_alone()
    {
        string[] texts = [Text, "x = 1", string.Concat(Enumerable.Repeat(Text, 5))];
        var options = new TokenClassificationOptions { Stride = 10, Aggregation = AggregationStrategy.Average };
        var together = _tagger.Tag(texts, options);
        for (int i = 0; i < texts.Length; i++)
            Assert.That(together[i].Select(e => (e.Label, e.Start, e.End)), Is.EqualTo(_tagger.Tag(texts[i], options).Select(e => (e.Label, e.Start, e.End))));
    }

    [Test]
    public void Words_of_a_byte_level_tokenizer_end_at_spaces_and_those_of_wordpiece_where_it_says_so()
    {
        using BertForTokenClassification model = TestData.Tiny<BertForTokenClassification>(8200, 64, "A", "B");
        using TokenClassificationPipeline wordPiece = TokenClassificationPipeline.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
        var options = new TokenClassificationOptions { Aggregation = AggregationStrategy.First, IgnoreLabels = [] };
        Assert.That(_tagger.Tag("a.b.c", options), Has.Count.EqualTo(1));
        TokenEncoding encoding = wordPiece.Tokenizer.Encode("unbelievablexyz.foo");
        Assert.That(encoding.Tokens, Has.Some.StartsWith("##"));
        foreach (Entity entity in wordPiece.Tag("unbelievablexyz.foo", options))
            Assert.That(encoding.Tokens[Array.FindIndex(encoding.Offsets, o => o.Start == entity.Start && o.End > o.Start)], Does.Not.StartWith("##"));
    }

    [TestCase(64, 62, "0 … 61")]
    [TestCase(65, 1, "3 … 64")]
    [TestCase(2, 0, "3 … 64")]
    public void Impossible_windows_are_refused_with_what_is_possible(int window, int stride, string possible) =>
        Assert.That(
            () => _tagger.Tag(Text, new TokenClassificationOptions { WindowLength = window, Stride = stride }),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains(possible));

    [Test]
    public void Empty_text_is_refused() => Assert.That(() => _tagger.Tag(""), Throws.TypeOf<ModelInputException>().With.Message.Contains("empty"));

    private float[][] Probabilities(string text) => Probabilities(Plain(text).Ids);

    private TokenEncoding Plain(string text) => _tagger.Tokenizer.Encode(text, pair: null, EncodeOptions.Plain);

    private float[][] Probabilities(int[] text)
    {
        SpecialTokens special = _tagger.Tokenizer.SpecialTokens;
        using Session session = _model.CreateSession();
        FloatTensor logits =
            ((TokenClassifierOutput)_model.Forward(ModelInputs.Of([special.ClsTokenId!.Value, .. text, special.SepTokenId!.Value]), session)).Logits;
        return [.. Enumerable.Range(1, text.Length).Select(t => Softmax(logits.Row(t).ToArray()))];
    }

    private static float[] Softmax(float[] x) => [.. x.Select(v => (float)(Math.Exp(v) / x.Sum(w => Math.Exp(w))))];
}
