namespace ManagedTransformers.Tokenizers;

/// <summary>Makes a tokenizer of its files.</summary>
internal static class TokenizerLoader
{
    /// <summary>tokenizer.json, or vocab.json + merges.txt, or vocab.txt: the first that is there.</summary>
    /// <exception cref="TokenizerException">A file is missing or bad.</exception>
    public static Tokenizer Load(TokenizerFiles files, TokenizerLoadOptions? options)
    {
        try
        {
            return LoadFirst(files, options ?? new TokenizerLoadOptions());
        }
        catch (InvalidOperationException e)
        {
            // System.Text.Json says it so when a string is asked for that UTF-16 cannot hold, such as "\ud800".
            throw new TokenizerException($"A JSON file of {files.Place} has a string with half a surrogate pair in it, which is no text. The file is damaged: get it again.", e);
        }
    }

    private static Tokenizer LoadFirst(TokenizerFiles files, TokenizerLoadOptions options)
    {
        TokenizerConfig config = TokenizerConfig.Read(files);
        if (options.ModelType is not null) config = config with { ModelType = options.ModelType, TokenizerClass = null };
        if (files.Has(TokenizerFiles.TokenizerJson) && !options.IgnoreTokenizerJson) return FromTokenizerJson(files.Json(TokenizerFiles.TokenizerJson), config);
        bool vocab = files.Has(TokenizerFiles.VocabJson), merges = files.Has(TokenizerFiles.MergesTxt);
        if (vocab && merges) return VocabularyFiles.FromVocabAndMerges(files, config);
        if (files.Has(TokenizerFiles.VocabTxt)) return VocabularyFiles.FromVocabTxt(files, config);
        if (vocab || merges) throw new TokenizerException($"{files.Place} has {(vocab ? "vocab.json" : "merges.txt")} but not {(vocab ? "merges.txt" : "vocab.json")}; a BPE tokenizer needs both.");
        throw new TokenizerException($"{files.Place} has no tokenizer: it needs tokenizer.json, or vocab.json and merges.txt, or vocab.txt. Download the one that belongs to the model.");
    }

    private static Tokenizer FromTokenizerJson(JsonPart json, TokenizerConfig config)
    {
        if (json.Find("version") is JsonPart version && version.String() != "1.0") throw version.Unexpected("\"1.0\", the version that is known here");
        PreTokenizer? preTokenizer = ComponentJson.ReadPreTokenizer(json.Find("pre_tokenizer"), config);
        Normalizer? normalizer = ComponentJson.ReadNormalizer(json.Find("normalizer"), config);
        TokenModel model = ModelJson.Read(json.Get("model"), ComponentJson.IsByteLevel(preTokenizer));
        List<AddedToken> tokens = [.. ReadAddedTokens(json.Find("added_tokens"))];
        AddFromConfig(tokens, config, model.Vocabulary, json.Path);
        TokenizerParts parts = Build(model, tokens, normalizer, config) with
        {
            PreTokenizer = preTokenizer,
            PostProcessor = ComponentJson.ReadPostProcessor(json.Find("post_processor"), config),
            Decoder = ComponentJson.ReadDecoder(json.Find("decoder")),
            Truncation = ReadTruncation(json.Find("truncation")),
            Padding = ReadPadding(json.Find("padding")),
        };
        return new Tokenizer(config.AddBosToken ? WithBos(parts) : parts);
    }

    /// <summary>The parts that every way of loading makes alike: added vocabulary and special tokens.</summary>
    public static TokenizerParts Build(TokenModel model, IReadOnlyList<AddedToken> tokens, Normalizer? normalizer, TokenizerConfig config)
    {
        var added = new AddedVocabulary(tokens, model.Vocabulary, normalizer);
        return new TokenizerParts(model, added)
        {
            SpecialTokens = SpecialTokenRoles.Resolve(config, added),
            ModelMaxLength = config.ModelMaxLength,
            CleanUpTokenizationSpaces = config.CleanUpTokenizationSpaces,
        };
    }

