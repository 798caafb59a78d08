using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Tokenizers;

/// <summary>Makes a tokenizer where there is no tokenizer.json, as transformers' converters do.</summary>
internal static class VocabularyFiles
{
    /// <summary>vocab.json + merges.txt, vocab.txt, or a SentencePiece model: those that the class is made of; where nothing names one, those that are
    /// there.</summary>
    /// <exception cref="TokenizerException">They are missing or bad, or belong to another class.</exception>
    public static Tokenizer Load(TokenizerFiles files, TokenizerConfig config)
    {
        bool vocab = files.Has(TokenizerFiles.VocabJson), merges = files.Has(TokenizerFiles.MergesTxt), words = files.Has(TokenizerFiles.VocabTxt);
        (string there, string missing) = vocab ? ("vocab.json", "merges.txt") : ("merges.txt", "vocab.json");
        if (!words && vocab != merges) throw new TokenizerException($"{files.Place} has {there} but not {missing}; a BPE tokenizer needs both.");
        string? sentencePiece = Array.Find(TokenizerFiles.SentencePieceModels, files.Has);
        if (sentencePiece is not null && (config.Class is null ? !words && !vocab : IsSentencePiece(config.Class.Kind)))
            return SentencePieceFiles.Load(files, sentencePiece, Known(files, config));
        if (!words && !vocab && sentencePiece is null)
            throw new TokenizerException(
                $"{files.Place} has no tokenizer: it needs tokenizer.json, or vocab.json and merges.txt, or vocab.txt, or "
                + $"{string.Join(" or ", TokenizerFiles.SentencePieceModels)}. "
                + "Download the one that belongs to the model.");
        config = Known(files, config);
        bool bpe = vocab && merges;
        TokenizerKind kind = config.Class?.Kind ?? (bpe ? KindOf(ModelJson.ReadVocabulary(files.Json(TokenizerFiles.VocabJson))) : TokenizerKind.Bert);
        return kind switch
        {
            TokenizerKind.Bert when words => FromVocabTxt(files, config),
            TokenizerKind.Roberta or TokenizerKind.Gpt2 or TokenizerKind.Qwen2 when bpe => FromVocabAndMerges(files, config, kind),
            _ => throw new TokenizerException(
                $"A {config.Class!.Name} is made of {Needs(kind)}; {files.Place} has "
                + $"{(words ? "vocab.txt" : vocab ? "vocab.json and merges.txt" : sentencePiece)}, "
                + "which is another tokenizer's. Give the file that is missing, or say in TokenizerLoadOptions.ModelType what the vocabulary belongs to."),
        };
    }

    private static bool IsSentencePiece(TokenizerKind kind) => kind is TokenizerKind.Llama or TokenizerKind.XlmRoberta or TokenizerKind.Camembert;

    private static TokenizerConfig Known(TokenizerFiles files, TokenizerConfig config) => config is not { Class: null, ModelType: string type } ? config
        : throw new TokenizerException(
            $"config.json says model_type \"{type}\", and no file names a tokenizer_class: which tokenizer the vocabulary of {files.Place} "
            + "belongs to is not known. Give tokenizer.json, or say in TokenizerLoadOptions.ModelType what it is (\"bert\", \"roberta\", \"gpt2\", …).");

    private static string Needs(TokenizerKind kind) => kind switch
    {
        TokenizerKind.JsonOnly => "tokenizer.json",
        TokenizerKind.Bert => "vocab.txt",
        _ when IsSentencePiece(kind) => string.Join(" or ", TokenizerFiles.SentencePieceModels),
        _ => "vocab.json and merges.txt",
    };

    private static Tokenizer FromVocabAndMerges(TokenizerFiles files, TokenizerConfig config, TokenizerKind kind)
    {
        Vocabulary vocabulary = ModelJson.ReadVocabulary(files.Json(TokenizerFiles.VocabJson));
        var model = new Bpe(vocabulary, ReadMerges(files, vocabulary), new BpeOptions { ByteLevel = true });
        bool addPrefixSpace = config.AddPrefixSpace ?? false;
        bool qwen2 = kind == TokenizerKind.Qwen2;
        // Qwen2's vocab.json ends before <|endoftext|>. GPT-2's, RoBERTa's, … hold their special tokens: one that is missing has no embedding either.
        config = config with { Class = config.Class ?? TokenizerClass.Of(kind), AddsClassTokens = qwen2 };
        var bytes = new ByteLevelPreTokenizer(addPrefixSpace, useRegex: !qwen2);
        TokenizerParts parts = TokenizerLoader.Build(model, AddedTokens(files, config), qwen2 ? new NfcNormalizer() : null, config) with
        {
            PreTokenizer = qwen2
                ? new SequencePreTokenizer([new SplitPreTokenizer(new LineAwarePattern(mostDigits: 1), SplitBehavior.Isolated, invert: false), bytes])
                : bytes,
            PostProcessor = new ByteLevelPostProcessor(trimOffsets: false, addPrefixSpace: true),
            Decoder = new ByteLevelDecoder(),
        };
        if (kind == TokenizerKind.Roberta)
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
        return new Tokenizer(TokenizerLoader.WithEnds(parts, config.AddBosToken ?? false, config.AddEosToken ?? false));
    }

