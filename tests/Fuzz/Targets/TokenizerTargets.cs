using ManagedTransformers.Tokenizers;
using ManagedTransformers.Tokenizers.Tests;

namespace ManagedTransformers.Fuzz;

/// <summary>The files of tokenizers, and texts.</summary>
internal static class TokenizerTargets
{
    private static readonly string[] s_texts =
    [
        "", " ", "def f(x):\n\treturn x + 1", "Ab abba \u00e9e\u0301 12.5 <s> [MASK] </s><mask>", "  a  b\r\n", "\u65e5\u672c\u8a9e \ud83d\ude00\u0000\u200d",
        "<|endoftext|>ko kot ala\u2581ab", "\ufb01\u00a0\u0130\u1e9b\u0323",
    ];

    private static readonly string[] s_words =
    [
        "Sequence", "BertNormalizer", "ByteLevel", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend", "Replace", "Strip", "Lowercase",
        "StripAccents", "BertPreTokenizer", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace", "Punctuation", "Split", "UnicodeScripts",
        "Whitespace", "WhitespaceSplit", "BertProcessing", "RobertaProcessing", "TemplateProcessing", "WordPiece", "Fuse", "BPEDecoder", "ByteFallback",
        "CTC", "BPE", "Unigram", "WordLevel", "type", "normalizers", "pretokenizers", "processors", "decoders", "pattern", "Regex", "String", "content",
        "behavior", "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous", "invert", "prepend", "prepend_scheme", "always", "first",
        "never", "split", "replacement", "add_prefix_space", "trim_offsets", "use_regex", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase",
        "strip_left", "strip_right", "delimiter", "individual_digits", "length", "sep", "cls", "single", "pair", "special_tokens", "SpecialToken",
        "Sequence", "id", "ids", "tokens", "type_id", "A", "B", "suffix", "prefix", "cleanup", "pad_token", "word_delimiter_token", "start", "stop",
        "truncation", "padding", "strategy", "LongestFirst", "OnlyFirst", "max_length", "stride", "direction", "Left", "Right", "BatchLongest", "Fixed",
        "pad_to_multiple_of", "pad_id", "pad_type_id", "added_tokens", "special", "normalized", "lstrip", "rstrip", "single_word", "vocab", "merges",
        "unk_token", "unk_id", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "dropout",
        "max_input_chars_per_word", "\\\\p{L}+", "(?!\\\\S)", "[^\\\\s]*", "a|b", " ?\\\\w{2,3}", "(?i:x)", "\\u2581", "<0x41>", "</w>", "##",
    ];

    private static readonly string[] s_configWords =
    [
        "tokenizer_class", "model_max_length", "max_len", "add_prefix_space", "add_bos_token", "add_eos_token", "legacy", "sp_model_kwargs", "do_lower_case",
        "clean_up_tokenization_spaces", "strip_accents", "tokenize_chinese_chars", "bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
        "cls_token", "mask_token", "additional_special_tokens", "added_tokens_decoder", "content", "special", "normalized", "lstrip", "rstrip",
        "single_word", "RobertaTokenizer", "BertTokenizerFast", "GPT2Tokenizer", "LlamaTokenizer", "XLMRobertaTokenizer", "CamembertTokenizer",
        "MPNetTokenizer", "HerbertTokenizer", "Qwen2Tokenizer", "PreTrainedTokenizerFast", "model_type", "roberta", "bert", "llama", "<s>", "</s>", "<unk>",
    ];

    private static readonly JsonMutator s_json = new(s_words), s_config = new(s_configWords);

    private static readonly ByteMutator s_text =
        new("\ud83d\ude00", "e\u0301", "\u200d", "\u0130", "\ufb03", "\u65e5", "<mask>", "</s>", "  ", "\r\n", "\ufeff");

    private static readonly LineMutator s_pattern = new(
        new ByteMutator("\\p{L}", "(?:", ")", "[^", "]", "{1,3}", "*?", "|", "(?!", "(?<=", "\\b", "\\S", "^", "$", ".", "(?i:"));