    /// <summary>Adds the tokens that the configuration names and the tokenizer does not have as added tokens yet.</summary>
    /// <exception cref="TokenizerException">A special token is neither in the vocabulary nor among the added tokens.</exception>
    public static void AddFromConfig(List<AddedToken> tokens, TokenizerConfig config, Vocabulary vocabulary, string source)
    {
        var known = tokens.Select(t => t.Content).ToHashSet();
        foreach (AddedToken token in config.Added)
            if (known.Add(token.Content)) tokens.Add(token);
        foreach ((string role, AddedToken token) in config.Special.Select(s => (s.Key, s.Value)).Concat(config.AdditionalSpecial.Select(t => ("additional special token", t))))
        {
            if (!known.Add(token.Content)) continue;
            if (!vocabulary.TryGetId(token.Content, out _))
                throw new TokenizerException(
                    $"The {role} {Vocabulary.Show(token.Content)}, which tokenizer_config.json or special_tokens_map.json names, is not in {source}. "
                    + "Correct the name, or add the token to the vocabulary (the model then needs an embedding for it).");
            tokens.Add(token);
        }
    }

    /// <summary>add_bos_token: the bos token before every text, as transformers' slow GPT-2 tokenizers put it.</summary>
    public static TokenizerParts WithBos(TokenizerParts parts)
    {
        SpecialTokens special = parts.SpecialTokens;
        if (special.BosToken is not string token || special.BosTokenId is not int id)
            throw new TokenizerException("tokenizer_config.json: add_bos_token is true, but no bos_token is named. Name one, or set add_bos_token to false.");
        var bos = new TemplatePiece(0, null, new Special(token, id));
        var template = new TemplateProcessing(
            [bos, new TemplatePiece(0, 0, null)],
            [bos, new TemplatePiece(0, 0, null), bos, new TemplatePiece(1, 1, null)]);
        return parts with { PostProcessor = parts.PostProcessor is null ? template : new SequencePostProcessor([parts.PostProcessor, template]) };
    }

    private static List<AddedToken> ReadAddedTokens(JsonPart? part)
    {
        var tokens = new List<AddedToken>();
        if (part is not JsonPart list) return tokens;
        var byId = new Dictionary<int, AddedToken>();
        foreach (JsonPart item in list.Items())
        {
            AddedToken token = TokenizerConfig.ReadToken(item, special: false, item.Get("id").Id());
            if (!byId.TryAdd(token.Id, token) && byId[token.Id] != token)
                throw new TokenizerException($"{item.Path}: id {token.Id} belongs to {Vocabulary.Show(byId[token.Id].Content)} and to {Vocabulary.Show(token.Content)}; every added token needs an id of its own.");
            tokens.Add(token);
        }

        return tokens;
    }

    private static Truncation? ReadTruncation(JsonPart? part)
    {
        if (part is not JsonPart json) return null;
        JsonPart strategy = json.Get("strategy");
        return new Truncation(json.Get("max_length").Id())
        {
            Stride = json.Find("stride").Or(0),
            Direction = ReadSide(json.Find("direction")),
            Strategy = Enum.GetNames<TruncationStrategy>().Contains(strategy.String()) ? Enum.Parse<TruncationStrategy>(strategy.String()) : throw strategy.Unexpected("LongestFirst, OnlyFirst or OnlySecond"),
        };
    }

    private static Padding? ReadPadding(JsonPart? part)
    {
        if (part is not JsonPart json) return null;
        JsonPart strategy = json.Get("strategy");
        return new Padding
        {
            Length = strategy.Element.ValueKind == System.Text.Json.JsonValueKind.Object ? strategy.Get("Fixed").Id() : null,
            MultipleOf = json.Find("pad_to_multiple_of")?.Id(),
            Direction = ReadSide(json.Find("direction")),
            PadId = json.Find("pad_id")?.Id(),
            PadTypeId = json.Find("pad_type_id").Or(0),
            PadToken = json.Find("pad_token")?.String(),
        };
    }

    private static TextSide ReadSide(JsonPart? part) => part?.String() switch
    {
        null or "Right" => TextSide.Right,
        "Left" => TextSide.Left,
        _ => throw part.Value.Unexpected("\"Left\" or \"Right\""),
    };
}
