namespace ManagedTransformers.Tokenizers;

/// <summary>Makes a tokenizer where there is no tokenizer.json, as transformers' converters do.</summary>
internal static class VocabularyFiles
{
    /// <summary>vocab.json + merges.txt: RoBERTa's kind or GPT-2's (and CodeGen's).</summary>
    public static Tokenizer FromVocabAndMerges(TokenizerFiles files, TokenizerConfig config)
    {
        Vocabulary vocabulary = ModelJson.ReadVocabulary(files.Json(TokenizerFiles.VocabJson));
        var model = new Bpe(vocabulary, ReadMerges(files, vocabulary), new BpeOptions { ByteLevel = true });
        bool roberta = IsRoberta(config, vocabulary);
        bool addPrefixSpace = config.AddPrefixSpace ?? false;
        config = config with { Special = WithDefaults(config.Special, roberta ? RobertaTokens : Gpt2Tokens, vocabulary) };
        TokenizerParts parts = TokenizerLoader.Build(model, AddedTokens(files, config, vocabulary, TokenizerFiles.VocabJson), null, config) with
        {
            PreTokenizer = new ByteLevelPreTokenizer(addPrefixSpace, useRegex: true),
            PostProcessor = new ByteLevelPostProcessor(trimOffsets: false, addPrefixSpace: true),
            Decoder = new ByteLevelDecoder(),
        };
        if (roberta)
        {
            parts = parts with
            {
                PostProcessor = new RobertaProcessing(
                    Needed("sep_token", parts.SpecialTokens.SepToken, parts.SpecialTokens.SepTokenId),
                    Needed("cls_token", parts.SpecialTokens.ClsToken, parts.SpecialTokens.ClsTokenId),
                    trimOffsets: true,
                    addPrefixSpace),
            };
        }

        return new Tokenizer(config.AddBosToken ? TokenizerLoader.WithBos(parts) : parts);
    }

    /// <summary>vocab.txt: BERT.</summary>
    public static Tokenizer FromVocabTxt(TokenizerFiles files, TokenizerConfig config)
    {
        var ids = new Dictionary<string, int>();
        List<string> lines = files.Lines(TokenizerFiles.VocabTxt);
        for (int i = 0; i < lines.Count; i++) ids[lines[i]] = i;    // a token that comes twice has the later id, as in transformers
        var vocabulary = new Vocabulary(ids, TokenizerFiles.VocabTxt);
        string unk = config.Special.GetValueOrDefault("unk_token")?.Content ?? "[UNK]";
        var model = new WordPiece(vocabulary, unk, "##", 100, TokenizerFiles.VocabTxt);
        config = config with { Special = WithDefaults(config.Special, BertTokens, vocabulary) };
        var normalizer = new BertNormalizer
        {
            Lowercase = config.DoLowerCase ?? true,
            StripAccents = config.StripAccents,
            HandleChineseChars = config.TokenizeChineseChars ?? true,
        };
        TokenizerParts parts = TokenizerLoader.Build(model, AddedTokens(files, config, vocabulary, TokenizerFiles.VocabTxt), normalizer, config);
        var cls = new TemplatePiece(0, null, Needed("cls_token", parts.SpecialTokens.ClsToken, parts.SpecialTokens.ClsTokenId));
        var sep = new TemplatePiece(0, null, Needed("sep_token", parts.SpecialTokens.SepToken, parts.SpecialTokens.SepTokenId));
        var (first, second) = (new TemplatePiece(0, 0, null), new TemplatePiece(1, 1, null));
        return new Tokenizer(parts with
        {
            PreTokenizer = new BertPreTokenizer(),
            PostProcessor = new TemplateProcessing([cls, first, sep], [cls, first, sep, second, sep with { TypeId = 1 }]),
            Decoder = new WordPieceDecoder("##", cleanup: true),
        });
    }

    private static readonly (string Role, AddedToken Token)[] RobertaTokens =
    [
        ("bos_token", Special("<s>")), ("eos_token", Special("</s>")), ("unk_token", Special("<unk>")), ("sep_token", Special("</s>")),
        ("pad_token", Special("<pad>")), ("cls_token", Special("<s>")), ("mask_token", Special("<mask>") with { LStrip = true }),
    ];

    private static readonly (string Role, AddedToken Token)[] Gpt2Tokens =
        [("bos_token", Special("<|endoftext|>")), ("eos_token", Special("<|endoftext|>")), ("unk_token", Special("<|endoftext|>"))];

