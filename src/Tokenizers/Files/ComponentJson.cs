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
            "NFC" => new NfcNormalizer(),
            "NFD" => new NfdNormalizer(),
            "Lowercase" => new LowercaseNormalizer(),
            "StripAccents" => new StripAccentsNormalizer(),
            var other => throw Unknown(json, other, "BertNormalizer, Lowercase, NFC, NFD, StripAccents, Sequence"),
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
            "Digits" => new DigitsPreTokenizer(json.Find("individual_digits").Or(false)),
            var other => throw Unknown(json, other, "BertPreTokenizer, ByteLevel, Digits, Sequence"),
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
            case "Sequence":
                TokenDecoder[] decoders = [.. json.Get("decoders").Items().Select(d => ReadDecoder(d)).Where(d => d is not FuseDecoder)];
                return decoders.Length switch
                {
                    0 => new FuseDecoder(),
                    1 => decoders[0],
                    _ => new SequenceDecoder(decoders),
                };
            case var other:
                throw Unknown(json, other, "ByteLevel, Fuse, WordPiece, Sequence");
        }
    }

    private static SequencePreTokenizer ReadSequence(JsonPart json)
    {
        PreTokenizer[] parts = [.. json.Get("pretokenizers").Items().Select(p => ReadPreTokenizer(p, TokenizerConfig.Empty)!)];
        if (parts.SkipLast(1).Any(IsByteLevel))
            throw new TokenizerException($"{json.Path} has a ByteLevel pre-tokenizer before others. " +
                "Here it must be the last: what follows it would split bytes, not text.");
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
        TemplatePiece[] single = [.. json.Get("single").Items().Select(p => ReadPiece(p, specials))];
        TemplatePiece[] pair = [.. json.Get("pair").Items().Select(p => ReadPiece(p, specials))];
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
