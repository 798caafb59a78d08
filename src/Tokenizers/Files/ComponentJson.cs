namespace ManagedTransformers.Tokenizers;

/// <summary>Reads the parts of tokenizer.json around the model. A kind that is not known here is refused by name.</summary>
internal static class ComponentJson
{
    /// <summary>"normalizer", changed where tokenizer_config.json says otherwise.</summary>
    public static Normalizer? ReadNormalizer(JsonPart? part, TokenizerConfig config)
    {
        if (part is not JsonPart json) return null;
        return Type(json) switch
        {
            "Sequence" => new SequenceNormalizer([.. json.Get("normalizers").Items().Select(n => ReadNormalizer(n, TokenizerConfig.Empty)!)]),
            "BertNormalizer" => new BertNormalizer
            {
                CleanText = json.Find("clean_text").Or(true),
                HandleChineseChars = config.TokenizeChineseChars ?? json.Find("handle_chinese_chars").Or(true),
                StripAccents = config.StripAccents ?? json.Find("strip_accents")?.Bool(),
                Lowercase = config.DoLowerCase ?? json.Find("lowercase").Or(true),
            },
            "ByteLevel" => new ByteLevelNormalizer(),
            "NFC" => new NfcNormalizer(),
            "NFD" => new NfdNormalizer(),
            "NFKC" => new CompatibilityNormalizer(compose: true),
            "NFKD" => new CompatibilityNormalizer(compose: false),
            "Nmt" => new NmtNormalizer(),
            "Precompiled" => new PrecompiledNormalizer(CharacterMap.Read(json.Get("precompiled_charsmap"))),
            "Prepend" => new PrependNormalizer(json.Get("prepend").String()),
            "Replace" => new ReplaceNormalizer(PatternJson.Read(json.Get("pattern")), json.Get("content").String()),
            "Strip" => new StripNormalizer(json.Find("strip_left").Or(true), json.Find("strip_right").Or(true)),
            "Lowercase" => new LowercaseNormalizer(),
            "StripAccents" => new StripAccentsNormalizer(),
            var other => throw Unknown(json, other,
                "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Strip, StripAccents, Sequence"),
        };
    }

    /// <summary>"pre_tokenizer", changed where tokenizer_config.json says otherwise.</summary>
    public static PreTokenizer? ReadPreTokenizer(JsonPart? part, TokenizerConfig config)
    {
        if (part is not JsonPart json) return null;
        return Type(json) switch
        {
            "Sequence" => ReadSequence(json),
            "ByteLevel" => new ByteLevelPreTokenizer(config.AddPrefixSpace ?? json.Find("add_prefix_space").Or(true), json.Find("use_regex").Or(true)),
            "BertPreTokenizer" => new BertPreTokenizer(),
            "CharDelimiterSplit" => new SplitPreTokenizer(new LiteralPattern(json.Get("delimiter").String()), SplitBehavior.Removed, invert: false),
            "Digits" => new DigitsPreTokenizer(json.Find("individual_digits").Or(false)),
            "FixedLength" => new FixedLengthPreTokenizer(PatternJson.Length(json)),
            "Metaspace" => new MetaspacePreTokenizer(PatternJson.Mark(json), PatternJson.Scheme(json), json.Find("split").Or(true)),
            "Punctuation" => new SplitPreTokenizer(
                new ClassPattern(CodePointClass.Punctuation),
                json.Find("behavior") is JsonPart behavior ? PatternJson.Behavior(behavior) : SplitBehavior.Isolated,
                invert: false),
            "Split" => new SplitPreTokenizer(
                PatternJson.Read(json.Get("pattern")), PatternJson.Behavior(json.Get("behavior")), json.Find("invert").Or(false)),
            "UnicodeScripts" => new UnicodeScriptsPreTokenizer(),
            "Whitespace" => new SplitPreTokenizer(new WordPattern(), SplitBehavior.Removed, invert: true),
            "WhitespaceSplit" => new SplitPreTokenizer(new ClassPattern(CodePointClass.Space), SplitBehavior.Removed, invert: false),
            var other => throw Unknown(json, other,
                "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Split, UnicodeScripts, Whitespace, "
                + "WhitespaceSplit, Sequence"),
        };
    }

    /// <summary>Does the pre-tokenizer turn text into bytes?</summary>
    public static bool IsByteLevel(PreTokenizer? preTokenizer) =>
        preTokenizer is ByteLevelPreTokenizer || (preTokenizer is SequencePreTokenizer { PreTokenizers: [.., var last] } && IsByteLevel(last));

