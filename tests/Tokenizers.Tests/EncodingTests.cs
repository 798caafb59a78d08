namespace ManagedTransformers.Tokenizers.Tests;

public class EncodingTests
{
    [Test]
    public void Words_that_were_split_before_keep_their_numbers()
    {
        TokenEncoding encoding = Tiny.ByteLevel().EncodeWords(["ab", "c"]);
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
        TokenEncoding encoding = Tiny.ByteLevel().Encode("abcde",
            options: new EncodeOptions { Truncation = new Truncation(3) { Stride = 2, Direction = side } });
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
        TokenEncoding padded = Tiny.ByteLevel().EncodeBatch(["ab", "abcd"], new EncodeOptions { Padding = padding })[0];
        Assert.Multiple(() =>
        {
            Assert.That(string.Join(',', padded.Tokens), Is.EqualTo(tokens));
            Assert.That(padded.AttentionMask.Sum(), Is.EqualTo(2));
        });
    }
}