    private static Tokenizer FromVocabTxt(TokenizerFiles files, TokenizerConfig config)
    {
        var ids = new Dictionary<string, int>();
        List<string> lines = files.Lines(TokenizerFiles.VocabTxt);
        for (int i = 0; i < lines.Count; i++) ids[lines[i]] = i;    // a token that comes twice has the later id, as in transformers
        var vocabulary = new Vocabulary(ids, TokenizerFiles.VocabTxt);
        string unk = config.Special.GetValueOrDefault("unk_token")?.Token.Content ?? "[UNK]";
        var model = new WordPiece(vocabulary, unk, "##", 100, TokenizerFiles.VocabTxt);
        config = config with { Class = config.Class ?? TokenizerClass.Of(TokenizerKind.Bert) };
        var normalizer = new BertNormalizer
        {
            Lowercase = config.DoLowerCase ?? true,
            StripAccents = config.StripAccents,
            HandleChineseChars = config.TokenizeChineseChars ?? true,
        };
        TokenizerParts parts = TokenizerLoader.Build(model, AddedTokens(files, config), normalizer, config);
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

    // Where no file says anything, as CodeBERTa's own: the special tokens of the vocabulary show what it is.
    private static TokenizerKind KindOf(Vocabulary vocabulary)
    {
        if (vocabulary.TryGetId("<s>", out _) && vocabulary.TryGetId("</s>", out _)) return TokenizerKind.Roberta;
        if (vocabulary.TryGetId("<|endoftext|>", out _)) return TokenizerKind.Gpt2;
        throw new TokenizerException(
            "vocab.json and merges.txt do not show what they belong to: there is neither <s> and </s> (RoBERTa) nor <|endoftext|> (GPT-2, CodeGen). "
            + "Give TokenizerLoadOptions.ModelType (\"roberta\", \"gpt2\" or \"codegen\"), or name a tokenizer_class in tokenizer_config.json.");
    }

    /// <summary>Those of added_tokens_decoder, and those of added_tokens.json with the properties that other files give them; by id.</summary>
    public static List<AddedToken> AddedTokens(TokenizerFiles files, TokenizerConfig config)
    {
        List<AddedToken> tokens = [.. config.Added];
        if (files.Has(TokenizerFiles.AddedTokensJson))
        {
            var known = tokens.Select(t => t.Content).ToHashSet();
            ILookup<string, AddedToken> additional = config.AdditionalSpecial.ToLookup(t => t.Content);
            foreach ((string content, JsonPart id) in files.Json(TokenizerFiles.AddedTokensJson).Entries())
            {
                if (!known.Add(content)) continue;
                AddedToken token = SpecialTokenRoles.PropertiesOf(content, config, additional) ?? new AddedToken(-1, content) { Normalized = true };
                tokens.Add(token with { Id = id.Id() });
            }
        }
        if (tokens.GroupBy(t => t.Id).FirstOrDefault(g => g.Count() > 1) is { } clash)
            throw new TokenizerException($"added_tokens.json gives id {clash.Key} to {string.Join(" and ", clash.Select(t => Vocabulary.Show(t.Content)))}; " +
                "every token needs an id of its own.");
        return [.. tokens.OrderBy(t => t.Id)];
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
        : throw new TokenizerException($"The vocabulary has no {role}, which this kind of tokenizer puts around every text. " +
            "Name it in tokenizer_config.json or special_tokens_map.json, or add it to the vocabulary.");
}

/// <summary>Writes a BPE model as vocab.json and merges.txt.</summary>
internal static class VocabularyWriter
{
    public static IReadOnlyList<string> Write(Bpe model, string directory, string? filenamePrefix)
    {
        ArgumentNullException.ThrowIfNull(directory);
        if (!Directory.Exists(directory)) throw new TokenizerException($"Vocabulary path ({directory}) should be a directory that exists. Create it first.");
        string prefix = string.IsNullOrEmpty(filenamePrefix) ? "" : filenamePrefix + "-";
        if (prefix.AsSpan().ContainsAny('/', '\\'))
            throw new TokenizerException($"The filename prefix {Vocabulary.Show(filenamePrefix)} has a path separator in it; " +
                $"files are written to {directory} only.");
        string merges = Merges(model);
        string vocabPath = Path.Combine(directory, prefix + TokenizerFiles.VocabJson);
        string mergesPath = Path.Combine(directory, prefix + TokenizerFiles.MergesTxt);
        PendingFile.RequireReplaceable(mergesPath);
        using var vocab = new PendingFile(vocabPath);
        vocab.Stream.Write(Vocab(model.Vocabulary));
        vocab.Complete();
        File.Delete(RealPath.Of(mergesPath));                  // merges of another vocabulary would be read with this one
        vocab.Publish();
        PendingFile.Write(mergesPath, Encoding.UTF8.GetBytes(merges));
        return [vocabPath, mergesPath];
    }

    private static byte[] Vocab(Vocabulary vocabulary)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            foreach ((string token, int id) in vocabulary.Ids.OrderBy(entry => entry.Value)) json.WriteNumber(token, id);
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }

    private static string Merges(Bpe model)
    {
        var text = new StringBuilder("#version: 0.2\n");
        foreach ((int left, int right, _) in model.Merges.Ranked)
        {
            string a = model.Vocabulary.TokenOf(left)!, b = model.Vocabulary.TokenOf(right)!;
            if ((a + b).AsSpan().ContainsAny(' ', '\n', '\r'))
                throw new TokenizerException($"The merge of {Vocabulary.Show(a)} and {Vocabulary.Show(b)} has white space in it, " +
                    "which merges.txt has no way to say. Keep tokenizer.json.");
            text.Append(a).Append(' ').Append(b).Append('\n');
        }
        return text.ToString();
    }
}
