using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>What is done faster gives what the plain way gives.</summary>
[Parallelizable(ParallelScope.All)]
public class SpeedPathTests
{
    [TestCase("xlmr-multi-8k")]
    [TestCase("xlmr-multi-8k-2020")]
    [TestCase("llama-code-4k")]
    [TestCase("qwen2-code-4k")]
    [TestCase("mpnet-code-4k")]
    public void A_text_normalised_without_its_offsets_is_the_same_text(string name)
    {
        Normalizer normalizer = Tokenizer.Load(TestFiles.Tokenizer(name)).Parts.Added.Normalizer!;
        string[] texts = [.. Texts(name), .. RandomTexts()];
        foreach (string text in texts) Assert.That(normalizer.NormalizeText(text, default), Is.EqualTo(WithOffsets(normalizer, text)), text);
    }

    [Test]
    public void A_text_that_NFC_is_said_to_leave_as_it_is_stays()
    {
        var normalizer = new NfcNormalizer();
        int left = 0;
        for (int codePoint = 0; codePoint < CodePoints.Count; codePoint++)
        {
            if (codePoint is >= 0xD800 and < 0xE000) continue;
            string one = new Rune(codePoint).ToString();
            if (!normalizer.LeavesAsIs(one)) continue;
            left++;
            Assert.That(WithOffsets(normalizer, one), Is.EqualTo(one), $"U+{codePoint:X4}");
        }
        Assert.That(left, Is.GreaterThan(1_110_000));
        foreach (string text in RandomTexts().Where(text => normalizer.LeavesAsIs(text))) Assert.That(WithOffsets(normalizer, text), Is.EqualTo(text));
        string[] changing = ["e\u0301", "\u0301", "\u212B", "\u1100\u1161", "\uAC00\u11A8", "\u09C7\u09BE"];
        Assert.That(changing, Has.None.Matches<string>(text => normalizer.LeavesAsIs(text)));
        Assert.That(normalizer.LeavesAsIs("é가日本語𝔘😀"), Is.True);
    }

    [Test]
    public void The_precompiled_map_takes_what_a_user_sees_as_one_character_as_one()
    {
        Normalizer normalizer = Tokenizer.Load(TestFiles.Tokenizer("xlmr-multi-8k-2020")).Parts.Added.Normalizer!;
        foreach (string text in RandomTexts())
        {
            // Each by itself, so that nothing stands beside it.
            string[] characters = [.. StringInfo.ParseCombiningCharacters(text).Select(start => StringInfo.GetNextTextElement(text, start))];
            string expected = string.Concat(characters.Select(one => normalizer.NormalizeText(one, default)));
            Assert.That(normalizer.NormalizeText(text, default), Is.EqualTo(expected), text);
        }
    }

    [TestCase("llama-code-4k")]
    [TestCase("llama-code-4k-metaspace")]
    [TestCase("phi3-llama2")]
    public void The_parts_of_a_text_have_the_tokens_of_the_whole(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        TokenModel model = tokenizer.Parts.Model;
        int parts = 0;
        foreach (string text in (string[])[.. Texts("llama-code-4k"), .. RandomTexts()])
        {
            string word = text.Replace(' ', '\u2581') + new string('=', 70);
            var ids = new List<int>();
            for (int start = 0; start < word.Length; parts++)
            {
                int end = start + model.EndOfPart(word.AsSpan(start));
                ids.AddRange(model.Tokenize(word.AsSpan(start, end - start), default).Select(token => token.Id));
                start = end;
            }
            Assert.That(ids, Is.EqualTo(model.Tokenize(word, default).Select(token => token.Id)), text);
        }
        Assert.That(parts, Is.GreaterThan(20_000));
    }

