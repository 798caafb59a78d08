using System.Text.Json;

namespace ManagedTransformers.Tokenizers;

/// <summary>Reads "model" of tokenizer.json, and the vocabulary and merges wherever they are.</summary>
internal static class ModelJson
{
    /// <summary>The model.</summary>
    /// <param name="model">"model" of tokenizer.json.</param>
    /// <param name="byteLevel">Whether the words are split byte by byte, as the pre-tokenizer says.</param>
    public static TokenModel Read(JsonPart model, bool byteLevel)
    {
        // Old files have no type: a BPE has merges, a WordPiece a limit on the length of words.
        string type = model.Find("type")?.String() ?? (model.Find("merges") is not null ? "BPE"
            : model.Find("max_input_chars_per_word") is not null ? "WordPiece" : model.Find("unk_id") is not null ? "Unigram" : "none");
        if (byteLevel && type is "WordPiece" or "Unigram" or "WordLevel")
            throw new TokenizerException($"{model.Path} is a {type} behind a ByteLevel pre-tokenizer; only a BPE can stand there.");
        switch (type)
        {
            case "BPE":
                return ReadBpe(model, byteLevel);
            case "Unigram":
                return ReadUnigram(model);
            case "WordLevel":
                return new WordLevel(ReadVocabulary(model.Get("vocab")), model.Find("unk_token").Or("<unk>"));
            case "WordPiece":
                return new WordPiece(
                    ReadVocabulary(model.Get("vocab")),
                    model.Find("unk_token").Or("[UNK]"),
                    model.Find("continuing_subword_prefix").Or("##"),
                    model.Find("max_input_chars_per_word").Or(100),
                    model.Path);
            default:
                throw new TokenizerException($"{model.Path} has type \"{type}\"; this library runs BPE, Unigram, WordLevel and WordPiece.");
        }
    }

    /// <summary>A vocabulary: an object of tokens and ids.</summary>
    public static Vocabulary ReadVocabulary(JsonPart vocab)
    {
        JsonElement element = vocab.Object().Element;
        var ids = new Dictionary<string, int>(element.GetPropertyCount());
        foreach (JsonProperty entry in element.EnumerateObject())
        {
            if (!entry.Value.TryGetId(out int id)) throw vocab.At(entry.Value, $"{vocab.Path}[\"{entry.Name}\"]").Unexpected("an id: a whole number from 0 " +
                "to 2,147,483,647");
            if (!ids.TryAdd(entry.Name, id))
                throw new TokenizerException($"{vocab.Path} has the token {Vocabulary.Show(entry.Name)} twice, with ids {ids[entry.Name]} and {id}. " +
                    "The vocabulary is damaged.");
        }
        return new Vocabulary(ids, vocab.Path);
    }

    /// <summary>Looks a merge up: its two tokens and the one they join to.</summary>
    /// <exception cref="TokenizerException">The vocabulary does not have one of the three.</exception>
    public static (int Left, int Right, int Joined) Merge(
        Vocabulary vocabulary, ReadOnlySpan<char> left, ReadOnlySpan<char> right, int prefixLength, string source, int number)
    {
        if (prefixLength > right.Length)
            throw new TokenizerException($"{source}: merge {number} joins {Vocabulary.Show(left.ToString())} and {Vocabulary.Show(right.ToString())}, " +
                "which is shorter than continuing_subword_prefix.");
        int length = left.Length + right.Length - prefixLength;
        Span<char> joined = length <= 256 ? stackalloc char[length] : new char[length];
        left.CopyTo(joined);
        right[prefixLength..].CopyTo(joined[left.Length..]);
        return (IdOf(left), IdOf(right), IdOf(joined));

        int IdOf(ReadOnlySpan<char> token) => vocabulary.TryGetId(token, out int id)
            ? id
            : throw new TokenizerException($"{source}: merge {number} needs the token {Vocabulary.Show(token.ToString())}, " +
                $"which is not among the {vocabulary.Count} of the vocabulary. The two belong to different tokenizers, or one is damaged.");
    }

