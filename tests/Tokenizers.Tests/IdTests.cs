using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Ids alone: the same as those of whole encodings, which <see cref="ParityTests"/> compares with the library.</summary>
[Parallelizable(ParallelScope.All)]
public class IdTests
{
    private static readonly string[] Names = TestFiles.Names;

    // One option at a time, and together.
    private static readonly EncodeOptions[] AllOptions =
    [
        EncodeOptions.Default,
        EncodeOptions.Plain,
        new() { Truncation = new Truncation(9) },
        new() { Truncation = new Truncation(6) { Direction = TextSide.Left, Stride = 1 } },
        new() { Truncation = new Truncation(8) { Strategy = TruncationStrategy.OnlyFirst } },
        new() { Truncation = new Truncation(8) { Strategy = TruncationStrategy.OnlySecond } },
        new() { Truncation = new Truncation(4), AddSpecialTokens = false },
        new() { Truncation = new Truncation(0) },
        new() { Padding = new Padding { PadId = 1, MultipleOf = 8 } },
        new() { Truncation = new Truncation(5), Padding = new Padding { PadId = 1, Length = 7, Direction = TextSide.Left } },
    ];

    [TestCaseSource(nameof(Names))]
    public void The_ids_of_every_reference_text_are_those_of_the_library(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        JsonElement[] rows = TestFiles.Reference(name + ".jsonl");
        string[] texts = [.. rows.Select(row => row.GetProperty("text").GetString()!)];
        IReadOnlyList<int[]> batch = tokenizer.EncodeBatchToIds(texts);
        for (int i = 0; i < rows.Length; i++)
        {
            int[] expected = rows[i].GetProperty("ids").Deserialize<int[]>()!;
            Assert.That(batch[i], Is.EqualTo(expected), texts[i]);
            Assert.That(tokenizer.CountTokens(texts[i]), Is.EqualTo(expected.Length), texts[i]);
            Assert.That(tokenizer.EncodeToIds(texts[i], options: EncodeOptions.Plain), Is.EqualTo(rows[i].GetProperty("plain_ids").Deserialize<int[]>()));
        }
    }

    [TestCaseSource(nameof(Names))]
    public void Pairs_truncation_and_padding_give_the_ids_of_whole_encodings(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        string[] texts = [.. TestFiles.Reference(name + ".jsonl").Select(row => row.GetProperty("text").GetString()!).Where((_, i) => i % 7 == 0)];
        for (int i = 0; i < texts.Length; i++)
        {
            foreach (EncodeOptions options in AllOptions)
            {
                Compare(tokenizer, texts[i], pair: null, options);
                Compare(tokenizer, texts[i], texts[(i + 1) % texts.Length], options);
            }
        }
    }

    [TestCaseSource(nameof(Names))]
    public void Random_texts_have_the_ids_of_whole_encodings(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        var random = new Random(19);
        string[] added = [.. tokenizer.AddedTokens.Select(token => token.Content)];
        for (int i = 0; i < 3000; i++)
            Compare(tokenizer, RandomText(random, added), i % 5 == 0 ? RandomText(random, added) : null, AllOptions[i % 3]);
    }

    [Test]
    public void Every_character_between_and_beside_letters_has_the_ids_of_whole_encodings(
        [Values(true, false)] bool cleanText, [Values(true, false)] bool handleChineseChars, [Values(true, false)] bool lowercase)
    {
        // A piece is cut at a character where the normaliser, whatever its options, leaves white space or punctuation of it.
        Tokenizer tokenizer = Tiny.WordPiece(["a", "b", "##a", "##b", "ab", "A", "##B", "\u0301", "##\u0301", ".", "##.", "\u4e2d", "##\u4e2d"], json =>
        {
            json["normalizer"]!["clean_text"] = cleanText;
            json["normalizer"]!["handle_chinese_chars"] = handleChineseChars;
            json["normalizer"]!["lowercase"] = lowercase;
        });
        for (int codePoint = 0; codePoint < 0x30000; codePoint++)
        {
            if (codePoint is >= 0xD800 and < 0xE000) continue;
            string c = char.ConvertFromUtf32(codePoint);
            string text = $"A{c}B {c} a{c} {c}b\u0301{c}{c}\u0327\u4e2d";
            if (!tokenizer.EncodeToIds(text).AsSpan().SequenceEqual(tokenizer.Encode(text).Ids)) Assert.Fail($"U+{codePoint:X4}");
        }
    }