    /// <summary>"post_processor", changed where tokenizer_config.json says otherwise.</summary>
    public static PostProcessor? ReadPostProcessor(JsonPart? part, TokenizerConfig config)
    {
        if (part is not JsonPart json) return null;
        return Type(json) switch
        {
            "Sequence" => new SequencePostProcessor([.. json.Get("processors").Items().Select(p => ReadPostProcessor(p, TokenizerConfig.Empty)!)]),
            "ByteLevel" => new ByteLevelPostProcessor(json.Find("trim_offsets").Or(true), json.Find("add_prefix_space").Or(true)),
            "BertProcessing" => new BertProcessing(ReadSpecial(json.Get("sep")), ReadSpecial(json.Get("cls"))),
            "RobertaProcessing" => new RobertaProcessing(
                ReadSpecial(json.Get("sep")),
                ReadSpecial(json.Get("cls")),
                json.Find("trim_offsets").Or(true),
                config.AddPrefixSpace ?? json.Find("add_prefix_space").Or(true)),
            "TemplateProcessing" => ReadTemplate(json),
            var other => throw Unknown(json, other, "BertProcessing, ByteLevel, RobertaProcessing, TemplateProcessing, Sequence"),
        };
    }

    /// <summary>"decoder".</summary>
    public static TokenDecoder ReadDecoder(JsonPart? part)
    {
        if (part is not JsonPart json) return new SpaceDecoder();
        switch (Type(json))
        {
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "WordPiece":
                return new WordPieceDecoder(json.Find("prefix").Or("##"), json.Find("cleanup").Or(true));
            case "Fuse":
                return new FuseDecoder();
            case "BPEDecoder":
                return new BpeDecoder(json.Find("suffix").Or("</w>"));
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "CTC":
                return new CtcDecoder(json.Find("pad_token").Or("<pad>"), json.Find("word_delimiter_token").Or("|"), json.Find("cleanup").Or(true));
            case "Metaspace":
                return new MetaspaceDecoder(PatternJson.Mark(json), PatternJson.Scheme(json));
            case "Replace":
                return new ReplaceDecoder(PatternJson.Read(json.Get("pattern")), json.Get("content").String());
            case "Strip":
                return new StripDecoder(PatternJson.Character(json.Get("content")), json.Find("start").Or(0), json.Find("stop").Or(0));
            case "Sequence":
                return SequenceDecoder.Of([.. json.Get("decoders").Items().Select(d => ReadDecoder(d))]);
            case var other:
                throw Unknown(json, other, "BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, Metaspace, Replace, Strip, WordPiece, Sequence");
        }
    }

    private static SequencePreTokenizer ReadSequence(JsonPart json)
    {
        // Bytes that come out of the last part become characters in Bpe; what follows another part gets them as characters.
        var parts = new List<PreTokenizer>();
        foreach (JsonPart part in json.Get("pretokenizers").Items())
        {
            if (parts.Count > 0 && IsByteLevel(parts[^1])) parts.Add(new ByteCharactersPreTokenizer());
            parts.Add(ReadPreTokenizer(part, TokenizerConfig.Empty)!);
        }
        return new SequencePreTokenizer(parts);
    }

    private static TemplateProcessing ReadTemplate(JsonPart json)
    {
        var specials = new Dictionary<string, Special>();
        foreach ((string key, JsonPart value) in json.Get("special_tokens").Entries())
        {
            int[] ids = [.. value.Get("ids").Items().Select(i => i.Id())];
            string[] tokens = [.. value.Get("tokens").Items().Select(t => t.String())];
            if (ids.Length != tokens.Length) throw new TokenizerException($"{value.Path} has {ids.Length} ids and {tokens.Length} tokens; " +
                "there must be as many of each.");
            specials[key] = new Special(tokens, ids);
        }
        TemplatePiece[] single = TextGrowth.Require(json.Get("single"), [.. json.Get("single").Items().Select(p => ReadPiece(p, specials))]);
        TemplatePiece[] pair = TextGrowth.Require(json.Get("pair"), [.. json.Get("pair").Items().Select(p => ReadPiece(p, specials))]);
        if (single.Any(p => p.Sequence == 1))
            throw new TokenizerException($"{json.Path}.single names the second text, B; for a single text there is only A.");
        return new TemplateProcessing(single, pair);
    }

    private static TemplatePiece ReadPiece(JsonPart piece, Dictionary<string, Special> specials)
    {
        if (piece.Find("Sequence") is JsonPart sequence)
        {
            JsonPart id = sequence.Get("id");
            int number = id.String() switch { "A" => 0, "B" => 1, _ => throw id.Unexpected("\"A\" or \"B\"") };
            return new TemplatePiece(sequence.Find("type_id").Or(0), number, null);
        }
        JsonPart token = piece.Get("SpecialToken");
        string name = token.Get("id").String();
        return specials.TryGetValue(name, out Special? special)
            ? new TemplatePiece(token.Find("type_id").Or(0), null, special)
            : throw new TokenizerException($"{token.Path} names {Vocabulary.Show(name)}, which is not in its special_tokens " +
                $"({string.Join(", ", specials.Keys)}). Add it there.");
    }

    private static Special ReadSpecial(JsonPart pair)
    {
        JsonPart[] items = [.. pair.Items()];
        return items.Length == 2 ? new Special(items[0].String(), items[1].Id()) : throw pair.Unexpected("a token and its id, [\"</s>\", 2]");
    }

    private static string Type(JsonPart part) => part.Get("type").String();

    private static TokenizerException Unknown(JsonPart part, string type, string known) =>
        new($"{part.Path} has type \"{type}\", which is not supported here. Supported are {known}.");
}
