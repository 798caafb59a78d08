namespace ManagedTransformers.Tokenizers;

/// <summary>Makes a tokenizer of its files.</summary>
internal static class TokenizerLoader
{
    /// <summary>tokenizer.json, or else what the class is made of: vocab.json + merges.txt, vocab.txt, or a SentencePiece model.</summary>
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
            throw new TokenizerException($"A JSON file of {files.Place} has a string with half a surrogate pair in it, which is no text. " +
                "The file is damaged: get it again.", e);
        }
    }

    private static Tokenizer LoadFirst(TokenizerFiles files, TokenizerLoadOptions options)
    {
        TokenizerConfig config = TokenizerConfig.Read(files);
        config = config with { Class = TokenizerClass.Find(config, options) };
        return files.Has(TokenizerFiles.TokenizerJson) && !options.IgnoreTokenizerJson
            ? FromTokenizerJson(files.Json(TokenizerFiles.TokenizerJson), config)
            : VocabularyFiles.Load(files, config);
    }

    private static Tokenizer FromTokenizerJson(JsonPart json, TokenizerConfig config)
    {
        if (json.Find("version") is JsonPart version && version.String() != "1.0") throw version.Unexpected("\"1.0\", the version that is known here");
        PreTokenizer? preTokenizer = ComponentJson.ReadPreTokenizer(TextGrowth.Require(json.Find("pre_tokenizer")), config);
        Normalizer? normalizer = ComponentJson.ReadNormalizer(TextGrowth.Require(json.Find("normalizer")), config);
        TokenModel model = ModelJson.Read(json.Get("model"), ComponentJson.IsByteLevel(preTokenizer));
        List<AddedToken> tokens = ReadAddedTokens(json.Find("added_tokens"));
        var places = new Dictionary<string, int>();
        for (int i = 0; i < tokens.Count; i++) places.TryAdd(tokens[i].Content, i);
        foreach (AddedToken token in config.Added)
        {
            if (places.TryAdd(token.Content, tokens.Count)) tokens.Add(token);
            else tokens[places[token.Content]] = token;              // what transformers wrote later goes first
        }
        TokenizerParts parts = Build(model, tokens, normalizer, config) with
        {
            PreTokenizer = preTokenizer,
            PostProcessor = ComponentJson.ReadPostProcessor(TextGrowth.Require(json.Find("post_processor")), config),
            Decoder = ComponentJson.ReadDecoder(TextGrowth.Require(json.Find("decoder"))),
            Truncation = ReadTruncation(json.Find("truncation")),
            Padding = ReadPadding(json.Find("padding")),
        };
        return new Tokenizer(WithEnds(parts, config.AddBosToken ?? false, config.AddEosToken ?? false));
    }

    /// <summary>The parts that every way of loading makes alike: added vocabulary and special tokens. <paramref name="tokens"/> are those
    /// that the files list; those of special roles join them.</summary>
    public static TokenizerParts Build(TokenModel model, List<AddedToken> tokens, Normalizer? normalizer, TokenizerConfig config)
    {
        SpecialTokenRoles roles = SpecialTokenRoles.Assign(config, tokens, model.Vocabulary);
        var added = new AddedVocabulary(tokens, model.Vocabulary, normalizer);
        return new TokenizerParts(model, added)
        {
            SpecialTokens = roles.Resolve(added),
            ModelMaxLength = config.ModelMaxLength,
            CleanUpTokenizationSpaces = config.CleanUpTokenizationSpaces,
        };
    }

    /// <summary>add_bos_token and add_eos_token: the tokens that begin and end every text, where the tokenizer does not put them there already. That before
    /// the second text of a pair has type id 0 in GPT-2's, 1 in Llama's.</summary>
    public static TokenizerParts WithEnds(TokenizerParts parts, bool bos, bool eos, int pairBosTypeId = 0)
    {
        if (!bos && !eos) return parts;
        SpecialTokens special = parts.SpecialTokens;
        Special? begin = bos ? Needed("bos", special.BosToken, special.BosTokenId) : null;
        Special? end = eos ? Needed("eos", special.EosToken, special.EosTokenId) : null;
        int[] probe = ProbeOf(parts.PostProcessor);
        if (begin is not null && probe[0] == begin.Ids[0]) begin = null;
        if (end is not null && probe[^1] == end.Ids[0]) end = null;
        if (begin is null && end is null) return parts;

        TemplatePiece[] before = begin is null ? [] : [new TemplatePiece(0, null, begin)];
        TemplatePiece[] after = end is null ? [] : [new TemplatePiece(0, null, end)];
        var (first, second) = (new TemplatePiece(0, 0, null), new TemplatePiece(1, 1, null));
        TemplatePiece[] single = [.. before, first, .. after];
        TemplatePiece[] pair =
            [.. single, .. before.Select(piece => piece with { TypeId = pairBosTypeId }), second, .. after.Select(piece => piece with { TypeId = 1 })];
        var template = new TemplateProcessing(single, pair);
        return parts with { PostProcessor = parts.PostProcessor is null ? template : new SequencePostProcessor([parts.PostProcessor, template]) };

        Special Needed(string role, string? token, int? id) => token is not null && id is int known ? new Special(token, known) : throw new TokenizerException(
            $"tokenizer_config.json: add_{role}_token is true, but no {role}_token is named. Name one, or set add_{role}_token to false.");
    }

    /// <summary>The ids of a text of one token, −1, with the special tokens that are put around it.</summary>
    private static int[] ProbeOf(PostProcessor? processor)
    {
        TokenEncoding text = TokenEncoding.OfSpecialTokens([-1], [""], typeId: 0);
        return processor is null ? text.Ids : TokenEncoding.Merge(processor.Process([text], addSpecialTokens: true)).Ids;
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
                throw new TokenizerException($"{item.Path}: id {token.Id} belongs to {Vocabulary.Show(byId[token.Id].Content)} and to " +
                    $"{Vocabulary.Show(token.Content)}; every added token needs an id of its own.");
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
            Strategy = Enum.GetNames<TruncationStrategy>().Contains(strategy.String())
                ? Enum.Parse<TruncationStrategy>(strategy.String())
                : throw strategy.Unexpected("LongestFirst, OnlyFirst or OnlySecond"),
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
