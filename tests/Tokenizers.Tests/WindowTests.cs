namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>What truncation cuts off, and templates that a caller gives.</summary>
public class WindowTests
{
    private static readonly Tokenizer Tokenizer = Tokenizers.Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k"));

    [TestCase(TextSide.Right)]
    [TestCase(TextSide.Left)]
    public void Every_window_knows_which_tokens_of_the_text_it_has(TextSide side)
    {
        const string text = "def add(a, b):\n    return a + b  # 1 2 3";
        TokenEncoding whole = Tokenizer.Encode(text, options: EncodeOptions.Plain);
        TokenEncoding first = Tokenizer.Encode(text, options: new EncodeOptions { Truncation = new Truncation(7) { Stride = 2, Direction = side } });
        TokenEncoding[] windows = [first, .. first.Overflowing];
        int expected = (whole.Length - 5 + 2) / 3 + 1;                   // 5 tokens fit, 3 are new in each further window
        Assert.That(windows, Has.Length.EqualTo(expected));
        foreach (TokenEncoding window in windows)
        {
            int[] own = [.. window.Ids.Where((_, i) => window.SequenceIds[i] is not null)];
            Assert.That(window.Ids, Is.EqualTo((int[])[0, .. own, 2]));
            Assert.That(own, Is.EqualTo(whole.Ids.AsSpan(window.FirstToken, own.Length).ToArray()));
        }
        int[] read = [.. windows.SelectMany(w => Enumerable.Range(w.FirstToken, w.Length - 2)).Distinct().Order()];
        Assert.That(read, Is.EqualTo(Enumerable.Range(0, whole.Length)));
    }

    [Test]
    public void Windows_are_made_when_they_are_asked_for()
    {
        // 200,000 tokens in windows that move by one: all at once they would be some 100 GB.
        Tokenizer bytes = Tiny.ByteLevel();
        string text = string.Concat(Enumerable.Range(0, 200_000).Select(i => (char)('a' + i % 26)));
        TokenEncoding first = bytes.Encode(text, options: new EncodeOptions { Truncation = new Truncation(10_000) { Stride = 9_999 } });
        Assert.That(first.Overflowing, Has.Count.EqualTo(190_000));
        Assert.That(first.Overflowing[^1].Offsets[^1], Is.EqualTo((199_999, 200_000)));
        Assert.That(first.Overflowing[99_999].FirstToken, Is.EqualTo(100_000));
        Assert.That(() => first.Overflowing[190_000], Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("190000"));
    }

    [Test]
    public void Windows_of_a_pair_that_nobody_can_count_cost_nothing_until_they_are_counted()
    {
        string text = new('a', 60_000);
        TokenEncoding pair = Tiny.ByteLevel().Encode(text, text, new EncodeOptions { Truncation = new Truncation(2) });
        Assert.That(pair.Tokens, Is.EqualTo(new[] { "a", "a" }));
        Assert.That(() => pair.Overflowing.Count, Throws.TypeOf<TokenizerException>().With.Message.Contains("3599999999 windows"));
        foreach (TokenEncoding window in pair.Overflowing.Take(3)) Assert.That(window.Tokens, Is.EqualTo(new[] { "a", "a" }));
    }

    [Test]
    public void A_template_replaces_the_special_tokens_and_leaves_the_tokenizer_as_it_is()
    {
        Tokenizer other = Tokenizer.WithTemplate("<mask> $A", "$B:1 <pad>:3 $A");
        TokenEncoding one = other.Encode("x"), two = other.Encode("x", "y z");
        int x = Tokenizer.Encode("x").Ids[1];
        Assert.That(one.Ids, Is.EqualTo(new[] { 4, x }));
        Assert.That(two.Tokens, Is.EqualTo(new[] { "y", "Ġz", "<pad>", "x" }));
        Assert.That(two.TypeIds, Is.EqualTo(new[] { 1, 1, 3, 0 }));
        Assert.That(other.Encode(" z").Offsets[1], Is.EqualTo((1, 2)), "offsets are trimmed as before");
        Assert.That((other.CountSpecialTokens(pair: false), other.CountSpecialTokens(pair: true)), Is.EqualTo((1, 1)));
        Assert.That(Tokenizer.Encode("x").Ids, Is.EqualTo(new[] { 0, x, 2 }));
    }

    [TestCase("$A [CLS]", "$A $B", "\"[CLS]\"")]
    [TestCase("$A $B", "$A $B", "$A once")]
    [TestCase("<s>", "$A $B", "$A once")]
    [TestCase("$A", "$A $A", "each once")]
    public void A_template_that_cannot_be_is_refused(string text, string pair, string says) =>
        Assert.That(() => Tokenizer.WithTemplate(text, pair), Throws.TypeOf<TokenizerException>().With.Message.Contains(says));

    [TestCase("roberta-code-8k", "x = <mask> é")]
    [TestCase("roberta-code-8k", "<mask>")]
    [TestCase("roberta-code-8k", "é<mask>é")]
    [TestCase("wordpiece-code-4k", "[MASK] import os")]
    [TestCase("wordpiece-code-4k", "unbelievablexyz [MASK] . don't")]
    public void A_row_with_each_token_in_the_place_of_its_mask_is_decoded_as_the_whole(string name, string text)
    {
        Tokenizer tokenizer = Tokenizers.Tokenizer.Load(TestFiles.Tokenizer(name));
        int mask = tokenizer.TokenToId("<mask>") ?? tokenizer.TokenToId("[MASK]")!.Value;
        int[] ids = tokenizer.Encode(text).Ids, all = [.. Enumerable.Range(0, tokenizer.VocabularySize)];
        int place = Array.IndexOf(ids, mask);
        foreach (bool skip in (bool[])[false, true])
        {
            var options = new DecodeOptions { SkipSpecialTokens = skip, CleanUpTokenizationSpaces = skip };
            IReadOnlyList<string> filled = tokenizer.DecodeFilled(ids, place, all, options);
            Assert.That(filled, Is.EqualTo(all.Select(id => tokenizer.Decode([.. ids[..place], id, .. ids[(place + 1)..]], options))));
        }
    }
}