    [Test]
    public void Added_tokens_that_are_searched_for_in_normalised_text_are_found()
    {
        // "X.y" is lowered before it is searched for, and a piece of the text as given would end at the point.
        Tokenizer tokenizer = Tiny.WordPiece(["x", ".", "y", "z"], json => json["added_tokens"] = new JsonArray(Tiny.Added(9, "X.y", normalized: true)));
        Assert.That(tokenizer.EncodeToIds("z x.Y z"), Is.EqualTo(tokenizer.Encode("z x.Y z").Ids).And.EqualTo((int[])[4, 5, 4]));
    }

    [Test]
    public void A_template_puts_its_tokens_around_ids_and_gives_type_ids()
    {
        Tokenizer tokenizer = Tiny.ByteLevel(added: [Tiny.Added(256, "<a>", special: true), Tiny.Added(257, "<b>", special: true)])
            .WithTemplate("<a> $A:3 <b>:2", "<b> $B:1 <a> <a> $A");
        TokenRow one = tokenizer.EncodeRow("xy"), two = tokenizer.EncodeRow("xy", "z", new EncodeOptions { Truncation = new Truncation(5) });
        Assert.Multiple(() =>
        {
            Assert.That(one.Ids, Is.EqualTo((int[])[256, 'x', 'y', 257]));
            Assert.That(one.TypeIds, Is.EqualTo((int[])[0, 3, 3, 2]));
            Assert.That((one.FirstToken, one.TextTokens, one.PairTokens, one.Truncated), Is.EqualTo((1, 2, 0, false)));
            Assert.That(two.Ids, Is.EqualTo((int[])[257, 'z', 256, 256, 'x']));
            Assert.That(two.TypeIds, Is.EqualTo((int[])[0, 1, 0, 0, 0]));
            Assert.That((two.TextTokens, two.PairTokens, two.Truncated), Is.EqualTo((1, 1, true)));
        });
    }

