using System.Text;
using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

[Parallelizable(ParallelScope.All)]
public class DecodingTests
{
    private static readonly string[] ByteLevelNames = ["roberta-code-8k", "codegen-python-8k", "digits-python-8k"];
    private static readonly string[] CommittedNames = [.. ByteLevelNames, "wordpiece-code-4k"];

    [TestCaseSource(nameof(ByteLevelNames))]
    public void Byte_level_decoding_undoes_encoding_and_offsets_cover_the_text(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        var random = new Random(20261121);
        var plain = new EncodeOptions { AddSpecialTokens = false };
        for (int i = 0; i < 500; i++)
        {
            string text = RandomText(random);
            TokenEncoding encoding = tokenizer.Encode(text, options: plain);
            Assert.That(tokenizer.Decode(encoding.Ids), Is.EqualTo(text));
            int covered = 0;
            foreach ((int start, int end) in encoding.Utf16Offsets)
            {
                // RoBERTa trims white space out of offsets, so there may be holes, but only white ones.
                if (start > covered) Assert.That(text[covered..start], Is.Empty.Or.Matches(@"^\s+$"));
                covered = Math.Max(covered, end);
            }
        }
    }

    [Test]
    public void Pieces_of_a_stream_make_the_decoded_text([ValueSource(nameof(CommittedNames))] string name, [Values] bool cleanUp)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        var options = new DecodeOptions { SkipSpecialTokens = true, CleanUpTokenizationSpaces = cleanUp };
        var random = new Random(7);
        DecodeStream stream = tokenizer.CreateDecodeStream(options);
        for (int i = 0; i < 300; i++)
        {
            int[] ids = i % 2 == 0
                ? tokenizer.Encode(RandomText(random)).Ids
                : [.. Enumerable.Range(0, 20).Select(_ => random.Next(tokenizer.VocabularySize + 10))];
            var text = new StringBuilder();
            foreach (int id in ids) text.Append(stream.Append(id));
            text.Append(stream.Flush());
            Assert.That(text.ToString(), Is.EqualTo(tokenizer.Decode(ids, options)));
        }
    }

    [Test]
    public void A_character_split_over_four_tokens_appears_whole_with_the_last()
    {
        Tokenizer tokenizer = Tiny.ByteLevel();
        DecodeStream stream = tokenizer.CreateDecodeStream();
        string[] pieces = [.. tokenizer.Encode("😀!").Ids.Select(stream.Append)];
        Assert.That(pieces, Is.EqualTo(new[] { "", "", "", "😀", "!" }));
        Assert.That(stream.Flush(), Is.Empty);
    }

    [Test]
    public void An_unfinished_character_comes_out_as_a_replacement_when_flushed()
    {
        Tokenizer tokenizer = Tiny.ByteLevel();
        DecodeStream stream = tokenizer.CreateDecodeStream();
        int[] ids = tokenizer.Encode("é").Ids;
        Assert.That(stream.Append(ids[0]) + stream.Flush(), Is.EqualTo("\ufffd"));
        Assert.That(stream.Append(ids[0]) + stream.Append(ids[1]), Is.EqualTo("é"), "the stream starts anew");
    }

    [TestCase(InvalidUtf8.Replace, "a\ufffdb")]
    [TestCase(InvalidUtf8.Ignore, "ab")]
    public void Bytes_that_are_not_utf8_are_replaced_or_left_out(InvalidUtf8 errors, string text)
    {
        Tokenizer tokenizer = Tiny.ByteLevel();
        int[] ids = [tokenizer.TokenToId("a")!.Value, tokenizer.Encode("é").Ids[0], tokenizer.TokenToId("b")!.Value];
        Assert.That(tokenizer.Decode(ids, new DecodeOptions { Errors = errors }), Is.EqualTo(text));
    }

    [Test]
    public void Bytes_that_are_not_utf8_are_refused_if_asked()
    {
        Tokenizer tokenizer = Tiny.ByteLevel();
        int first = tokenizer.Encode("é").Ids[0];
        Assert.That(() => tokenizer.Decode([first], new DecodeOptions { Errors = InvalidUtf8.Strict }),
            Throws.TypeOf<TokenizerException>().With.Message.Contains("UTF-8"));
    }

    [Test]
    public void Ids_without_a_token_are_left_out()
    {
        Tokenizer tokenizer = Tiny.ByteLevel();
        Assert.That(tokenizer.Decode([-1, 'a', 100_000, int.MaxValue, 'b']), Is.EqualTo("ab"));
    }

    [Test]
    public void WordPieces_are_joined_and_punctuation_is_moved_up()
    {
        Tokenizer tokenizer = Tiny.WordPiece(["play", "##ing", ".", "do", "n't", "##", "'"]);
        int[] Ids(params string[] tokens) => [.. tokens.Select(t => tokenizer.TokenToId(t)!.Value)];
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Decode(Ids("play", "##ing", ".")), Is.EqualTo("playing."));
            Assert.That(tokenizer.Decode(Ids("##ing", "do", "n't")), Is.EqualTo("##ing don't"));
        });
    }

    [Test]
    public void Clean_up_in_pieces_is_clean_up_of_the_whole()
    {
        // The alphabet of the rules, so that they meet and overlap.
        var random = new Random(3);
        Tokenizer tokenizer = Tiny.ByteLevel();
        var options = new DecodeOptions { CleanUpTokenizationSpaces = true };
        for (int i = 0; i < 20_000; i++)
        {
            string text = new([.. Enumerable.Range(0, random.Next(24)).Select(_ => " .'nmtsvre?!,x"[random.Next(3) == 0 ? 0 : random.Next(14)])]);
            DecodeStream stream = tokenizer.CreateDecodeStream(options);
            string pieces = string.Concat(tokenizer.Encode(text).Ids.Select(stream.Append)) + stream.Flush();
            Assert.That(pieces, Is.EqualTo(CleanUp.Transformers(text)), text);
        }
    }

    [Test]
    public void Many_threads_get_what_one_gets()
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k"));
        Tokenizer alone = Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k"));
        var random = new Random(11);
        string[] texts = [.. Enumerable.Range(0, 2000).Select(_ => RandomText(random))];
        int[][] expected = [.. texts.Select(t => alone.Encode(t).Ids)];
        var found = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => found[i] = tokenizer.Encode(texts[i]).Ids);
        Assert.That(found, Is.EqualTo(expected));
    }

    private static string RandomText(Random random)
    {
        string[] parts = ["hello", " ", "  ", "\n", "'s", "def f(x):", "12", "٣", "é", "e\u0301", "😀", "👨‍👩‍👧", "中文",
            "\t", "\u0000", "__", "\u00a0", "n't", " .", "𐐀"];
        var text = new StringBuilder();
        for (int n = random.Next(20); n > 0; n--)
        {
            int codePoint = random.Next(0x110000);
            if (random.Next(5) == 0 && codePoint is < 0xD800 or > 0xDFFF) text.Append(char.ConvertFromUtf32(codePoint));
            else text.Append(parts[random.Next(parts.Length)]);
        }

        return text.ToString();
    }

    [TestCase("""{"type":"BPEDecoder","suffix":""}""", " a b cd")]
    [TestCase("""{"type":"CTC","pad_token":"","word_delimiter_token":""}""", " a b  c d ")]
    [TestCase("""{"type":"Replace","pattern":{"String":""},"content":"-"}""", "-a-b--c-d-")]
    public void Nothing_as_a_mark_is_found_around_every_character(string decoder, string text)
    {
        var vocab = new JsonObject { ["ab"] = 0, ["cd"] = 1, ["<unk>"] = 2 };
        var model = new JsonObject { ["type"] = "WordLevel", ["vocab"] = vocab };
        Tokenizer tokenizer = Tiny.Load(new JsonObject { ["model"] = model, ["decoder"] = JsonNode.Parse(decoder) });
        Assert.That(tokenizer.Decode([0, 1]), Is.EqualTo(text));
    }
}