    private static readonly BundleMutator s_files = new(name => name switch
    {
        "tokenizer.json" => s_json,
        "vocab.txt" or "merges.txt" => new LineMutator(new ByteMutator("##", "[UNK]", " ", "#version: 0.2", "\u00c4\u00a0", "</w>", "\ufeff")),
        "tokenizer.model" or "sentencepiece.bpe.model" => new ProtobufMutator(),
        _ => s_config,
    });

    public static IEnumerable<FuzzTarget> All =>
    [
        new("tokenizer-json", s_files, TokenizerJson, Read) { ShortRun = 800 },
        new("vocabulary-files", s_files, Vocabularies, Read) { ShortRun = 1500 },
        new("tokenizer-config", s_files, Configs, Read) { ShortRun = 1500 },
        new("sentencepiece", s_files, SentencePiece, Read) { ShortRun = 1500 },
        new("character-map", new ByteMutator(), () => [Seeds.CharacterMap()], ReadCharacterMap),
        new("regex", s_pattern, Patterns, ReadPattern),
        new("texts", s_text, Texts, input => TokenizerOracle.Check(TokenizerOf(input), System.Text.Encoding.UTF8.GetString(input)))
        {
            MemoryFactor = 300,         // a byte may be a token, and an encoding says nine things of each
        },
        new("texts-to-ids", s_text, Texts, input => TokenizerOf(input).EncodeToIds(System.Text.Encoding.UTF8.GetString(input))),
    ];