    private static Unigram ReadUnigram(JsonPart model)
    {
        JsonPart vocab = model.Get("vocab");
        if (vocab.Element.ValueKind != JsonValueKind.Array) throw vocab.Unexpected("an array of pieces and scores");
        int count = vocab.Element.GetArrayLength();
        if (model.Find("unk_id") is not JsonPart unkId)
            throw new TokenizerException($"{model.Path} is a Unigram without unk_id: what its {count} pieces do not have could not be encoded. " +
                "Name the piece that stands for what is unknown.");
        if (unkId.Id() >= count) throw unkId.Unexpected($"the id of one of the {count} pieces");
        var ids = new Dictionary<string, int>(count);
        var scores = new double[count];
        foreach (JsonElement element in vocab.Element.EnumerateArray())
        {
            JsonPart piece = vocab.At(element, $"{vocab.Path}[{ids.Count}]");
            if (element.ValueKind != JsonValueKind.Array || element.GetArrayLength() != 2) throw piece.Unexpected("a piece and its score, [\"▁a\", -3.5]");
            string text = piece.At(element[0], piece.Path).String();
            scores[ids.Count] = ScoreJson.Read(piece.At(element[1], piece.Path));
            if (!ids.TryAdd(text, ids.Count))
                throw new TokenizerException($"{piece.Path} has the piece {Vocabulary.Show(text)} again, which has id {ids[text]}. The vocabulary is damaged.");
        }
        return new Unigram(new Vocabulary(ids, vocab.Path), scores, unkId.Id(), model.Find("byte_fallback").Or(false));
    }

    private static Bpe ReadBpe(JsonPart model, bool byteLevel)
    {
        if (model.Find("dropout") is { } dropout && dropout.Number() > 0)
            throw new TokenizerException($"{dropout.Path} is {dropout.Number()}: merges would be dropped at random. That is for training; set it to null.");
        var options = new BpeOptions
        {
            ByteLevel = byteLevel,
            UnkToken = model.Find("unk_token")?.String(),
            ContinuingSubwordPrefix = TextGrowth.Affix(model.Find("continuing_subword_prefix")),
            EndOfWordSuffix = TextGrowth.Affix(model.Find("end_of_word_suffix")),
            FuseUnk = model.Find("fuse_unk").Or(false),
            ByteFallback = model.Find("byte_fallback").Or(false),
            IgnoreMerges = model.Find("ignore_merges").Or(false),
        };
        Vocabulary vocabulary = ReadVocabulary(model.Get("vocab"));
        return new Bpe(vocabulary, ReadMerges(model.Get("merges"), vocabulary, options.ContinuingSubwordPrefix.Length), options);
    }

    private static BpeMerges ReadMerges(JsonPart merges, Vocabulary vocabulary, int prefixLength)
    {
        if (merges.Element.ValueKind != JsonValueKind.Array) throw merges.Unexpected("an array of merges");
        var ranked = new List<(int, int, int)>(merges.Element.GetArrayLength());
        foreach (JsonElement merge in merges.Element.EnumerateArray())
        {
            if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
            {
                JsonPart part = merges.At(merge, $"{merges.Path}[{ranked.Count}]");
                (string left, string right) = (part.At(merge[0], part.Path).String(), part.At(merge[1], part.Path).String());
                ranked.Add(Merge(vocabulary, left, right, prefixLength, merges.Path, ranked.Count));
                continue;
            }
            if (merge.ValueKind != JsonValueKind.String)
                throw merges.At(merge, $"{merges.Path}[{ranked.Count}]").Unexpected("two tokens, \"a b\" or [\"a\", \"b\"]");
            ReadOnlySpan<char> text = merge.GetString();
            int space = text.IndexOf(' ');
            if (space < 0 || text[(space + 1)..].Contains(' '))
                throw new TokenizerException($"{merges.Path}[{ranked.Count}] is {Vocabulary.Show(text.ToString())}; " +
                    "a merge is two tokens with one space between them.");
            ranked.Add(Merge(vocabulary, text[..space], text[(space + 1)..], prefixLength, merges.Path, ranked.Count));
        }
        return new BpeMerges(ranked);
    }

    private static bool TryGetId(this JsonElement value, out int id)
    {
        id = -1;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out id) && id >= 0;
    }
}
