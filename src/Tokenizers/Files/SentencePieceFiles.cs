namespace ManagedTransformers.Tokenizers;

/// <summary>Makes a tokenizer of a SentencePiece model where there is no tokenizer.json: of the parts that transformers' converters write into one.</summary>
/// <remarks>SpmConverter and its kin in convert_slow_tokenizer.py. Where they suppose how spaces are treated, the file's own word counts.</remarks>
internal static class SentencePieceFiles
{
    private const string Mark = "\u2581";

    // Longer ones are no words; looking for all ways to make them costs the square of the length.
    private const int LongestMergedPiece = 256;

    private static readonly SentencePiece[] XlmRobertaHead = [Special("<s>"), Special("<pad>"), Special("</s>"), Special("<unk>")];
    private static readonly SentencePiece[] CamembertHead =
        [Special("<s>NOTUSED"), Special("<pad>"), Special("</s>NOTUSED"), Special("<unk>"), Special("<unk>NOTUSED") with { Score = -100 }];

    /// <summary>Reads a model and puts its parts together, as the class says.</summary>
    /// <exception cref="TokenizerException">It is damaged, or does not belong to the class.</exception>
    public static Tokenizer Load(TokenizerFiles files, string name, TokenizerConfig config)
    {
        SentencePieceModel model = SentencePieceModel.Read(files.Bytes(name).Span, name);
        if (config.SentencePieceOptions is { Count: > 0 } options)
            throw new TokenizerException($"tokenizer_config.json: sp_model_kwargs has {string.Join(", ", options)}, which is not supported here. " +
                "Text is split the same way each time; leave it empty.");
        TokenizerKind kind = config.Class?.Kind ?? TokenizerKind.JsonOnly;
        (SentencePiece[] pieces, int unkId) = Arrange(model, kind, name);
        Vocabulary vocabulary = VocabularyOf(pieces, name);
        TokenModel split = model.IsBpe
            ? new Bpe(vocabulary, MergesOf(pieces, vocabulary, name),
                new BpeOptions { UnkToken = pieces[unkId].Text, FuseUnk = true, ByteFallback = model.ByteFallback })
            : new Unigram(vocabulary, [.. pieces.Select(piece => (double)piece.Score)], unkId, model.ByteFallback);
        config = config.Class is null ? config with { Special = RolesOf(model, config) } : config;

        bool prefix = config.AddPrefixSpace ?? model.AddDummyPrefix;
        bool whole = kind == TokenizerKind.Llama || !model.RemoveExtraWhitespaces;
        bool legacy = config.Legacy ?? true;
        PrependScheme always = prefix ? PrependScheme.Always : PrependScheme.Never;
        MetaspacePreTokenizer? metaspace = whole
            ? legacy ? null : new MetaspacePreTokenizer(Mark[0], prefix ? PrependScheme.First : PrependScheme.Never, split: false)
            : new MetaspacePreTokenizer(Mark[0], always, split: !pieces.Any(HasMarkInside));
        TokenizerParts parts = TokenizerLoader.Build(split, AddedTokens(model, VocabularyFiles.AddedTokens(files, config)),
            NormalizerOf(model, kind, prefix, metaspace is null), config) with
        {
            PreTokenizer = metaspace,
            PostProcessor = IsFairseq(kind) ? FairseqTemplate(vocabulary) : null,
            Decoder = whole || model.ByteFallback ? BytesDecoder(prefix) : new MetaspaceDecoder(Mark[0], always),
        };
        bool bos = config.AddBosToken ?? kind == TokenizerKind.Llama;
        return new Tokenizer(TokenizerLoader.WithEnds(parts, bos, config.AddEosToken ?? false, pairBosTypeId: 1));
    }

    private static bool IsFairseq(TokenizerKind kind) => kind is TokenizerKind.XlmRoberta or TokenizerKind.Camembert;

    private static TemplateProcessing FairseqTemplate(Vocabulary vocabulary)
    {
        return new TemplateProcessing(Template("<s> $A </s>", 1), Template("<s> $A </s> </s> $B </s>", 2));

        TemplatePiece[] Template(string template, int texts) =>
            TemplatePiece.Parse(template, texts, token => vocabulary.TryGetId(token, out int id) ? id : null);
    }

    // The pieces by id. Models of fairseq have its special tokens in place of SentencePiece's first ones, and a mask at the end.
    private static (SentencePiece[] Pieces, int UnkId) Arrange(SentencePieceModel model, TokenizerKind kind, string name)
    {
        if (!IsFairseq(kind)) return ([.. model.Pieces], model.UnkId);
        string[] first = [.. model.Pieces.Take(3).Select(piece => piece.Text)];
        if (first is not ["<unk>", "<s>", "</s>"] || model.UnkId != 0)
            throw new TokenizerException($"{name} begins with the pieces {string.Join(", ", first.Select(Vocabulary.Show))}; that of a {kind} tokenizer " +
                "begins with \"<unk>\", \"<s>\", \"</s>\", in whose place its own special tokens are put. Correct tokenizer_class, or get the file again.");
        return kind == TokenizerKind.XlmRoberta
            ? ([.. XlmRobertaHead, .. model.Pieces.Skip(3), Special("<mask>")], 3)
            : ([.. CamembertHead, .. model.Pieces.Skip(1), Special("<mask>")], 3);
    }