    private static IEnumerable<byte[]> TokenizerJson()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path.Combine(Seeds.Data, "tokenizers")).Order(StringComparer.Ordinal))
        {
            string config = Path.Combine(folder, "tokenizer_config.json");
            // Two have an alphabet of bytes as a whole; the others stay small, and fast.
            string name = Path.GetFileName(folder);
            byte[] json = Seeds.Tokenizer(name, name is "llama3-code-4k" or "roberta-code-8k" ? 300 : 60);
            yield return File.Exists(config)
                ? Bundle.Write(("tokenizer.json", json), ("tokenizer_config.json", File.ReadAllBytes(config)))
                : Bundle.Write(("tokenizer.json", json));
        }
        yield return Seeds.Folder(Path.Combine("cases", "herbert-json"), static _ => true);
        foreach (byte[] small in Small())
            yield return Bundle.Write(("tokenizer.json", small));
    }

    /// <summary>Small tokenizers that have each kind of part once.</summary>
    private static IEnumerable<byte[]> Small() => Seeds.Named("*.json", 4096, "fuzz", "tokenizers");

    private static IEnumerable<byte[]> Vocabularies()
    {
        yield return Seeds.Folder(Path.Combine("cases", "herbert"), static _ => true);
        yield return Seeds.Folder(Path.Combine("cases", "bert-japanese"), static _ => true);
        yield return Bundle.Write(("vocab.txt", Seeds.Utf8("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n##a\nab\n12\n.\n")));
        yield return Bundle.Write(("vocab.json", Seeds.Utf8("""{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"a":4,"b":5,"ab":6,"Ġ":7,"Ġab":8}""")),
            ("merges.txt", Seeds.Utf8("#version: 0.2\na b\nĠ ab\n")), ("tokenizer_config.json", Seeds.Utf8("""{"tokenizer_class":"RobertaTokenizer"}""")),
            ("added_tokens.json", Seeds.Utf8("""{"<mask>":9,"  ":10}""")));
        yield return Bundle.Write(("vocab.json", Seeds.Utf8("""{"a":0,"b":1,"ab":2,"<|endoftext|>":3}""")), ("merges.txt", Seeds.Utf8("a b")),
            ("config.json", Seeds.Utf8("""{"model_type":"gpt2"}""")));
    }

    private static IEnumerable<byte[]> Configs()
    {
        byte[] json = Small().First();
        foreach (string name in new[] { "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json" })
        {
            foreach (byte[] file in Seeds.Named(name))
                yield return Bundle.Write(("tokenizer.json", json), (name, file));
        }
        foreach (byte[] file in Seeds.Named("added_tokens.json"))
            yield return Bundle.Write(("vocab.txt", Seeds.Utf8("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nab\n")), ("added_tokens.json", file),
                ("special_tokens_map.json", Seeds.Utf8("""{"mask_token":{"content":"[MASK]","lstrip":true},"additional_special_tokens":["x","y"]}""")));
    }

    private static IEnumerable<byte[]> SentencePiece()
    {
        byte[] map = SentencePieceWriter.Message(2, Seeds.CharacterMap());
        SentencePiece[] bytes = [.. Enumerable.Range(0, 256).Select(b => new SentencePiece($"<0x{b:X2}>", 0, PieceType.Byte))];
        byte[][] models = [SentencePieceWriter.Bpe(), SentencePieceWriter.Bpe(map), SentencePieceWriter.Unigram(), SentencePieceWriter.Unigram(map),
            SentencePieceWriter.Unigram(null, new SentencePiece("user", 0, PieceType.UserDefined), new SentencePiece("x", 0, PieceType.Unused)),
            SentencePieceWriter.Model([.. SentencePieceWriter.Number(3, 2), .. SentencePieceWriter.Number(35, 1)], SentencePieceWriter.Number(4, 0),
                [.. SentencePieceWriter.Begin, .. bytes, new("a", -1, PieceType.Normal)])];
        foreach (byte[] model in models)
        {
            yield return Bundle.Write(("tokenizer.model", model));
            yield return Bundle.Write(
                ("tokenizer.model", model), ("tokenizer_config.json", Seeds.Utf8("""{"tokenizer_class":"LlamaTokenizer","legacy":false}""")));
            yield return Bundle.Write(("sentencepiece.bpe.model", model), ("config.json", Seeds.Utf8("""{"model_type":"xlm-roberta"}""")));
        }
    }

    private static IEnumerable<byte[]> Patterns() => new[]
    {
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+\nit's 12 am  now\n",
        "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s*[\\r\\n]+\nIt'S 12345\n", "(a+)+b|a\naaaaaaaaaaaaaaaaaaaaaaaaa\n",
        "(?<=a)b*?|^c$|\\bd\\b|(?<!x)y(?=z)\nab c d xyz\n", "[\\w\\-.&&[^a]]{0,2}\\x41|\\u00e9\né A\n",
    }.Select(Seeds.Utf8);

    private static IEnumerable<byte[]> Texts() => s_texts.Select(Seeds.Utf8);

    private static void Read(byte[] input)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Bundle.Files(input);
        Tokenizer tokenizer = Tokenizer.FromFiles(files);
        for (int i = input.Length % 3; i < s_texts.Length; i += 3)          // a third of them: encoding takes longer than reading
            TokenizerOracle.Check(tokenizer, s_texts[i]);
        TokenizerOracle.Check(tokenizer, s_texts[2], s_texts[3]);
    }

    private static void ReadCharacterMap(byte[] input)
    {
        CharacterMap map = CharacterMap.Read(input, "x");
        for (int start = 0; start < input.Length; start += 512)
            map.Find(input.AsSpan(start, Math.Min(8, input.Length - start)));
        for (int first = 0; first < 256; first++)
            map.Find([(byte)first, 0xA9, 0x80]);
    }

    private static void ReadPattern(byte[] input)
    {
        int end = Array.IndexOf(input, (byte)'\n') is int at and >= 0 ? at : input.Length;
        var pattern = new RegexPattern(System.Text.Encoding.UTF8.GetString(input.AsSpan(0, end)), "x");
        string text = System.Text.Encoding.UTF8.GetString(input.AsSpan(end));
        int least = 0;
        var matches = new Matches(pattern, text);
        while (matches.Next(out int start, out int stop))
        {
            Oracle.Require(least <= start && start <= stop && stop <= text.Length, $"A match at {start} … {stop} of {text.Length}, after one to {least}");
            least = stop;
        }
    }

    private static readonly Lazy<Tokenizer[]> s_tokenizers = new(() =>
    [
        .. Directory.EnumerateDirectories(Path.Combine(Seeds.Data, "tokenizers")).Order(StringComparer.Ordinal).Select(folder => Tokenizer.Load(folder)),
    ]);

    private static Tokenizer TokenizerOf(byte[] input) => s_tokenizers.Value[input.Length % s_tokenizers.Value.Length];
}