    [Test]
    public void A_short_buffer_is_left_alone_and_told_the_length()
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer("roberta-code-8k"));
        int[] expected = tokenizer.Encode("def add(a, b):").Ids;
        int[] exact = new int[expected.Length], shorter = TokenEncoding.Filled(expected.Length - 1, -7), longer = TokenEncoding.Filled(expected.Length + 1, -7);
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.TryEncodeToIds("def add(a, b):", exact, out int count), Is.True);
            Assert.That(count, Is.EqualTo(expected.Length));
            Assert.That(exact, Is.EqualTo(expected));
            Assert.That(tokenizer.TryEncodeToIds("def add(a, b):", shorter, out count), Is.False);
            Assert.That(count, Is.EqualTo(expected.Length));
            Assert.That(shorter, Is.All.EqualTo(-7));
            Assert.That(tokenizer.TryEncodeToIds("def add(a, b):", longer, out _), Is.True);
            Assert.That(longer, Is.EqualTo((int[])[.. expected, -7]));
        });
    }

    [Test]
    public void A_batch_on_several_threads_throws_what_its_first_bad_text_throws([Values(1, 4)] int threads)
    {
        string[] texts = [.. Enumerable.Repeat("fine", 50)];
        texts[20] = texts[40] = null!;
        var options = new EncodeOptions { MaxThreads = threads };
        Tokenizer tokenizer = Tiny.ByteLevel();
        Assert.Multiple(() =>
        {
            Assert.That(() => tokenizer.EncodeBatchToIds(texts, options), Throws.ArgumentNullException);
            Assert.That(() => tokenizer.EncodeBatch(texts, options), Throws.ArgumentNullException);
            Assert.That(() => new EncodeOptions { MaxThreads = 0 }, Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("at least 1"));
        });
    }

    [TestCase("roberta-code-8k")]
    [TestCase("wordpiece-code-4k")]
    public void One_long_text_ends_when_it_is_cancelled(string name)
    {
        // Cancelled while the first words are read: an encoding that went on would be one of four million tokens.
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        string text = string.Concat(Enumerable.Repeat("return self.value + 1\n", 500_000));
        using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
        Assert.Multiple(() =>
        {
            Assert.That(() => tokenizer.EncodeToIds(text, cancellationToken: source.Token), Throws.InstanceOf<OperationCanceledException>());
            Assert.That(() => tokenizer.CountTokens(text, cancellationToken: source.Token), Throws.InstanceOf<OperationCanceledException>());
            Assert.That(() => tokenizer.EncodeBatchToIds([text, text], cancellationToken: source.Token), Throws.InstanceOf<OperationCanceledException>());
            Assert.That(() => tokenizer.Encode(text, cancellationToken: source.Token), Throws.InstanceOf<OperationCanceledException>());
        });
    }

    [TestCase("roberta-code-8k", "a")]
    [TestCase("roberta-code-8k", "カタカナ")]
    [TestCase("wordpiece-code-4k", "a")]
    [TestCase("wordpiece-code-4k", "カタカナ")]
    public void One_long_word_ends_when_it_is_cancelled(string name, string part)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        string text = string.Concat(Enumerable.Repeat(part, 8_000_000 / part.Length));
        using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
        Assert.That(() => tokenizer.EncodeToIds(text, cancellationToken: source.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [TestCase("codegen-python-8k")]
    [TestCase("wordpiece-code-4k")]
    public void Ids_of_a_text_whose_words_were_seen_allocate_less_than_a_byte_per_byte_of_text(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        string text = string.Concat(Enumerable.Repeat("def add(self, a, b):\n    return self.total + a * b  # 12\n", 2_000));
        var ids = new int[text.Length];
        tokenizer.TryEncodeToIds(text, ids, out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        tokenizer.TryEncodeToIds(text, ids, out int count);
        tokenizer.CountTokens(text);
        Assert.That((GC.GetAllocatedBytesForCurrentThread() - before) / (double)text.Length, Is.LessThan(1), $"{count} tokens");
    }

    private static void Compare(Tokenizer tokenizer, string text, string? pair, EncodeOptions options)
    {
        TokenEncoding encoding;
        try
        {
            encoding = tokenizer.Encode(text, pair, options);
        }
        catch (TokenizerException e)
        {
            Assert.That(() => tokenizer.EncodeToIds(text, pair, options), Throws.InstanceOf<TokenizerException>().With.Message.EqualTo(e.Message));
            return;
        }
        Assert.That(tokenizer.EncodeToIds(text, pair, options), Is.EqualTo(encoding.Ids), $"{text}|{pair}");
        if (options.Padding is null or { PadId: null })
        {
            TokenRow row = tokenizer.EncodeRow(text, pair, options);
            Assert.That(row.TypeIds, Is.EqualTo(encoding.TypeIds), $"{text}|{pair}");
            Assert.That((row.TextTokens, row.PairTokens), Is.EqualTo((encoding.SequenceIds.Count(id => id == 0), encoding.SequenceIds.Count(id => id == 1))));
            Assert.That(row.Truncated, Is.EqualTo(encoding.Overflowing.Count > 0));
        }
        if (pair is not null) return;
        var ids = new int[encoding.Length];
        Assert.That(tokenizer.TryEncodeToIds(text, ids, out int count, options) && ids.AsSpan().SequenceEqual(encoding.Ids), $"{text}: {count}");
        Assert.That(tokenizer.CountTokens(text, options), Is.EqualTo(encoding.Length));
    }

    // Code, words of many scripts, marks, controls, lone surrogates, added tokens.
    private static string RandomText(Random random, string[] added)
    {
        var text = new StringBuilder();
        for (int i = random.Next(12); i >= 0; i--)
        {
            switch (random.Next(8))
            {
                case 0: text.Append((char)random.Next(0x20, 0x7F)); break;
                case 1: text.Append((char)random.Next(0, 0x10000)); break;
                case 2: text.Append(char.ConvertFromUtf32(random.Next(0x10000, 0x20000))); break;
                case 3: text.Append((char)random.Next(0x300, 0x370)); break;
                case 4: text.Append(' ', random.Next(1, 4)); break;
                case 5 when added.Length > 0: text.Append(added[random.Next(added.Length)]); break;
                case 6: text.Append((char)random.Next(0xC0, 0x250)); break;
                default: text.Append("return x's über\n\t"[random.Next(16)..]); break;
            }
        }
        return text.ToString();
    }
}
