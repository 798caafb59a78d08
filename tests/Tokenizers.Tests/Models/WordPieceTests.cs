namespace ManagedTransformers.Tokenizers.Tests;

public class WordPieceTests
{
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
}
