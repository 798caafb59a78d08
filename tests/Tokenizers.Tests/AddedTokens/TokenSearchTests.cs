using System.Text.Json.Nodes;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Tokenizers.Tests;

public class TokenSearchTests
{
    [Test]
    public void What_is_found_is_what_looking_at_every_token_finds([Range(0, 19)] int seed)
    {
        var random = new Random(seed);
        string[] patterns = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => Word(random, random.Next(0, 7)))];
        var search = new TokenSearch(patterns.Select((pattern, i) => (pattern, i)));
        Assert.That(search.IsEmpty, Is.EqualTo(patterns.All(pattern => pattern.Length == 0)));
        for (int round = 0; round < 50; round++)
        {
            string text = Word(random, random.Next(0, 40));
            int from = random.Next(0, text.Length + 1);
            (int, int, int) expected = (text.Length, text.Length, -1);
            for (int start = text.Length - 1; start >= from; start--)
            {
                string rest = text[start..];
                if (patterns.Where(one => one.Length > 0 && rest.StartsWith(one, StringComparison.Ordinal)).MaxBy(one => one.Length) is string longest)
                    expected = (start, start + longest.Length, Array.IndexOf(patterns, longest));
            }
            search.TryFind(text, from, out int foundAt, out int end, out int id);
            Assert.That((foundAt, end, id), Is.EqualTo(expected), $"in \"{text}\" from {from}");
        }
    }

    [Test]
    public void Thirty_thousand_long_tokens_take_a_few_bytes_each_beside_themselves()
    {
        // 8 million characters. A node for each of them was 1.1 GB.
        (string, int)[] patterns = [.. Enumerable.Range(0, 30_000).Select(i => ($"{new string((char)('a' + (i % 26)), 250)}{i:D6}{new string('x', 10)}", i))];
        TokenSearch search = null!;
        Assert.That(Allocations.Of(() => search = new TokenSearch(patterns)) / patterns.Length, Is.LessThan(100));
        Assert.That(search.TryFind($"a{patterns[17].Item1}", 0, out int start, out _, out int id), Is.True);
        Assert.That((start, id), Is.EqualTo((1, 17)));
    }

    [Test]
    public void A_token_that_is_longer_than_any_tokenizer_has_is_refused_and_one_of_1024_characters_is_found()
    {
        string longest = new('y', 1024);
        Assert.That(Tiny.ByteLevel(added: [Tiny.Added(256, longest)]).Encode($"a{longest}").Ids, Is.EqualTo(new[] { 'a', 256 }));
        Assert.That(() => Tiny.ByteLevel(added: [Tiny.Added(256, longest + "y")]),
            Throws.TypeOf<TokenizerException>().With.Message.Contains("has 1025 characters").And.Message.Contains("added_tokens"));
    }

    [TestCase(64, "The added token 256 (", "has 6403 characters; at most 1024", 20 << 20)]
    [TestCase(9, "The normalizer makes more than 4194304 characters of the added tokens", "\"normalized\"", 80 << 20)]
    public void Added_tokens_that_the_normalizer_lengthens_are_refused_before_they_take_memory(int times, string says, string alsoSays, int bytes)
    {
        var tokens = new JsonArray([.. Enumerable.Range(0, 8_000).Select(i => (JsonNode)Tiny.Added(256 + i, $"{new string('a', 100)}{i % 10}{i / 100 % 10}" +
            $"{(char)(0x4E00 + i)}", normalized: true))]);
        JsonObject json = Tiny.ByteLevelJson(added: tokens);
        json["normalizer"] = JsonNode.Parse($$$"""{"type":"Replace","pattern":{"String":"a"},"content":"{{{new string('b', times)}}}"}""");
        ReadOnlyMemory<byte> file = Tiny.Bytes(json);
        Assert.That(() => Tokenizer.FromJson(file), Throws.TypeOf<TokenizerException>().With.Message.Contains(says).And.Message.Contains(alsoSays));
        Assert.That(Allocations.Of(() => Refused(file)), Is.LessThan((20 * file.Length) + (64 << 20)).And.LessThan(bytes));
    }

    private static void Refused(ReadOnlyMemory<byte> file)
    {
        try
        {
            Tokenizer.FromJson(file);
        }
        catch (TokenizerException)
        {
        }
    }

    [Test]
    public void A_text_that_nearly_has_a_thousand_tokens_at_every_place_is_read_to_its_end()
    {
        // aᵏb for k to 1,000: with a step for every unit of every token that fits so far it would be 10⁹ steps.
        IEnumerable<JsonNode> tokens = Enumerable.Range(1, 1000).Select(k => Tiny.Added(255 + k, $"{new string('a', k)}b"));
        Tokenizer tokenizer = Tiny.ByteLevel(added: new JsonArray([.. tokens]));
        Assert.That(tokenizer.EncodeToIds(new string('a', 1_000_000) + "b"), Has.Length.EqualTo(999_001).And.ItemAt(999_000).EqualTo(1255));
    }

    [TestCase(" ", true, true)]
    [TestCase(" ", false, true)]
    [TestCase(" ", true, false)]
    [TestCase("  ", true, true)]
    [TestCase("\n", true, true)]
    public void White_space_that_takes_white_space_with_it_is_read(string token, bool left, bool right)
    {
        var random = new Random(3);
        Tokenizer tokenizer = Tiny.ByteLevel(added:
        [
            Tiny.Added(256, token, lstrip: left, rstrip: right), Tiny.Added(257, "<m>", lstrip: true, rstrip: true), Tiny.Added(258, "\t", lstrip: true),
        ]);
        string[] parts = [" ", "  ", "\n", "\t", "a", "<m>"];
        for (int round = 0; round < 300; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => parts[random.Next(parts.Length)]));
            TokenEncoding encoding = tokenizer.Encode(text);
            Assert.That(encoding.Offsets.All(at => at.Start <= at.End && at.End <= text.Length), Is.True, text);
            Assert.That(tokenizer.EncodeToIds(text), Is.EqualTo(encoding.Ids), text);
        }
    }

    [Test]
    public void The_white_space_that_a_token_took_is_none_of_the_next()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, " ", lstrip: true, rstrip: true)]);
        Assert.That(tokenizer.Encode("a   b ").Ids, Is.EqualTo(new[] { 'a', 256, 'b', 256 }));
        Assert.That(tokenizer.Encode(new string(' ', 2_000_000)).Offsets, Is.EqualTo(new[] { (0, 2_000_000) }), "and is looked at once");
    }

    private static string Word(Random random, int length) => new([.. Enumerable.Range(0, length).Select(_ => "ab \uD83D\uDE00"[random.Next(5)])]);
}