    private static readonly (string Role, AddedToken Token)[] BertTokens =
    [
        ("unk_token", Special("[UNK]")), ("sep_token", Special("[SEP]")), ("pad_token", Special("[PAD]")),
        ("cls_token", Special("[CLS]")), ("mask_token", Special("[MASK]")),
    ];

    private static AddedToken Special(string content) => new(-1, content) { Special = true };

    // What the configuration says goes first; of the usual tokens only those that the vocabulary has.
    private static Dictionary<string, AddedToken> WithDefaults(
        IReadOnlyDictionary<string, AddedToken> named, (string Role, AddedToken Token)[] defaults, Vocabulary vocabulary)
    {
        var special = new Dictionary<string, AddedToken>(named);
        foreach ((string role, AddedToken token) in defaults)
            if (vocabulary.TryGetId(token.Content, out _)) special.TryAdd(role, token);
        return special;
    }

    // The class decides; then the kind of model; then the special tokens. CodeBERTa's own files say nothing but max_len.
    private static bool IsRoberta(TokenizerConfig config, Vocabulary vocabulary)
    {
        foreach (string? name in (string?[])[config.TokenizerClass, config.ModelType])
        {
            if (name is null) continue;
            if (Names(name, "roberta", "bart", "longformer")) return true;
            if (Names(name, "gpt2", "codegen", "gpt_neo", "gptneo", "gptj")) return false;
        }

        if (vocabulary.TryGetId("<s>", out _) && vocabulary.TryGetId("</s>", out _)) return true;
        if (vocabulary.TryGetId("<|endoftext|>", out _)) return false;
        throw new TokenizerException(
            "vocab.json and merges.txt do not show what they belong to: there is neither <s> and </s> (RoBERTa) nor <|endoftext|> (GPT-2, CodeGen). "
            + "Give TokenizerLoadOptions.ModelType (\"roberta\", \"gpt2\" or \"codegen\"), or name a tokenizer_class in tokenizer_config.json.");
    }

    private static bool Names(string name, params string[] kinds) => kinds.Any(kind => name.Contains(kind, StringComparison.OrdinalIgnoreCase));

    private static List<AddedToken> AddedTokens(TokenizerFiles files, TokenizerConfig config, Vocabulary vocabulary, string source)
    {
        var special = config.Special.Values.Concat(config.AdditionalSpecial).DistinctBy(t => t.Content).ToDictionary(t => t.Content);
        List<AddedToken> tokens = [.. config.Added];
        if (files.Has(TokenizerFiles.AddedTokensJson))
        {
            var known = tokens.Select(t => t.Content).ToHashSet();
            foreach ((string content, JsonPart id) in files.Json(TokenizerFiles.AddedTokensJson).Entries())
                if (known.Add(content)) tokens.Add((special.GetValueOrDefault(content) ?? new AddedToken(-1, content) { Normalized = true }) with { Id = id.Id() });
        }

        if (tokens.GroupBy(t => t.Id).FirstOrDefault(g => g.Count() > 1) is { } clash)
            throw new TokenizerException($"added_tokens.json gives id {clash.Key} to {string.Join(" and ", clash.Select(t => Vocabulary.Show(t.Content)))}; every token needs an id of its own.");
        tokens = [.. tokens.OrderBy(t => t.Id)];
        TokenizerLoader.AddFromConfig(tokens, config, vocabulary, source);
        return tokens;
    }

    private static BpeMerges ReadMerges(TokenizerFiles files, Vocabulary vocabulary)
    {
        List<string> lines = files.Lines(TokenizerFiles.MergesTxt);
        var ranked = new List<(int, int, int)>(lines.Count);
        for (int i = 0; i < lines.Count; i++)
        {
            ReadOnlySpan<char> line = lines[i];
            if (line.IsEmpty || line.StartsWith("#version", StringComparison.Ordinal)) continue;
            int space = line.IndexOf(' ');
            if (space < 0 || line[(space + 1)..].Contains(' '))
                throw new TokenizerException($"merges.txt, line {i + 1}, is {Vocabulary.Show(lines[i])}; a merge is two tokens with one space between them.");
            ranked.Add(ModelJson.Merge(vocabulary, line[..space], line[(space + 1)..], 0, "merges.txt", ranked.Count));
        }

        return new BpeMerges(ranked);
    }

    private static Special Needed(string role, string? token, int? id) => token is not null && id is int known
        ? new Special(token, known)
        : throw new TokenizerException($"The vocabulary has no {role}, which this kind of tokenizer puts around every text. Name it in tokenizer_config.json or special_tokens_map.json, or add it to the vocabulary.");
}