    // a+b and b+c are merges: after "ab" or "bc" may follow anything, "ca" may be cut.
    [TestCase("abcabc", "{}", 3)]
    [TestCase("caab", "{}", 1)]
    [TestCase("xa", "{}", 1)]
    [TestCase("abab", """{"fuse_unk":true}""", 4)]                  // two that are unknown may become one
    [TestCase("caab", """{"unk_token":null}""", 4)]                 // what is left out brings its neighbours together
    [TestCase("caab", """{"continuing_subword_prefix":"#"}""", 4)]
    [TestCase("caab", """{"end_of_word_suffix":"$"}""", 4)]
    [TestCase("caab", """{"ignore_merges":true}""", 4)]
    [TestCase("caab", """{"byte_fallback":true,"fuse_unk":true}""", 4)]         // not all bytes are pieces
    public void A_bpe_is_cut_only_where_that_changes_no_token(string word, string options, int end)
    {
        var model = new JsonObject
        {
            ["type"] = "BPE", ["unk_token"] = "?", ["merges"] = new JsonArray("a b", "b c"),
            ["vocab"] = new JsonObject([.. "?,a,b,c,ab,bc,#b,a#b,#c,b#c,b$,c$".Split(',').Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))]),
        };
        foreach ((string key, JsonNode? value) in JsonNode.Parse(options)!.AsObject()) model[key] = value?.DeepClone();
        if (model["continuing_subword_prefix"] is not null) model["merges"] = new JsonArray("a #b", "b #c");
        Assert.That(Tiny.Load(new JsonObject { ["model"] = model }).Parts.Model.EndOfPart(word), Is.EqualTo(end));
    }

    [Test]
    public void Ids_of_a_part_before_which_spaces_were_stripped_know_where_it_stood()
    {
        // prepend_scheme first looks at the text as given: what begins with white space is not at its beginning, though the normaliser takes it off.
        Tokenizer tokenizer = Tiny.Load(new JsonObject
        {
            ["normalizer"] = new JsonObject { ["type"] = "Strip" },
            ["pre_tokenizer"] = new JsonObject { ["type"] = "Metaspace", ["prepend_scheme"] = "first" },
            ["model"] = JsonNode.Parse("""{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"a":1,"▁a":2}}"""),
        });
        Assert.That(tokenizer.EncodeToIds("a"), Is.EqualTo(new[] { 2 }));
        Assert.That(tokenizer.EncodeToIds(" a"), Is.EqualTo(new[] { 1 }));
        Assert.That(tokenizer.Encode(" a").Ids, Is.EqualTo(new[] { 1 }));
    }

    private static string WithOffsets(Normalizer normalizer, string text)
    {
        var normalized = new NormalizedText(text, 0, text.Length, default);
        normalizer.Normalize(normalized);
        return normalized.ToAligned().Value.ToString();
    }

    private static IEnumerable<string> Texts(string name) => TestFiles.Reference(name + ".jsonl").Select(row => row.GetProperty("text").GetString()!);

    // Runs from blocks that combine, join, compose or are replaced.
    private static IEnumerable<string> RandomTexts()
    {
        (int From, int To)[] blocks =
        [
            (0x20, 0x7E), (0x20, 0x7E), (0x0A, 0x0D), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x7FF), (0x900, 0xDFF), (0xE00, 0x11FF),
            (0x1780, 0x1CFF), (0x1E00, 0x20FF), (0x3000, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7FF), (0xF900, 0xFFEF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF),
        ];
        var random = new Random(5);
        for (int i = 0; i < 2000; i++)
        {
            var text = new StringBuilder();
            for (int run = random.Next(1, 8); run > 0; run--)
            {
                (int from, int to) = blocks[random.Next(blocks.Length)];
                for (int c = random.Next(1, 5); c > 0; c--) text.Append(new Rune(random.Next(from, to + 1)));
                if (random.Next(3) == 0) text.Append("  |\u0301|\u200D|\r\n|\uFE0F|\u094D|가\u11A8".Split('|')[random.Next(7)]);
            }
            yield return text.ToString();
        }
    }
}
