using System.Text.Json.Nodes;

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

    [Test]
    public void A_word_is_split_as_trying_every_length_from_the_longest_does([Range(0, 19)] int seed, [Values("##", "", "𝔘#")] string prefix)
    {
        var random = new Random(seed);
        string[] pieces = [.. Enumerable.Range(0, random.Next(2, 40)).Select(_ => (random.Next(2) == 0 ? prefix : "") + Letters(random, random.Next(1, 6)))
            .Distinct()];
        Tokenizer tokenizer = Model(pieces, prefix);
        Dictionary<string, int> ids = Enumerable.Range(0, pieces.Length).ToDictionary(i => pieces[i], i => i + 1);
        for (int round = 0; round < 50; round++)
        {
            string word = Letters(random, random.Next(1, 20));
            Assert.That(tokenizer.EncodeToIds(word), Is.EqualTo(ByEveryLength(word, ids, prefix)), word);
        }
    }

    [Test]
    public void Pieces_of_256_characters_are_found_in_words_of_any_length_and_longer_ones_are_refused()
    {
        // aᵏb for k to 254: with every length tried, each of the million places would read 32,000 characters.
        string[] pieces = ["a", "##a", .. Enumerable.Range(1, 253).Select(k => $"##{new string('a', k)}b")];
        Tokenizer tokenizer = Model(pieces, "##");
        Assert.That(tokenizer.EncodeToIds(new string('a', 300_000) + "b"), Has.Length.EqualTo(300_000 - 253 + 1).And.ItemAt(299_747).EqualTo(pieces.Length));
        Assert.That(() => Model([.. pieces, new string('a', 257)], "##"), Throws.TypeOf<TokenizerException>().With.Message
            .Contains($"a piece of 257 characters (id {pieces.Length + 1}").And.Message.Contains("at most 256"));
    }

    [Test]
    public void A_longer_piece_than_words_may_be_harms_nothing() =>
        Assert.That(Model(["a", "##b", new string('a', 5_000)], "##", maxCharacters: 256).EncodeToIds("ab"), Is.EqualTo(new[] { 1, 2 }));

    private static Tokenizer Model(string[] pieces, string prefix, int maxCharacters = int.MaxValue)
    {
        var vocab = new JsonObject { ["[UNK]"] = 0 };
        foreach (string piece in pieces) vocab.Add(piece, vocab.Count);
        return Tiny.Load(new JsonObject
        {
            ["model"] = new JsonObject
            {
                ["type"] = "WordPiece", ["unk_token"] = "[UNK]", ["vocab"] = vocab, ["continuing_subword_prefix"] = prefix,
                ["max_input_chars_per_word"] = maxCharacters,
            },
        });
    }

    private static int[] ByEveryLength(string word, Dictionary<string, int> ids, string prefix)
    {
        var found = new List<int>();
        for (int start = 0, end; start < word.Length; start = end)
        {
            for (end = word.Length; end > start; end--)
            {
                if (!ids.TryGetValue((start == 0 ? "" : prefix) + word[start..end], out int id)) continue;
                found.Add(id);
                break;
            }
            if (end == start) return [0];
        }
        return [.. found];
    }

    private static string Letters(Random random, int count) => string.Concat(Enumerable.Range(0, count).Select(_ => random.Next(7) switch
    {
        0 => "𝔘",
        1 => "#",
        2 => "b",
        _ => "a",
    }));
}