    private static SentencePiece Special(string text) => new(text, 0, PieceType.Control);

    private static Vocabulary VocabularyOf(SentencePiece[] pieces, string name)
    {
        var ids = new Dictionary<string, int>(pieces.Length);
        for (int id = 0; id < pieces.Length; id++)
        {
            if (!ids.TryAdd(pieces[id].Text, id))
                throw new TokenizerException($"{name} has the piece {Vocabulary.Show(pieces[id].Text)} twice, with ids {ids[pieces[id].Text]} and {id}. " +
                    "The file is damaged: get it again.");
        }
        return new Vocabulary(ids, name);
    }

    // Every pair that makes a piece is a merge of the piece's rank: SentencePiece joins the pair of the best score. Of the pairs of one score, the order is
    // that of generate_merges in transformers: by length of the first, then of the second, the longest first.
    private static BpeMerges MergesOf(SentencePiece[] pieces, Vocabulary vocabulary, string name)
    {
        var merges = new List<(float Score, int LeftLength, int RightLength, (int, int, int) Merge)>();
        for (int id = 0; id < pieces.Length; id++)
        {
            (string text, float score, PieceType type) = pieces[id];
            if (type != PieceType.Normal) continue;
            if (text.Length > LongestMergedPiece)
                throw new TokenizerException($"{name}: piece {id}, {Vocabulary.Show(text)}, has {text.Length} characters; one that is merged has at most " +
                    $"{LongestMergedPiece}. The file is damaged: get it again.");
            int length = text.Count(c => !char.IsLowSurrogate(c)), left = 0;
            for (int cut = 1; cut < text.Length; cut++)
            {
                if (char.IsLowSurrogate(text[cut])) continue;
                left++;
                if (vocabulary.TryGetId(text.AsSpan(0, cut), out int first) && vocabulary.TryGetId(text.AsSpan(cut), out int second))
                    merges.Add((score, left, length - left, (first, second, id)));
            }
        }
        return new BpeMerges([.. merges.OrderByDescending(m => m.Score).ThenByDescending(m => m.LeftLength).ThenByDescending(m => m.RightLength)
            .Select(m => m.Merge)]);
    }

    private static SequenceNormalizer NormalizerOf(SentencePieceModel model, TokenizerKind kind, bool prefix, bool marks)
    {
        List<Normalizer> normalizers = [];
        if (model.Characters is CharacterMap characters) normalizers.Add(new PrecompiledNormalizer(characters));
        if (model.RemoveExtraWhitespaces)
        {
            // A space before a word that gets one is that one. What transformers strips for XLM-R and CamemBERT, their maps have made spaces already.
            normalizers.Add(new StripNormalizer(left: marks || !prefix, right: true, spacesOnly: !IsFairseq(kind)));
            normalizers.Add(new ReplaceNormalizer(RunPattern.Of(" {2,}")!, Mark));
        }
        if (marks && prefix) normalizers.Add(new PrependNormalizer(Mark));
        if (marks) normalizers.Add(new ReplaceNormalizer(new LiteralPattern(" "), Mark));
        return new SequenceNormalizer(normalizers);
    }

    private static TokenDecoder BytesDecoder(bool prefix)
    {
        TokenDecoder[] decoders = [new ReplaceDecoder(new LiteralPattern(Mark), " "), new ByteFallbackDecoder(), new FuseDecoder()];
        return SequenceDecoder.Of(prefix ? [.. decoders, new StripDecoder(' ', 1, 0)] : decoders);
    }

    // Control pieces are special, user-defined ones are not; both are found in the text as given. What transformers wrote into other files goes first.
    private static List<AddedToken> AddedTokens(SentencePieceModel model, List<AddedToken> listed)
    {
        var known = listed.Select(token => token.Content).ToHashSet();
        var own = model.Pieces.Where(piece => piece.Type is PieceType.Control or PieceType.UserDefined && !known.Contains(piece.Text))
            .Select(piece => new AddedToken(-1, piece.Text) { Special = piece.Type == PieceType.Control });
        return [.. own, .. listed];
    }

    // Where no class says what the special tokens are, the model does.
    private static Dictionary<string, NamedToken?> RolesOf(SentencePieceModel model, TokenizerConfig config)
    {
        var roles = new Dictionary<string, NamedToken?>(config.Special);
        (int bos, int eos, int pad) = model.EndIds;
        (string Role, int Id)[] all = [("bos_token", bos), ("eos_token", eos), ("pad_token", pad), ("unk_token", model.UnkId)];
        foreach ((string role, int id) in all)
            if (id >= 0 && id < model.Pieces.Count)
                roles.TryAdd(role, new NamedToken(new AddedToken(-1, model.Pieces[id].Text) { Special = true }, PropertiesSaid: false));
        return roles;
    }

    private static bool HasMarkInside(SentencePiece piece) => piece.Text.LastIndexOf(Mark[0]) > 0;
}
